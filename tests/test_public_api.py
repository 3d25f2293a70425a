"""`import connector`: what it offers,
how it is typed in the built wheel, and what it does not do to its host.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import connector
from connector.cli.app import app
from tests.support.projects import REPOSITORY
from tests.support.wheels import build_wheel, environment_with

pytestmark = pytest.mark.slow

PACKAGE = REPOSITORY / "connector"

SCRIPT = """
import datetime as dt
from pathlib import Path

import pandas as pd

import connector

acme: connector.Destination = connector.load(Path("defs/acme/defs.yaml"))
findings = connector.check(acme)
for problem in findings.errors:
    print(problem.file, problem.line, problem.message)
for item in connector.preview(acme, [{"email": "x"}], as_of=dt.datetime.now(dt.UTC)):
    if isinstance(item, connector.PreviewedRequest):
        print(item.url, item.rows)
    else:
        print(item.reason, item.field)

try:
    report = connector.sync("defs/acme/defs.yaml", options=connector.Options(dry_run=True))
except connector.SystemicError as error:
    raise SystemExit(error.exit_code) from error
rate: float = report.rejection_rate
lag: float | None = connector.status(acme).lag_seconds
reasons: list[str] = [row.reason for row in connector.rejected(acme, reason="no_identity")]
again: connector.Report = connector.replay(acme, key=("c1",))
missing: int = connector.reconcile(acme, send=True).missing
records: list[object] = list(connector.encode(pd.DataFrame({"email": ["x"]}), acme))
sent: int = connector.send(pd.DataFrame({"email": ["x"]}), acme).delivered
mark: str | None = connector.resolve(acme, restart="now").mark
known: bool = connector.erase(acme, key=("c1",)).known
lags: list[float | None] = [each.status.lag_seconds for each in connector.overview() if each.status]
differences: list[int] = [line.difference for line in connector.report(acme, by="event_name")]
events: list[str] = [event.what for event in connector.show(acme, key=("c1",)).events]
old: list[str] = [row.reason for row in connector.expired(acme) + connector.suppressed(acme)]
names: list[str] = [each.name for each in connector.list_destinations()]
limits: list[int] = [each.max_events for each in connector.platform_facts("meta")]

planned = connector.plan(acme)
failure = planned.failure
for each in planned.plan.slices:
    failure = failure or connector.deliver(acme, planned.plan, each)
print(connector.settle(acme, planned.plan, failure).to_json(), connector.__version__)
"""

MISUSED = """
import connector

connector.sync("defs.yaml", connector.Options())
connector.erase("defs.yaml", key="c1")
connector.status(5)
count: str = connector.reconcile("defs.yaml").missing
connector.launch("defs.yaml")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, as an environment has it: a folder with its packages."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel."""
    return environment_with(wheel, tmp_path_factory.mktemp("environment"))


