"""`dg scaffold defs` writes what `capi init` writes, and `dg` loads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connector.config.loader import load
from tests.support.projects import Project
from tests.support.warehouses import DuckDb

pytestmark = pytest.mark.slow


def test_a_scaffolded_destination_loads(
    project: Project, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project.root / "own"
    (root / "shop" / "defs").mkdir(parents=True)
    (root / "shop" / "__init__.py").touch()
    (root / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "0"\n[tool.dg]\ndirectory_type = "project"\n'
        '[tool.dg.project]\nroot_module = "shop"\n'
    )
    (root / "shop" / "definitions.py").write_text(
        "from pathlib import Path\nimport dagster as dg\n\n\n@dg.definitions\ndef defs():\n"
        "    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)\n"
    )
    folder = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "WAREHOUSE_URL": duck.url,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": f"{root}:{os.environ.get('PYTHONPATH', '')}",
        "DAGSTER_HOME": str(project.root),
    }
    done = subprocess.run(
        [
            *(f"{folder}/dg", "scaffold", "defs"),
            *("dagster_project.components.CapiDestination", "acme"),
            *("--platform", "meta", "--table", "conversions"),
        ],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    file = root / "shop" / "defs" / "acme" / "defs.yaml"
    assert "email" in file.with_name("query.sql").read_text()
    monkeypatch.setenv("WAREHOUSE_URL", duck.url)
    monkeypatch.setenv("ACME_PIXEL_ID", "12345")
    destination = load(file)
    assert (destination.name, destination.model.source.key) == ("acme", "conversion_id")
    assert "schedule" in file.read_text()
