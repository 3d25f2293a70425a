"""The documentation says what the code does:
generated parts are fresh, and every link leads somewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import duckdb
import pytest
import typer
import yaml

import connector
from connector import errors
from connector.cli.app import app
from connector.mapping import reasons
from scripts.docs import ROOT, generated
from tests.support.projects import Project

OFFLINE = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "http_proxy": "http://127.0.0.1:9"}

PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
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
        target
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?(?: \"[^\"]*\")?\)", text)
        if "://" not in target
    ]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize(
    ("page", "at_least"),
    [("docs/promise.md", 30), ("docs/promises-tests.md", 80), ("docs/security.md", 30)],
    ids=lambda each: str(each),
)
def test_every_promise_names_a_test_that_exists(page: str, at_least: int) -> None:
    """Pages link tests by file and name: `[words](tests/file.py "test_name")`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]*tests/[^)\s]+)(?: \"([^\"]+)\")?\)", text)
    named = [(path, name) for path, name in links if path.endswith(".py")]
    assert len(named) >= at_least
    for path, name in named:
        assert name, path
        file = ((ROOT / page).parent / path).read_text(encoding="utf-8")
        assert f"def {name}(" in file, (path, name)


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """A section of the architecture page."""
    return ARCHITECTURE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_each_question_of_the_architecture_names_a_file_that_decides_it() -> None:
    """The file defines the name: it does not merely mention it."""
    rows = re.findall(
        r"^\| .+ \| \[`([^`]+)`\]\(\.\./([^)]+)\) \| `([^`]+)` \|$",
        section("Where is X decided?"),
        re.M,
    )
    assert len(rows) >= 12
    assert len(rows) == section("Where is X decided?").count("\n| ") - 1, "a row was not read"
    for shown, path, name in rows:
        assert shown == path
        defined = rf"^((async )?def |class ){name}\b|^{name} ?[:=]|^{name}$"
        assert re.search(defined, (ROOT / path).read_text(encoding="utf-8"), re.M), (path, name)


def test_the_architecture_speaks_of_every_package_and_in_the_order_of_its_imports() -> None:
    packages = {path.parent.name for path in (ROOT / "connector").glob("*/__init__.py")}
    assert {name for name in packages if f"`{name}/`" not in section("The packages")} == set()
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    [layers] = [
        each["layers"] for each in contracts["importlinter"]["contracts"] if "layers" in each
    ]
    order = [
        [name.strip().removeprefix("connector.") for name in layer.split("|")]
        for layer in reversed(layers)
    ]
    [shown] = re.findall(r"^    (errors < .+)$", ARCHITECTURE, re.M)
    assert [sorted(re.findall(r"\w+", each)) for each in shown.split("<")] == [
        sorted(names) for names in order
    ]


def test_a_run_is_read_in_eight_files() -> None:
    assert len(re.findall(r"^\d\. \[`[^`]+\.py`\]", section("A run, in eight files"), re.M)) == 8


