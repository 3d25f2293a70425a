"""`capi check`: everything that can be known to be wrong before a run, in one go."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import trustme

from connector.commands.check import Findings, check
from connector.commands.sync import sync
from connector.errors import Problem
from tests.conftest import Make
from tests.support.projects import REPOSITORY, Project
from tests.support.warehouses import DuckDb, TestWarehouse, ago, conversion

ENDPOINT = "https://px.dsp.example/signal/v1/conversion"
SECRET = "s3cr3t-7f2a"
INSTALL = "pip install"


def look(project: Project, warehouse: str, **changes: Any) -> Findings:
    """Check a destination."""
    project.write(warehouse, ENDPOINT, **changes)
    return check(project.path(), root=project.root)


def errors(found: Findings) -> str:
    """All errors as one text."""
    return "\n".join(str(problem) for problem in found.errors)


def test_a_good_destination_is_ok_on_every_database(
    project: Project, warehouse: TestWarehouse
) -> None:
    warehouse.insert(*(conversion(number) for number in range(3)))
    found = look(project, warehouse.url.replace("postgres:@", "postgres@"))
    assert (found.errors, found.warnings) == ([], [])
    assert {"event_name", "event_time", "email", "value"} <= set(found.columns)
    assert "conversion_id" not in found.columns, "a key is no canonical column"


def test_an_empty_table_is_ok(project: Project, warehouse: TestWarehouse) -> None:
    assert look(project, warehouse.url.replace("postgres:@", "postgres@")).errors == []


def test_a_value_without_a_currency_is_warned_of(project: Project, duck: DuckDb) -> None:
    duck.insert(conversion(0))
    columns = "conversion_id, updated_at, event_name, event_time, email"
    project.query(f"select {columns}, value from conversions")
    (warning,) = look(project, duck.url).warnings
    assert "values count as USD" in warning
    assert "source.default_currency" in warning
    for settled in ({"source__default_currency": "EUR"}, {"constants": {"currency": "EUR"}}):
        assert look(project, duck.url, **settled).warnings == []
    microsoft = {"platform": "microsoft", "account": {"tag_id": "97031234"}}
    assert "sent without one" in "".join(look(project, duck.url, **microsoft).warnings)
    project.query(f"select {columns} from conversions")
    assert look(project, duck.url).warnings == []


def test_a_default_currency_is_one_of_iso_4217(project: Project, duck: DuckDb) -> None:
    found = look(project, duck.url, source__default_currency="EUX")
    assert "'EUX' is not a currency of ISO 4217" in errors(found)
    assert {problem.line for problem in found.errors} != {0}


def test_unrelated_problems_are_told_together(
    project: Project, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPI_STATE_URL", "mysql://nowhere/state")
    project.query("select conversion_id, updated_at, email as customer from conversions")
    found = look(
        project,
        duck.url,
        auth={"bearer": "env:NOT_THERE"},
        delivery={"ca_file": "nothing.pem"},
        source__lag="0s",
    )
    told = errors(found)
    assert len(found.errors) == 5
    assert "auth.bearer: the environment variable NOT_THERE is not set" in told
    assert "delivery.ca_file" in told
    assert "CAPI_STATE_URL must be SQLite or PostgreSQL" in told
    assert "the query has no column event_name, which Base Conversions API requires" in told
    assert "no column that identifies a person; alias at least one to: email, email_2" in told
    assert len(found.warnings) == 1


def test_a_problem_of_the_query_is_told_with_the_file_of_the_query(
    project: Project, duck: DuckDb
) -> None:
    project.query("select conversion_id, updated_at, event_name from conversions")
    (problem,) = look(project, duck.url).errors
    assert problem.file == str(project.root / "sql" / "conversions.sql")


@pytest.mark.parametrize(
    ("query", "changes", "missing"),
    [
        (
            "select event_name, email from conversions",
            {},
            [("source.cursor", "updated_at", "cursor:"), ("source.key", "conversion_id", "key:")],
        ),
        (
            "select * from conversions",
            {"source__key": ["order_id", "nokey"], "source__cursor": "updatd_at"},
            [("source.cursor", "updatd_at", "cursor:"), ("source.key.1", "nokey", "nokey")],
        ),
        (
            "select * from conversions",
            {"columns": {"email": "mail"}, "extra": {"custom.term": "term"}},
            [("columns.email", "mail", "email:"), ("extra.custom.term", "term", "custom.term:")],
        ),
    ],
)
def test_columns_that_the_yaml_names_and_the_query_lacks_are_told_with_the_line_that_names_them(
    project: Project,
    duck: DuckDb,
    query: str,
    changes: dict[str, Any],
    missing: list[tuple[str, str, str]],
) -> None:
    project.query(query)
    found = look(project, duck.url, **changes).errors
    for (keys, name, text), problem in zip(missing, found, strict=True):
        assert problem.message.startswith(
            f"{keys}: the query sql/conversions.sql has no column {name}; it has "
        ), problem
        assert line_of(project, problem).startswith(text)
        assert problem.message.endswith("; did you mean 'updated_at'?") == (name == "updatd_at")


def line_of(project: Project, problem: Problem) -> str:
    """What stands in the YAML at a problem."""
    assert problem.file == str(project.path())
    return project.path().read_text().splitlines()[problem.line - 1][problem.column - 1 :]


@pytest.mark.parametrize(
    ("changes", "query", "text"),
    [
        ({"auth": {"bearer": "env:NOT_THERE"}}, None, "bearer:"),
        ({"auth": {"bearer": "file:not-there"}}, None, "bearer:"),
        ({"alerts": {"webhook": "env:NOT_THERE"}}, None, "webhook:"),
        ({"source__query": "sql/nothing.sql"}, None, "query:"),
        ({"source__warehouse": "duckdb:///nothing.duckdb"}, None, "warehouse:"),
        ({"source__warehouse": "env:NOT_THERE"}, None, "warehouse:"),
        ({"source__warehouse": "postgresql://nobody@127.0.0.1:1/shop"}, None, "warehouse:"),
        (
            {"source__cursor": "place", "source__time_zone": None},
            "select *, updated_at::timestamp as place from conversions",
            "cursor:",
        ),
        ({}, "select * from conversions; select 1", "query:"),
        ({}, "select nocolumn from conversions", "query:"),
        ({"source__cursor": "email"}, None, "cursor:"),
        ({"delivery": {"ca_file": "nothing.pem"}}, None, "ca_file:"),
        ({"identifiers": []}, None, "identifiers:"),
    ],
)
def test_every_problem_of_the_yaml_is_told_with_its_line(
    project: Project, duck: DuckDb, changes: dict[str, Any], query: str | None, text: str
) -> None:
    if query is not None:
        project.query(query)
    (problem,) = look(project, duck.url, **changes).errors
    assert line_of(project, problem).startswith(text), problem
    assert "acme: " not in problem.message


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            "updated_at::timestamp as event_time",
            "the column event_time comes without a zone; set source.time_zone",
        ),
        (
            "1.5::double as order_id",
            (
                "the column order_id comes as a floating-point number, which loses digits; cast "
                "it to text in the query"
            ),
        ),
    ],
)
def test_a_column_of_a_type_that_cannot_be_sent_is_told(
    project: Project, duck: DuckDb, column: str, message: str
) -> None:
    project.query(f"select conversion_id, updated_at, event_name, email, {column} from conversions")
    assert look(project, duck.url, source__time_zone=None).errors == [], (
        "there is nothing to tell by"
    )
    duck.insert(conversion(1))
    (problem,) = look(project, duck.url, source__time_zone=None).errors
    assert problem.message.startswith(message)
    assert line_of(project, problem).startswith("query:")


def test_keys_and_rows_are_told_with_their_line(project: Project, duck: DuckDb) -> None:
    duck.insert(
        conversion(1, conversion_id=None),
        conversion(2, updated_at=None),
        conversion(3),
        conversion(3),
    )
    assert [
        line_of(project, problem).partition(":")[0] for problem in look(project, duck.url).errors
    ] == ["key", "key", "cursor"]


@pytest.mark.parametrize(
    ("changes", "meant"), [({"platform": "metta"}, "meta"), ({"platform": "tik-tok"}, "tiktok")]
)
def test_a_platform_that_is_spelt_wrong(
    project: Project, duck: DuckDb, changes: dict[str, Any], meant: str
) -> None:
    (problem,) = look(project, duck.url, **changes).errors
    assert problem.message.endswith(f"; did you mean '{meant}'?")
    assert line_of(project, problem).startswith("platform:")


def test_a_missing_key_and_a_missing_event_name_are_told_together(
    project: Project, duck: DuckDb
) -> None:
    project.query("select updated_at, email from conversions")
    told = errors(look(project, duck.url))
    assert "no column conversion_id" in told
    assert "no column event_name" in told


def test_a_constant_stands_in_for_a_column(project: Project, duck: DuckDb) -> None:
    project.query("select conversion_id, updated_at, email from conversions")
    assert look(project, duck.url, constants={"event_name": "Lead"}).errors == []


def test_what_the_query_lacks_and_what_it_would_add_are_shown(
    project: Project, duck: DuckDb
) -> None:
    project.query("select conversion_id, updated_at, event_name, email from conversions")
    missing = look(project, duck.url).missing
    assert missing["phone"] == "match key HashedPhone, enough on its own"
    assert "email" not in missing
    assert not [name for name in missing if name.endswith("_sha256")]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "postgresql://nobody@127.0.0.1:1/shop",
            (
                "the warehouse refuses connections: nothing listens at this port "
                "(OperationalError); see that the server runs, and correct host and port in "
                "source.warehouse"
            ),
        ),
        ("duckdb:///nothing.duckdb", "there is no DuckDB file at the address in source.warehouse"),
        ("sqlite:///nothing.sqlite", "there is no SQLite file at the address in source.warehouse"),
        (
            "duckdb:///sql/conversions.sql",
            (
                "the warehouse is no file that can be read (IOException); see that "
                "source.warehouse names a database of this kind"
            ),
        ),
        (
            "sqlite:///sql/conversions.sql",
            "the warehouse is no file that can be read (DatabaseError, SQLITE_NOTADB)",
        ),
        (
            "oracle+nothing://nobody@host/shop",
            (
                "SQLAlchemy knows no oracle+nothing here; correct the address, or install the "
                "package that brings this dialect"
            ),
        ),
        (
            "mysql://nobody@host/shop",
            f"mysql needs MySQLdb, which is not installed; run: {INSTALL} mysqlclient",
        ),
        (
            "mysql+pymysql://nobody@host/shop",
            f"mysql+pymysql needs pymysql, which is not installed; run: {INSTALL} pymysql",
        ),
        ("env:NO_WAREHOUSE", "source.warehouse: the environment variable NO_WAREHOUSE is not set"),
    ],
)
def test_a_warehouse_that_cannot_be_read_is_told_by_kind(
    project: Project, url: str, message: str
) -> None:
    (problem,) = look(project, url).errors
    assert message in problem.message
    assert problem.file == str(project.path())


def test_a_duckdb_file_that_another_program_writes_to_is_told(
    project: Project, duck: DuckDb
) -> None:
    hold = f"import duckdb; held = duckdb.connect({str(duck.path)!r}); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        (problem,) = look(project, duck.url).errors
        other.communicate(b"\n", timeout=60)
    assert problem.message.startswith("another program holds the DuckDB file open for writing")
    assert look(project, duck.url).errors == []


@pytest.mark.parametrize("kind", ["snowflake", "bigquery", "databricks", "redshift"])
def test_a_database_that_is_an_extra_of_the_package_is_told_how_to_add_it(
    project: Project, kind: str
) -> None:
    (problem,) = look(project, f"{kind}://nobody@host/shop").errors
    assert problem.message.endswith(
        f"{kind} needs {kind}, which is not installed; run: {INSTALL} 'capi-connector[{kind}]'"
    )
    assert (
        kind
        in tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"][
            "optional-dependencies"
        ]
    )


@pytest.mark.parametrize(
    "held",
    [
        f"postgresql://u:{SECRET}@127.0.0.1:1/shop",
        f"postgresql://u:p@127.0.0.1:1/shop?password={SECRET}",
        f"{SECRET}",
    ],
)
def test_an_unreachable_warehouse_does_not_show_its_password(
    project: Project, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", held)
    (problem,) = look(project, "env:WAREHOUSE_URL").errors
    assert SECRET not in str(problem)


def test_a_password_with_an_at_sign_and_a_colon_is_not_shown(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", f"postgresql://u:p@ss:{SECRET}@db.example/shop")
    (problem,) = look(project, "env:WAREHOUSE_URL").errors
    assert SECRET not in str(problem)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_a_certificate_authority_that_is_none_is_named(
    project: Project, duck: DuckDb, content: bytes | None
) -> None:
    if content is not None:
        (project.root / "ca.pem").write_bytes(content)
    (problem,) = look(project, duck.url, delivery={"ca_file": "ca.pem"}).errors
    assert problem.message.startswith("delivery.ca_file: ")
    assert problem.message.endswith(
        "is not a readable PEM certificate; give the file of the authority that signed the "
        "endpoint's certificate"
    )


def test_a_good_certificate_authority_is_ok(project: Project, duck: DuckDb) -> None:
    trustme.CA().cert_pem.write_to_path(str(project.root / "ca.pem"))
    assert look(project, duck.url, delivery={"ca_file": "ca.pem"}).errors == []


def test_rows_that_share_a_key_are_named(project: Project, warehouse: TestWarehouse) -> None:
    warehouse.insert(conversion(1), conversion(1, updated_at=ago(hours=3)), conversion(2))
    (problem,) = look(project, warehouse.url.replace("postgres:@", "postgres@")).errors
    assert "several rows share a key (c000001)" in problem.message


def test_rows_that_share_an_address_as_their_key_are_counted_and_not_named(
    project: Project, duck: DuckDb
) -> None:
    duck.insert(conversion(1), conversion(2, email="person1@shop.example.org"))
    (problem,) = look(project, duck.url, source__key="email").errors
    assert "several rows share a key (personal ones)" in problem.message
    assert "example.org" not in str(problem)


def test_rows_that_share_a_phone_as_their_key_are_not_named_either(
    project: Project, duck: DuckDb
) -> None:
    duck.insert(conversion(1, phone="+14155552671"), conversion(2, phone="+14155552671"))
    (problem,) = look(project, duck.url, source__key="phone").errors
    assert "4155552671" not in str(problem)


def test_a_digest_made_by_another_rule_than_the_platform_asks_for_is_refused(
    project: Project, duck: DuckDb
) -> None:
    project.query(
        "select conversion_id, updated_at, event_name, email, sha256(phone) as "
        "phone_e164_sha256 from conversions"
    )
    (problem,) = look(project, duck.url).errors
    assert (
        "phone_e164_sha256 holds digests made by another rule than Base Conversions API "
        "asks for; give the plain value as phone"
    ) in problem.message


def test_a_digest_made_by_another_rule_is_refused_where_a_digest_of_the_right_one_is_there(
    project: Project, duck: DuckDb
) -> None:
    """The plain value is not: rows that have only the other digest would go without."""
    project.query(
        "select conversion_id, updated_at, event_name, sha256(phone) as phone_sha256, "
        "sha256(phone) as phone_e164_sha256 from conversions"
    )
    (problem,) = look(project, duck.url).errors
    assert "phone_e164_sha256 holds digests made by another rule" in problem.message


def test_a_digest_of_no_use_beside_its_plain_value_is_ok(project: Project, duck: DuckDb) -> None:
    project.query(
        "select *, sha256(phone) as phone_e164_sha256, sha256(email) as first_name_sha256 "
        "from conversions"
    )
    assert look(project, duck.url).errors == []


@pytest.mark.parametrize("name", ["email_sha256", "phone_sha256"])
def test_a_digest_that_the_platform_takes_is_ok(project: Project, duck: DuckDb, name: str) -> None:
    project.query(
        f"select conversion_id, updated_at, event_name, sha256(email) as {name} from conversions"
    )
    assert look(project, duck.url).errors == []


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        (
            {"source__lag": "0s"},
            (
                "source.lag is 0s: a row whose transaction commits after a younger row was read "
                "is found only by lookback or `capi reconcile`"
            ),
        ),
        (
            {"source__lookback": "0s"},
            (
                "source.lookback is 0s: rows that commit later than source.lag are found only "
                "by `capi reconcile`"
            ),
        ),
        (
            {"identifiers": ["Email", "HashedEmail"]},
            "identifiers Email leave this process readable, because the YAML lists them",
        ),
        (
            {"extra": {"order_id": "guid"}},
            "extra: guid is sent as it is at order_id; make sure that it describes no person",
        ),
    ],
)
def test_a_choice_that_risks_something_is_allowed_with_a_warning(
    project: Project, duck: DuckDb, changes: dict[str, Any], warning: str
) -> None:
    found = look(project, duck.url, **changes)
    assert (found.errors, found.warnings) == ([], [warning])


def test_rows_that_will_not_be_read_are_counted(project: Project, duck: DuckDb) -> None:
    duck.insert(
        conversion(1, updated_at=None), conversion(2, updated_at=ago(days=-9)), conversion(3)
    )
    found = look(project, duck.url, source__null_cursor="count")
    assert found.warnings == [
        "rows without updated_at, which will never be read: 1",
        "rows dated in the future, which wait until then: 1",
    ]


def test_rows_without_a_key_are_an_error(project: Project, duck: DuckDb) -> None:
    duck.insert(conversion(1, conversion_id=None), conversion(2))
    assert "1 row has no conversion_id" in errors(look(project, duck.url))


def test_rows_without_a_cursor_are_an_error_where_they_stop_the_run(
    project: Project, duck: DuckDb
) -> None:
    duck.insert(conversion(1, updated_at=None), conversion(2))
    assert "1 row has no updated_at" in errors(look(project, duck.url, source__null_cursor="fail"))


def test_rows_without_key_and_cursor_and_keys_that_repeat_are_told_together(
    project: Project, warehouse: TestWarehouse
) -> None:
    warehouse.insert(
        conversion(1, conversion_id=None),
        conversion(2, updated_at=None),
        conversion(3),
        conversion(3),
    )
    told = errors(look(project, warehouse.url.replace("postgres:@", "postgres@")))
    for message in (
        "1 row has no conversion_id",
        "1 row has no updated_at",
        "several rows share a key (c000003)",
    ):
        assert message in told


def test_a_function_that_there_is_not_is_told_with_its_line(project: Project, duck: DuckDb) -> None:
    (problem,) = look(project, duck.url, extra={"custom.term": "guid | uper"}).errors
    assert problem.line > 0
    assert problem.message.startswith(
        "extra.custom.term: there is no function 'uper'; did you mean"
    )


def test_an_extra_column_that_is_no_name_is_told(project: Project, duck: DuckDb) -> None:
    project.query('select *, 1 as "a b" from conversions')
    assert "extra" in errors(look(project, duck.url, extra={"custom.term": "a b"}))


def test_a_destination_that_sends_no_identifier_is_told_so(project: Project, duck: DuckDb) -> None:
    told = errors(look(project, duck.url, identifiers=[]))
    assert "identifiers" in told


def test_a_state_that_is_no_database_is_told(project: Project, duck: DuckDb) -> None:
    folder = project.root / ".capi"
    folder.mkdir()
    (folder / "state.db").write_bytes(b"no database at all, but long enough to look at" * 30)
    (problem,) = look(project, duck.url).errors
    assert problem.message.startswith("the state database failed (DatabaseError, SQLITE_NOTADB)")


def test_check_makes_no_state_where_there_is_none(project: Project, duck: DuckDb) -> None:
    assert look(project, duck.url).errors == []
    assert not (project.root / ".capi").exists()


def test_check_leaves_the_state_as_it_is(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    sync(duck_destination())
    before = dump(project.root / ".capi" / "state.db")
    assert check(project.path(), root=project.root).errors == []
    assert dump(project.root / ".capi" / "state.db") == before


def dump(path: Path) -> list[str]:
    """A SQLite file as SQL."""
    connection = sqlite3.connect(path)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def test_the_json_of_a_good_and_of_a_bad_destination(project: Project, duck: DuckDb) -> None:
    duck.insert(conversion(1))
    project.write(duck.url, ENDPOINT)
    good = project.capi("check", "acme", "--json", check=True)
    assert good.json().keys() == {"ok", "errors", "warnings", "columns", "missing", "sends"}
    assert (good.json()["ok"], good.json()["errors"], good.json()["warnings"]) == (True, [], [])
    project.write(duck.url, ENDPOINT, source__lag="soon", platfrom="capi")
    bad = project.capi("check", "acme", "--json")
    assert (bad.code, bad.json()["ok"]) == (2, False)
    assert [problem.keys() for problem in bad.json()["errors"]] == [
        {"file", "line", "column", "message"}
    ] * 2
    assert {problem["line"] for problem in bad.json()["errors"]} == {17, 18}


@pytest.mark.parametrize(
    ("zone", "lookback", "warned"),
    [
        ("America/New_York", "1h", True),
        ("America/New_York", "24h", False),
        ("Asia/Kolkata", "1h", False),
        ("UTC", "1h", False),
    ],
)
def test_wall_clock_time_without_lookback_is_a_risk_where_an_hour_comes_twice(
    project: Project, duck: DuckDb, zone: str, lookback: str, warned: bool
) -> None:
    project.query(f"select c.*, updated_at at time zone '{zone}' as place from conversions c")
    found = look(
        project, duck.url, source__cursor="place", source__time_zone=zone, source__lookback=lookback
    )
    assert found.errors == []
    assert any("an hour comes twice" in warning for warning in found.warnings) == warned


def test_a_zone_with_summer_time_does_not_matter_where_the_column_has_one(
    project: Project, duck: DuckDb
) -> None:
    assert (
        look(
            project, duck.url, source__time_zone="America/New_York", source__lookback="1h"
        ).warnings
        == []
    )


def test_a_column_with_nearly_the_name_of_one_that_is_missing_is_warned_of(
    project: Project, duck: DuckDb
) -> None:
    """Every event would leave without the address, and nobody would know."""
    project.query(
        "select conversion_id, updated_at, event_name, phone, email as emial, currency as "
        "note from conversions"
    )
    found = look(project, duck.url)
    assert (found.errors, found.warnings) == (
        [],
        ["nothing uses the column emial of the query; did you mean 'email'?"],
    )
    assert look(project, duck.url, columns={"email": "emial"}).warnings == []
    assert look(project, duck.url, source__cursor="emial").warnings == []


def test_rows_of_which_none_can_be_sent_are_warned_of(project: Project, duck: DuckDb) -> None:
    """Each has what the platform requires, but not what it requires of such a row."""
    duck.insert(*(conversion(number, email="nonsense", phone=None) for number in range(2)))
    warning = (
        "none of the first 2 rows can be sent (bad_email 2); `capi preview acme` shows them one "
        "by one"
    )
    found = look(project, duck.url)
    assert (found.errors, found.warnings) == ([], [warning])
    duck.insert(conversion(3))
    assert look(project, duck.url).warnings == []
