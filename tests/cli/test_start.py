"""What a command imports: nothing that it has no use for,
because imports are most of what a run of nothing new takes.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion

pytestmark = pytest.mark.slow

TO_SEND = {
    "pandas",
    "phonenumbers",
    "iso4217",
    "certifi",
    "connector.mapping.serializer",
    "connector.delivery.factory",
}
"""What only a run with rows to send needs."""

NEVER = {"dagster", "alembic", "rich.progress", "connector.delivery.deferred", "connector.sandbox"}

HEAVY = {"numpy", "pyarrow", "pydantic", "sqlalchemy", "duckdb", "connector.config.destination"}


def imports(project: Project, *arguments: str) -> set[str]:
    """Modules that a command imports."""
    done = project.capi_anew(*arguments, check=True, PYTHONPROFILEIMPORTTIME="1")
    return set(re.findall(r"^import time: .*\| +(\S+)$", done.err, re.MULTILINE))


def test_help_imports_nothing_heavy(project: Project) -> None:
    found = imports(project, "--help")
    assert "connector.cli.app" in found
    assert not (HEAVY | TO_SEND | NEVER) & found


@pytest.mark.parametrize(("transport", "other"), [("requests", "pycurl"), ("libcurl", "requests")])
def test_what_sends_is_imported_by_runs_that_send(
    project: Project, duck: DuckDb, duck_destination: Make, transport: str, other: str
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    duck_destination(delivery={"transport": transport})
    http = {"requests": "requests", "libcurl": "pycurl"}[transport]
    sending = imports(project, "sync", "acme", "--json")
    assert sending >= TO_SEND | {http}
    assert other not in sending
    nothing_new = imports(project, "sync", "acme", "--json")
    assert "connector.engine.run" in nothing_new
    assert not (TO_SEND | NEVER | {http, other, "urllib3", "tenacity", "ua_parser"}) & nothing_new


def test_a_read_without_rows_does_not_import_pandas() -> None:
    """It is the last one where rows fill their pages exactly;
    pyarrow imports pandas to join no chunks at all.
    """
    empty = "pa.table({'_cursor': pa.chunked_array([], pa.timestamp('us'))})"
    code = (
        "import sys, pyarrow as pa; from connector.source.dialects.duckdb import is_in_order; "
        f"assert is_in_order({empty}); assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
