"""The built wheel, and an environment that has it in place of this checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.projects import REPOSITORY


def build_wheel(folder: Path) -> Path:
    """Build the wheel; gives the folder that it is unpacked in."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True, timeout=120)
    [built] = folder.glob("*.whl")
    zipfile.ZipFile(built).extractall(folder / "unpacked")
    return folder / "unpacked"


def environment_with(wheel: Path, folder: Path) -> Path:
    """Make an environment with the wheel, and the packages of this one behind it.

    Returns:
        Its Python.
    """
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120
    )
    [site] = folder.glob("lib/python*/site-packages")
    [ours] = {path for path in map(Path, sys.path) if path.name == "site-packages"}
    (site / "behind.pth").write_text(f"{ours}\n", encoding="utf-8")
    for package in wheel.iterdir():
        (site / package.name).symlink_to(package)
    return folder / "bin" / "python"
