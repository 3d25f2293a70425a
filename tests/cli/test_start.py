"""What a command imports: nothing that it has no use for,
because imports are most of what a run of nothing new takes.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion

pytestmark = pytest.mark.slow

TO_SEND = {
    "phonenumbers",
    "iso4217",
    "certifi",
    "connector.mapping.serializer",
    "connector.delivery.factory",
}
"""What only a run with rows to send needs."""

NEVER = {"dagster", "alembic", "rich.progress", "connector.delivery.deferred", "connector.sandbox"}

ONLY_ASKED_FOR = {"pandas.core", "opentelemetry"}
"""For a transform, and for a meter provider. pyarrow tries to import pandas, and cannot."""

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
    assert not ONLY_ASKED_FOR & sending
    nothing_new = imports(project, "sync", "acme", "--json")
    assert "connector.engine.run" in nothing_new
    unused = {http, other, "urllib3", "tenacity", "ua_parser"}
    assert not (TO_SEND | NEVER | ONLY_ASKED_FOR | unused) & nothing_new


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


COLUMNS = """
import pandas as pd
import pyarrow as pa

PRICES = pa.array(pd.Series([1.5, None]))


def add(frame):
    frame["value"] = PRICES[0].as_py()
    frame["order_id"] = f"{PRICES.null_count}"
    return frame
"""


def test_a_transform_has_pandas_as_it_always_is(
    project: Project, duck: DuckDb, duck_destination: Make, receiver: Receiver
) -> None:
    """pyarrow knows values of pandas again, also those of the module itself."""
    duck.insert(conversion(1))
    (project.root / "prices.py").write_text(COLUMNS, encoding="utf-8")
    duck_destination(transform="prices:add")
    done = project.capi_anew("sync", "acme", "--json", check=True)
    assert done.json()["delivered"] == 1
    sent = receiver.inbox.latest[0]["event"]
    assert (sent["value"], sent["order_id"]) == (1.5, "1")


def test_versions_of_rows_with_nanoseconds(
    project: Project, duck: DuckDb, duck_destination: Make
) -> None:
    """Python's own times have none; pandas is imported for them."""
    duck.insert(conversion(1))
    moment = "'2026-05-31 10:00:00.123456789'::timestamp_ns"
    project.query(f"select * replace ({moment} as order_id) from conversions")
    duck_destination(send="on_change", on_change="new_version")
    done = project.capi_anew("sync", "acme", "--json", check=True)
    assert done.json()["delivered"] == 1
