"""The documentation says what the code does: generated parts are fresh, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.docs import ROOT, generated

PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "tests").rglob("*.md")),
]


@pytest.mark.parametrize("path", list(generated()), ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_parts_are_fresh(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated()[path], "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [
        target for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) if "://" not in target
    ]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_situation_of_the_promise_names_a_test_that_exists() -> None:
    """The README's comparison links tests by file and name: `[words](tests/file.py "test_name")`."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((tests/[^)\s]+)(?: \"([^\"]+)\")?\)", readme)
    named = [(path, name) for path, name in links if path.endswith(".py")]
    assert len(named) >= 11
    for path, name in named:
        assert name, path
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), (path, name)
