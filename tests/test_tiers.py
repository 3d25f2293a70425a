"""The quick tier meets every part of the connector, and starts nothing that takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tiers

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(
    {path.parent.name for path in (ROOT / "connector").glob("*/__init__.py")} | {"dagster_project"}
)


class Item:
    """What the rule looks at."""

    def __init__(self, nodeid: str, *fixturenames: str, slow: bool = False) -> None:
        self.nodeid, self.fixturenames, self.slow = nodeid, fixturenames, slow

    def get_closest_marker(self, name: str) -> bool:
        return self.slow and name == "slow"


def chosen(*items: Item) -> list[str]:
    class Hook:
        def pytest_deselected(self, items: list[Item]) -> None: ...

    class Config:
        hook = Hook()

        def getoption(self, name: str) -> bool:
            return name == "--quick"

    listed = list(items)
    tiers.pytest_collection_modifyitems(Config(), listed)  # type: ignore[arg-type]
    return [item.nodeid for item in listed]


def test_one_case_of_a_function_and_one_costly_test_of_a_module() -> None:
    assert chosen(
        Item("tests/a.py::x[1]"),
        Item("tests/a.py::x[2]"),
        Item("tests/a.py::y", "project"),
        Item("tests/b.py::x", "project"),
        Item("tests/b.py::y", "project"),
        Item("tests/b.py::z"),
    ) == ["tests/a.py::x[1]", "tests/b.py::x", "tests/b.py::z"]


def test_what_takes_seconds_is_left_out() -> None:
    assert (
        chosen(
            Item("tests/a.py::x", slow=True),
            Item("tests/a.py::y[postgresql]", "warehouse", "postgres_server"),
            Item("tests/chaos/test_books.py::x"),
        )
        == []
    )


def test_a_property_is_tried_with_few_examples() -> None:
    tried = []

    @settings(max_examples=200, database=None)
    @given(st.integers())
    def holds(number: int) -> None:
        tried.append(number)

    tiers.few_examples(holds)
    holds()
    assert 1 <= len(tried) <= tiers.EXAMPLES


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_met(package: str) -> None:
    """The first test of a module is chosen, unless the module is slow as a whole."""
    modules = [
        path.read_text(encoding="utf-8") for path in (ROOT / "tests" / package).glob("test_*.py")
    ]
    assert any("pytestmark = pytest.mark.slow" not in text for text in modules)
    assert not f"tests/{package}/".startswith(tiers.LEFT_OUT)