@pytest.mark.slow
def test_the_site_is_built_of_all_pages_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    """`mkdocs build --strict` ends with an error where a link or a page leads nowhere."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(
        build, cwd=ROOT, capture_output=True, text=True, timeout=300, env=OFFLINE, check=False
    )
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) >= len(list((ROOT / "docs").rglob("*.md")))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert (
            re.findall(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=.?(?:https?:)?//", text) == []
        )
    assert "<code>capi report NAME [--by day|reason|event_name]" in (
        tmp_path / "operating.html"
    ).read_text(encoding="utf-8")
    python = (tmp_path / "python.html").read_text(encoding="utf-8")
    assert [name for name in connector.__all__ if f'.{name}"' not in python] == ["__version__"]


OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, errors.ConnectorError)
    ],
)
def test_every_error_has_an_entry_that_says_what_to_do(name: str) -> None:
    if name == "ConnectorError":
        return
    code = getattr(errors, name).exit_code
    assert re.search(rf"^\| `{name}` \| {code} \| .+ \| .+ \|$", OPERATING, re.M)


@pytest.mark.parametrize(
    "reason", [*reasons._TEXTS, "platform_rejected", "missing_COLUMN", "bad_COLUMN", "bad_contents"]
)
def test_every_reason_has_an_entry_that_says_what_to_do(reason: str) -> None:
    assert re.search(rf"^\| `{reason}` \| .+ \|$", OPERATING, re.M)


COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = {
    name: {option for parameter in command.params for option in parameter.opts}
    for name, command in COMMANDS.items()
}


def shown(page: Path) -> list[str]:
    """Lines of code and words set as code."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"`([^`\n]+)`", text) + re.findall(r"^(?: {4,}|\$ )(.+)$", text, re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_are_shown_exist_with_their_options(page: Path) -> None:
    for line in shown(page):
        found = re.match(r"(?:\S*bin/)?capi (?:--project \S+ )?([a-z][a-z-]*)(.*)", line)
        if found:
            verb, rest = found[1], found[2].partition("#")[0]
            assert verb in OPTIONS, line
            assert set(re.findall(r"(?<!\S)\[?(--[a-z-]+)", rest)) <= OPTIONS[verb] | {"--help"}, (
                line
            )


def test_every_command_is_in_the_table_of_commands() -> None:
    named = re.findall(r"^\| `capi ([a-z-]+(?:\\\|[a-z-]+)*)", OPERATING, re.M)
    assert set(COMMANDS) - {verb for each in named for verb in each.split("\\|")} == set()


def test_every_variable_of_the_environment_is_in_the_table() -> None:
    read = {
        name
        for package in ("connector", "dagster_project")
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r"\"(CAPI_[A-Z_]+)\"", path.read_text(encoding="utf-8"))
    }
    table = OPERATING.partition("\n## Environment\n")[2]
    named = set(re.findall(r"^\| `(CAPI_[A-Z_]+)` \|", table, re.M))
    assert read - named == {"CAPI_FAILPOINT"}, "which is for tests"
    assert named - read == set()


def example(page: str, first_line: str) -> str:
    """A block of code that begins with a line."""
    text = (ROOT / page).read_text(encoding="utf-8")
    [block] = re.findall(rf"^ +{re.escape(first_line)}\n(?: {{4,}}.*\n)+", text, re.M)
    return textwrap.dedent(block)


COMPONENT = "type: dagster_project.components.CapiDestination"


def test_the_example_delivers(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, destination = (example("README.md", each) for each in ("-- sql/orders.sql", COMPONENT))
    assert query == example("docs/start.md", "-- sql/orders.sql")
    assert destination == example("docs/start.md", COMPONENT)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute("create schema shop")
        warehouse.execute(
            "create table shop.orders as select 'o1' as order_id, now() - interval 1 hour as"
            " updated_at, now() - interval 2 hour as ordered_at, 'a@shop.example.org' as"
            " customer_email, 9.5 as total, 'EUR' as currency"
        )
    monkeypatch.setenv("WAREHOUSE_URL", f"duckdb:///{tmp_path / 'w.duckdb'}")
    monkeypatch.setenv("ACME_DSP_TOKEN", "token")
    project.query(query, "orders")
    project.write_text(destination)
    assert connector.check(project.load()).errors == []
    assert connector.sync(project.load(), options=connector.Options(dry_run=True)).unsent == 1


def test_every_key_that_is_shown_with_its_default_is_accepted(project: Project) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    block = text.partition("## Keys with their defaults\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    (\w+: .+)$", block, re.M)
    assert len(lines) >= 10
    for line in lines:
        [(key, value)] = yaml.safe_load(line).items()
        changes = (
            {f"{key}__{name}": each for name, each in value.items()}
            if key == "source"
            else {key: value}
        )
        project.write("env:WAREHOUSE_URL", "https://px.dsp.example/x", **changes)
        project.load()
