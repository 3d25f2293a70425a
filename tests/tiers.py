"""The quick tier, `pytest --quick`, by rule: `make check` runs it in less than a minute.

Of every test function the first case, and of a property ten examples. Tests that need a database, a
receiver or a folder are represented by the first one of their module, so that each part of the
connector is met. Left to `make test`: PostgreSQL, browsers, kills, benchmarks, and what is marked
`slow`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

COSTLY = {"duck", "postgres_server", "project", "receiver", "tmp_path", "warehouse"}
"""Fixtures whose tests are represented by one of their module."""

NEVER = {"chaos_receiver", "launcher", "playwright", "postgres_server"}
"""Fixtures that take seconds to start."""

EXAMPLES = 10

LEFT_OUT = ("tests/benchmarks/", "tests/browser/", "tests/chaos/")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--quick` chooses the tier."""
    parser.addoption("--quick", action="store_true", help="the tier of `make check`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the quick tier alone, if it was asked for."""
    if not config.getoption("--quick"):
        return
    modules: set[str] = set()
    functions: set[str] = set()
    kept, left = [], []
    for item in items:
        module, function = item.nodeid.split("::")[0], item.nodeid.split("[")[0]
        fixtures = set(getattr(item, "fixturenames", ()))
        if (
            function in functions
            or item.get_closest_marker("slow")
            or module.startswith(LEFT_OUT)
            or fixtures & NEVER
            or (fixtures & COSTLY and module in modules)
        ):
            left.append(item)
            continue
        modules.add(module)
        functions.add(function)
        few_examples(getattr(item, "obj", None))
        kept.append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


def few_examples(function: Any) -> None:
    """Have a property tried with few examples, whatever its settings say.

    Hypothesis has no public way to do so; the attribute is the one that `settings` sets.
    """
    given = getattr(function, "_hypothesis_internal_use_settings", None)
    if given is not None:
        function._hypothesis_internal_use_settings = settings(
            given, max_examples=min(EXAMPLES, given.max_examples)
        )
