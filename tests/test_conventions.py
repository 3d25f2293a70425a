"""What all code here keeps to: late imports give a reason, packages list their modules."""

from __future__ import annotations

import ast
import importlib
import itertools
import pkgutil
import re
import tokenize
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.projects import REPOSITORY

MODULES = sorted(
    path
    for folder in ("connector", "dagster_project", "scripts", "benchmarks")
    for path in (REPOSITORY / folder).rglob("*.py")
)
LATE = re.compile(r"\b(late|inside of)\b", re.I)
"""A reason says that an import is late; a module with many may say it once, at its head."""


def is_import(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def late_imports(tree: ast.Module) -> Iterator[range]:
    """The lines of each run of imports inside a function."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for node in {id(inner): inner for each in functions for inner in ast.walk(each)}.values():
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if not isinstance(statements, list):
                continue
            for late, run in itertools.groupby(statements, is_import):
                imports = list(run)
                if late:
                    yield range(imports[0].lineno, imports[-1].end_lineno + 1)


def unexplained(source: str) -> list[int]:
    """The lines of imports inside functions for which nothing says why."""
    lines = iter(source.splitlines(keepends=True))
    comments = {
        token.start[0]: token
        for token in tokenize.generate_tokens(lambda: next(lines, ""))
        if token.type == tokenize.COMMENT
    }
    tree = ast.parse(source)
    at_head = [token.string for token in comments.values() if token.start[1] == 0]
    if any(
        "imported" in text and LATE.search(text)
        for text in [*at_head, ast.get_docstring(tree) or ""]
    ):
        return []
    return [
        block.start
        for block in late_imports(tree)
        if not any(
            number in comments and LATE.search(comments[number].string)
            for number in range(block.start - 2, block.stop)
        )
    ]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f():\n    import json\n", [2]),
        ("def f():\n    import json  # nosec\n", [2]),
        ("def f():\n    import json  # late, for start-up speed\n", []),
        ("def f():\n    # Late: it is slow.\n    import json\n    import orjson\n", []),
        ("def f():\n    if 1:\n        pass\n    else:\n        import json\n", [5]),
        ("def f():\n    import a  # late: it is slow\n    f()\n\n    import b\n", [5]),
        ("# Modules are imported inside of functions: speed.\ndef f():\n    import json\n", []),
        ("import json\n", []),
    ],
)
def test_the_search_for_late_imports(source: str, lines: list[int]) -> None:
    assert unexplained(source) == lines


def test_every_import_inside_a_function_says_why() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}"
        for path in MODULES
        for line in unexplained(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def described_inline(source: str) -> list[int]:
    """The lines of functions and classes whose docstring describes an argument in running text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            names = [ast.unparse(each.target) for each in fields]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        else:
            continue
        text = ast.get_docstring(node) or ""
        if re.search(r"^(Args|Attributes):$", text, re.M):
            continue
        if any(re.search(rf"(^|[.;] ){re.escape(name)}: ", text, re.M) for name in names):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    ("docstring", "lines"),
    [
        ("Wait. seconds: how long.", [1]),
        ("Wait.\n\n    seconds: how long.\n    ", [1]),
        ("Wait some seconds: they pass.", []),
        ("Wait.\n\n    Args:\n        seconds: How long.\n    ", []),
    ],
)
def test_the_search_for_arguments_in_running_text(docstring: str, lines: list[int]) -> None:
    assert described_inline(f'def wait(seconds):\n    """{docstring}"""\n') == lines


def test_docstrings_describe_arguments_under_args() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}"
        for path in MODULES
        if path.relative_to(REPOSITORY).parts[0] != "benchmarks"
        for line in described_inline(path.read_text(encoding="utf-8"))
    ]
    assert found == []


PACKAGES = [
    each.name
    for root in ("connector",)
    for each in pkgutil.walk_packages([str(REPOSITORY / root)], f"{root}.")
    if each.ispkg
]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_lists_modules_lists_all_of_them(name: str) -> None:
    package = importlib.import_module(name)
    modules = {
        each.name
        for each in pkgutil.iter_modules(package.__path__)
        if not each.name.startswith("_")
    }
    listed = set(getattr(package, "__all__", ()))
    assert not listed & modules or modules <= listed


DECISION = REPOSITORY / "docs" / "decisions" / "0011-packages-are-stages.md"


def test_the_decision_on_packages_names_modules_that_exist() -> None:
    """`PACKAGE/` begins what is said of a package; the names in backticks after it are its own."""
    missing = []
    package = ""
    for name in re.findall(r"`([\w/.]+)`", DECISION.read_text(encoding="utf-8")):
        if name.endswith("/"):
            package = name
        elif (REPOSITORY / "connector" / name).exists() or (REPOSITORY / name).exists():
            continue
        elif not (REPOSITORY / "connector" / package / f"{name.removesuffix('.py')}.py").exists():
            missing.append(name)
    assert missing == []


def test_no_property_has_a_deadline() -> None:
    """On a busy machine an example may take any time; work is counted, seconds never."""
    assert settings().deadline is None