def type_check(environment: Path, folder: Path, *scripts: str) -> dict[str, list[str]]:
    """What mypy --strict says of scripts, by file."""
    names = [f"script_{number}.py" for number in range(len(scripts))]
    for name, text in zip(names, scripts, strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", ""]
    command += ["--python-executable", str(environment), "--cache-dir", str(folder / "cache")]
    done = subprocess.run(
        [*command, *names], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert "error: " in done.stdout or done.returncode == 0, done.stdout + done.stderr
    found: dict[str, list[str]] = {name: [] for name in names}
    for line in done.stdout.splitlines():
        file, _, message = line.partition(":")
        if ": error: " in line:
            found[file].append(message.partition(":")[0])
    return found


def test_a_users_script_is_typed_by_the_wheel(environment: Path, tmp_path: Path) -> None:
    """The wheel carries its types: what is used rightly passes, each misuse is found."""
    found = type_check(environment, tmp_path, SCRIPT, MISUSED)
    assert found == {"script_0.py": [], "script_1.py": ["4", "5", "6", "7", "8"]}


def test_the_wheel_holds_what_runs_need_and_nothing_else(wheel: Path) -> None:
    here = {
        str(path.relative_to(REPOSITORY))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    there = {
        str(path.relative_to(wheel)) for path in (wheel / "connector").rglob("*") if path.is_file()
    }
    assert there == here
    assert {"connector/py.typed", "connector/__init__.pyi", "connector/platforms/capi.yaml"} < there
    assert {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")} == {
        "connector",
        "dagster_project",
    }
    theirs = {path.name for path in (wheel / "dagster_project").iterdir()}
    assert theirs.isdisjoint({"defs", "definitions.py", "demo.py", "dev.py"}), "the demo stays here"
    assert {"components", "model.py", "resources.py"} < theirs


def test_all_names_are_there_and_the_stub_lists_them() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    imported = [
        alias.asname
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    [listed] = [
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert sorted([*imported, "__version__"]) == sorted(listed) == sorted(connector.__all__)
    assert all(getattr(connector, name) is not None for name in connector.__all__)
    assert set(listed) <= set(dir(connector))


def test_every_verb_of_the_command_line_is_a_function_of_the_same_name() -> None:
    verbs = {str(command.name).replace("-", "_") for command in app.registered_commands}
    assert {name for name in verbs if name not in connector.__all__} == {
        *("platforms", "list", "schema", "sandbox")
    }, "connector.platforms is a package, and list a builtin: platform_facts, list_destinations"


def test_functions_have_one_shape() -> None:
    """A destination or a path comes first; what is optional is given by keyword."""
    kinds = inspect.Parameter
    for name in connector.__all__:
        function = getattr(connector, name)
        if not inspect.isfunction(function) or name in (
            *("load", "set_hooks", "encode", "send", "init"),
            *("platform_facts", "list_destinations", "overview", "dashboard", "data_map"),
        ):
            continue
        first, *others = inspect.signature(function).parameters.values()
        # `rekey` alone is of all destinations that share a state.
        assert first.annotation == ("Sequence[Target]" if name == "rekey" else "Target"), name
        data = {"rows", "planned", "each", "failure"}
        assert [
            each.name
            for each in others
            if each.kind is not kinds.KEYWORD_ONLY and each.name not in data
        ] == [], name
        assert inspect.getdoc(function), name
        named = {each.name for each in others}
        assert "state" in named or name in ("check", "preview", "lint_identifiers"), name


def test_results_are_dataclasses_that_become_json() -> None:
    """What a verb returns, alone, as an item or in a list; but for a word and an HTML page."""
    for name in connector.__all__:
        function = getattr(connector, name)
        if not inspect.isfunction(function) or name in (
            *("load", "set_hooks"),
            *("recorded", "dashboard"),
        ):
            continue
        module = inspect.getmodule(function)
        kinds = [
            found
            for word in re.findall(r"\w+", str(inspect.signature(function).return_annotation))
            if inspect.isclass(found := getattr(module, word, None))
        ]
        if name == "preview":
            kinds = [connector.PreviewedRequest, connector.PreviewedRejection]
        results = [kind for kind in kinds if kind.__module__.startswith("connector.")]
        assert results, name
        for kind in results:
            assert dataclasses.is_dataclass(kind), (name, kind)
            assert callable(getattr(kind, "to_json", None)), (name, kind)


def test_every_error_is_offered() -> None:
    errors = importlib.import_module("connector.errors")
    named = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    ours = {name for name in named if getattr(errors, name).__module__ == "connector.errors"}
    assert ours <= set(connector.__all__)


PACKAGES = [
    each.name for each in pkgutil.iter_modules(connector.__path__, "connector.") if each.ispkg
]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_lists_its_public_names_and_says_what_it_may_import(name: str) -> None:
    package = importlib.import_module(name)
    doc, listed = str(package.__doc__), list(package.__all__)
    assert listed == sorted(listed)
    modules = {
        each.name
        for each in pkgutil.iter_modules(package.__path__)
        if not each.name.startswith("_")
    }
    missing = [each for each in listed if not hasattr(package, each) and each not in modules]
    assert missing == []
    assert re.search(r"\bimports?\b", doc), "its doc says what it may import"


def test_the_library_has_at_most_fifteen_entries() -> None:
    entries = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert len(entries - {"__init__.py", "__init__.pyi", "py.typed"}) <= 15


def test_the_library_does_not_know_the_word_dagster() -> None:
    """It runs under any host; the one that we bring stands beside it."""
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in (".py", ".pyi", ".yaml", ".html")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "dagster" in line.lower()
    ]
    assert found == []


def test_importing_the_library_imports_nothing_that_is_heavy() -> None:
    heavy = ["pandas", "numpy", "pyarrow", "pydantic", "sqlalchemy", "requests", "typer", "rich"]
    code = f"import sys, connector; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
