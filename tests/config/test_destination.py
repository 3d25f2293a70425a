"""The YAML of a destination: every key that there is,
and everything wrong with a file told at once, with its line.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.config.destination import Destination
from connector.config.loader import build, load
from connector.config.validate import start_time
from connector.errors import DestinationError
from connector.syntax import yaml as strict_yaml
from dagster_project.model import attributes
from tests.support.projects import Project

URL = "duckdb:///warehouse.duckdb"
ENDPOINT = "https://px.dsp.example/signal/v1/conversion"
SECRET = "EAAGm0PX4ZCpsBAKZC"

EVERY_KEY: dict[str, Any] = {
    "source": {
        "warehouse": "env:WAREHOUSE_URL",
        "query": "sql/conversions.sql",
        "cursor": "updated_at",
        "key": ["order_id", "conversion_id"],
        "start": "2026-01-01T00:00:00+01:00",
        "lag": "5m",
        "lookback": "24h",
        "time_zone": "Europe/Berlin",
        "time_unit": "ms",
        "cursor_kind": "auto",
        "null_cursor": "count",
        "value_unit": "minor",
        "default_region": "DE",
    },
    "auth": {
        "bearer": "env:A",
        "hmac": "file:secrets/key",
        "hmac_header": "X-Sign",
        "api_key": "env:B",
        "header": "X-Key",
    },
    "identifiers": ["HashedEmail", "Guid"],
    "columns": {"email": "customer_email"},
    "constants": {"currency": "EUR", "value": 9.5, "num_items": 1, "consent": True},
    "events": {"order_paid": "Purchase"},
    "extra": {"custom_data.search_string": "query"},
    "consent": {"require": True},
    "privacy": {"obscure_order_id": True, "retention": "90d"},
    "test_mode": False,
    "delivery": {
        "rate": "200/s",
        "concurrency": 4,
        "batch_size": 1,
        "timeout": "20s",
        "max_rows_per_run": 100_000,
        "times_usual": 5,
        "ca_file": "certs/ca.pem",
    },
    "checks": {
        "rejection_rate": {"warn": 0.1, "fail": 1},
        "late_rows": {"warn": None},
        "lag": "2h",
        "match_keys": {"HashedEmail": 0.5},
    },
    "alerts": {"webhook": "env:SLACK"},
    "asset": {
        "owners": ["team:growth", "jane@example.org"],
        "tags": {"domain": "ads"},
        "group": "ads",
        "description": "Purchases",
        "freshness": {"fail_after": "2h", "warn_after": "1h"},
    },
    "send": "on_change",
    "on_change": "new_version",
    "schedule": "*/15 * * * *",
    "poll": "30s",
    "overrides": {"limits": {"concurrency": 2}},
}


def problems(
    project: Project, endpoint: str = ENDPOINT, warehouse: str = URL, **changes: Any
) -> list[str]:
    """What is wrong with a destination, each as `line: message`."""
    project.write(warehouse, endpoint, **changes)
    return told(project.load)


def told(read: Callable[[], Destination]) -> list[str]:
    """The problems that reading raises; none where it does not."""
    try:
        read()
    except DestinationError as error:
        return [f"{problem.line}: {problem.message}" for problem in error.problems]
    return []


def line_of(project: Project, text: str) -> int:
    """The line of the YAML that begins with a text."""
    lines = project.path().read_text(encoding="utf-8").splitlines()
    return next(
        number
        for number, line in enumerate(lines, 1)
        if line.strip().removeprefix("- ").startswith(text)
    )


def test_every_key_of_the_design_is_accepted(project: Project) -> None:
    assert problems(project, **EVERY_KEY) == []
    model = project.load().model
    assert (model.source.lag, model.source.lookback, model.delivery.rate) == (
        dt.timedelta(minutes=5),
        dt.timedelta(hours=24),
        200.0,
    )
    assert model.source.keys == ("order_id", "conversion_id")
    assert (attributes(project.load()).schedule, attributes(project.load()).poll) == (
        "*/15 * * * *",
        dt.timedelta(seconds=30),
    )
    assert project.load().platform.limits.concurrency == 2


def test_the_defaults_are_those_of_the_design(project: Project) -> None:
    assert problems(project) == []
    model = project.load().model
    assert (model.source.lag, model.source.lookback) == (
        dt.timedelta(minutes=5),
        dt.timedelta(hours=24),
    )
    assert (model.source.null_cursor, model.source.cursor_kind, model.send) == (
        "fail",
        "auto",
        "once",
    )
    assert project.load().identifiers == ("Guid", "HashedEmail", "HashedPhone", "FirstPartyId"), (
        "hashed, never plain"
    )


@pytest.mark.parametrize(
    "key",
    [
        "platform",
        "source",
        "source__warehouse",
        "source__query",
        "source__cursor",
        "source__key",
        "source__start",
    ],
)
def test_a_key_that_must_be_there_is_named_with_the_section_that_lacks_it(
    project: Project, key: str
) -> None:
    (problem,) = problems(project, **{key: None})
    section = "source:" if "__" in key else "attributes:"
    assert problem == f"{line_of(project, section)}: {key.replace('__', '.')} is missing"


@pytest.mark.parametrize(
    ("changes", "wrong", "right"),
    [
        ({"platfrom": "capi"}, "platfrom", "platform"),
        ({"source__cursors": "updated_at"}, "cursors", "cursor"),
        ({"source__look_back": "1h"}, "look_back", "lookback"),
        ({"delivery": {"timout": "1s"}}, "timout", "timeout"),
        ({"auth": {"baerer": "env:ACME_TOKEN"}}, "baerer", "bearer"),
        ({"checks": {"rejection_rates": {"warn": 1}}}, "rejection_rates", "rejection_rate"),
        ({"checks": {"rejection_rate": {"warm": 1}}}, "warm", "warn"),
        (
            {"asset": {"freshness": {"fail_after": "1h", "warn_afte": "1h"}}},
            "warn_afte",
            "warn_after",
        ),
        ({"privacy": {"obscure_orderid": True}}, "obscure_orderid", "obscure_order_id"),
        ({"alerts": {"webhook": "env:A", "webhok": "env:A"}}, "webhok", "webhook"),
    ],
)
def test_an_unknown_key_is_refused_with_its_line_and_the_key_that_was_meant(
    project: Project, changes: dict[str, Any], wrong: str, right: str
) -> None:
    assert (
        f"{line_of_wrong(project, changes, wrong)}: unknown key '{wrong}'; did you mean '{right}'?"
        in problems(project, **changes)
    )


def line_of_wrong(project: Project, changes: dict[str, Any], wrong: str) -> int:
    """Where a key stands once it is written."""
    project.write(URL, ENDPOINT, **changes)
    return line_of(project, f"{wrong}:")


def test_an_unknown_key_beside_attributes_is_refused_too(project: Project) -> None:
    path = project.write(URL, ENDPOINT)
    path.write_text(path.read_text(encoding="utf-8") + "attribute: {}\n", encoding="utf-8")
    (problem,) = told(project.load)
    assert problem.endswith(": unknown key 'attribute'; did you mean 'attributes'?")


def test_all_problems_are_told_at_once_each_with_its_line(project: Project) -> None:
    found = problems(
        project,
        platfrom="x",
        auth={"bearer": SECRET},
        source__lag="soon",
        delivery={"concurrency": 0},
        schedule="now and then",
    )
    assert len(found) == 5
    assert {int(problem.split(":")[0]) for problem in found} == {
        line_of(project, text)
        for text in ("platfrom:", "bearer:", "lag:", "concurrency:", "schedule:")
    }


@pytest.mark.parametrize(
    "key",
    [
        "bearer",
        "api_key",
        "hmac",
        "app_secret",
        "client_id",
        "client_secret",
        "refresh_token",
        "consumer_key",
        "consumer_secret",
        "token",
        "token_secret",
    ],
)
@pytest.mark.parametrize(
    "literal", [SECRET, "env:", "env:1A", "env:A-B", "ENV:A", "file:", "vault:x", f" env:{SECRET}"]
)
def test_a_secret_itself_is_refused_and_not_repeated(
    project: Project, key: str, literal: str
) -> None:
    (problem,) = problems(project, auth={"bearer": "env:ACME_TOKEN", key: literal})
    assert problem == (
        f"{line_of(project, f'{key}:')}: auth.{key} must be env:NAME or file:PATH; a secret "
        "does not belong in this file"
    )


@pytest.mark.parametrize("value", [5, [SECRET], {"x": SECRET}, True])
def test_a_secret_of_another_type_is_not_repeated_either(project: Project, value: Any) -> None:
    (problem,) = problems(project, auth={"bearer": value})
    assert problem.startswith(f"{line_of(project, 'bearer:')}: auth.bearer")
    assert SECRET not in problem


def test_the_address_of_a_webhook_is_a_secret(project: Project) -> None:
    (problem,) = problems(project, alerts={"webhook": f"https://hooks.example.org/{SECRET}"})
    assert "alerts.webhook must be env:NAME or file:PATH" in problem
    assert SECRET not in problem


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{SECRET}@db.example/shop",
        f"postgresql+psycopg://:{SECRET}@db.example/shop",
        f"snowflake://user:{SECRET}@account/db",
        f"postgresql://user:{SECRET}@host@db.example/shop",
        f"postgresql://user:a/{SECRET}@db.example/shop",
        f"postgresql://db.example/shop?user=u&password={SECRET}",
    ],
)
def test_a_warehouse_address_with_a_password_is_refused_and_not_repeated(
    project: Project, url: str
) -> None:
    (problem,) = problems(project, warehouse=url)
    assert problem == (
        f"{line_of(project, 'warehouse:')}: the address holds a password; put the whole "
        "address in an environment variable and write env:NAME"
    )


@pytest.mark.parametrize(
    "url",
    [
        "duckdb:///w.duckdb",
        "sqlite:///a/b.db",
        "postgresql://user@db.example/shop",
        "postgresql:///shop?host=/run/pg",
        "env:W",
        "file:w",
    ],
)
def test_a_warehouse_address_without_a_password_may_stand_in_the_file(
    project: Project, url: str
) -> None:
    assert problems(project, warehouse=url) == []


def test_a_path_is_no_warehouse_address(project: Project) -> None:
    assert problems(project, warehouse="warehouse.duckdb") == [
        (
            f"{line_of(project, 'warehouse:')}: the warehouse must be a SQLAlchemy URL such as "
            "duckdb:///warehouse.duckdb, or env:NAME"
        )
    ]


@pytest.mark.parametrize(
    ("changes", "at", "message"),
    [
        (
            {"source__time_zone": "Europe/Berln"},
            "time_zone:",
            (
                "'Europe/Berln' is not a time zone; write one such as Europe/Berlin; did you "
                "mean 'Europe/Berlin'?"
            ),
        ),
        ({"source__time_zone": "../../etc/localtime"}, "time_zone:", "is not a time zone"),
        (
            {"source__time_zone": 5},
            "time_zone:",
            "source.time_zone: input should be a valid string",
        ),
        (
            {"source__start": "yesterday"},
            "start:",
            "start must be all, now, or a timestamp such as 2026-01-01T00:00:00Z",
        ),
        (
            {"source__start": "2026-13-01T00:00:00Z"},
            "start:",
            "start must be all, now, or a timestamp",
        ),
        (
            {"source__start": "2026-01-01T00:00:00", "source__time_zone": None},
            "start:",
            "start needs a zone",
        ),
        ({"source__start": 5}, "start:", "source.start: input should be a valid string"),
        (
            {"source__lag": "5 minutes"},
            "lag:",
            "source.lag: a duration is a number and a unit: 30s, 5m, 24h or 7d",
        ),
        ({"source__lag": "-5m"}, "lag:", "a duration is a number and a unit"),
        ({"source__lookback": 24}, "lookback:", "source.lookback"),
        ({"source__key": []}, "key:", "the key needs one or more different columns"),
        ({"source__key": ["a", "a"]}, "- a", "the key needs one or more different columns"),
        ({"source__key": "a b"}, "key:", "source.key"),
        ({"source__cursor": "updated_at; drop table x"}, "cursor:", "source.cursor"),
        ({"source__default_region": "Germany"}, "default_region:", "source.default_region"),
        (
            {"source__time_unit": "sec"},
            "time_unit:",
            "source.time_unit must be 's', 'ms', 'us' or 'ns'",
        ),
        (
            {"delivery": {"rate": "200"}},
            "rate:",
            "delivery.rate: a rate is a number of requests and a unit: 200/s, 600/m or 10000/h",
        ),
        ({"delivery": {"rate": "0/s"}}, "rate:", "delivery.rate: a rate is"),
        (
            {"delivery": {"concurrency": 65}},
            "concurrency:",
            "delivery.concurrency: input should be less than or equal to 64",
        ),
        (
            {"delivery": {"concurrency": "fast"}},
            "concurrency:",
            "delivery.concurrency: give a number from 1 to 64, or auto",
        ),
        (
            {"delivery": {"batch_size": 0}},
            "batch_size:",
            "delivery.batch_size: input should be greater than or equal to 1",
        ),
        (
            {"delivery": {"max_rows_per_run": "many"}},
            "max_rows_per_run:",
            "delivery.max_rows_per_run",
        ),
        ({"delivery": {"times_usual": 1}}, "times_usual:", "delivery.times_usual"),
        ({"schedule": "every hour"}, "schedule:", "schedule"),
        ({"schedule": "* * * *"}, "schedule:", "schedule"),
        ({"schedule": "* * * * * *"}, "schedule:", "schedule"),
        ({"poll": "often"}, "poll:", "poll: a duration is a number and a unit"),
        ({"send": "twice"}, "send:", "send must be 'once' or 'on_change'"),
        (
            {"account": {"advertiser_id": "12", "data_source_key": "x"}},
            "advertiser_id:",
            "account.advertiser_id must be an integer",
        ),
        (
            {"account": {"advertiser_id": 12, "data_source_key": "a b"}},
            "data_source_key:",
            "holds a character that no account id has",
        ),
        (
            {"account": {"advertiser_id": 12, "data_source_key": "x", "pixel_id": 1}},
            "pixel_id:",
            "the platform has no account key 'pixel_id'",
        ),
        ({"account": {"advertiser_id": 12}}, "account:", "account.data_source_key is missing"),
        ({"account": [12]}, "account:", "account must hold keys and values"),
        ({"auth": {}}, "auth:", "auth is missing; give one of bearer, api_key or hmac"),
        ({"auth": "env:A"}, "auth:", "auth must hold keys and values"),
        (
            {"identifiers": ["hashed_email"]},
            "identifiers:",
            "the platform has no identifier 'hashed_email'; did you mean 'HashedEmail'?",
        ),
        (
            {"columns": {"e_mail": "x"}},
            "e_mail:",
            "'e_mail' is not a canonical column; did you mean 'email'?",
        ),
        (
            {"constants": {"curency": "EUR"}},
            "curency:",
            "'curency' is not a canonical column; did you mean 'currency'?",
        ),
        (
            {"constants": {"email": "x@example.org"}},
            "email:",
            "'email' describes a person and cannot be the same in every row",
        ),
        ({"platform": "cappi"}, "platform:", "there is no platform 'cappi'"),
        ({"platform": "own.yaml"}, "platform:", "there is no platform file own.yaml"),
        ({"test_mode": True}, "test_mode:", "this platform has no test mode"),
        (
            {"overrides": {"limits": {"max_events": 0}}},
            "max_events:",
            "overrides: limits.max_events",
        ),
        ({"overrides": {"limit": {}}}, "limit:", "overrides: limit"),
        (
            {"overrides": {"identifiers": {"X": {"value": "email | nosuch"}}}},
            "overrides:",
            "there is no function 'nosuch'",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(
    project: Project, changes: dict[str, Any], at: str, message: str
) -> None:
    found = problems(project, **changes)
    line = line_of(project, at.removeprefix("- ")) if at != "- a" else line_of(project, "key:")
    assert [
        problem for problem in found if problem.startswith(f"{line}: ") and message in problem
    ], found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file must hold keys and values"),
        ("just text", "the file must hold keys and values"),
        ("- a\n- b", "the file must hold keys and values"),
        ("type: dagster_project.components.CapiDestination", "attributes is missing"),
        (
            "type: dagster_project.components.CapiDestinaton\nattributes: {}",
            "type must be 'dagster_project.components.CapiDestination'",
        ),
        (
            "type: dagster_projcet.components.CapiDestination\nattributes: {}",
            "type must be 'dagster_project.components.CapiDestination'",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(project: Project, text: str, message: str) -> None:
    project.write_text(text)
    assert any(message in problem for problem in told(project.load))


def test_a_file_that_cannot_be_read_is_named(project: Project) -> None:
    missing = project.root / "nothing.yaml"
    with pytest.raises(DestinationError, match=r"nothing\.yaml: the file cannot be read"):
        load(missing, project.root)
    missing.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(DestinationError, match=r"nothing\.yaml: the file cannot be read"):
        load(missing, project.root)


@pytest.mark.parametrize(
    ("start", "instant"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00:00+05:30", "2025-12-31T18:30:00+00:00"),
        ("2026-07-01", "2026-06-30T22:00:00+00:00"),
        ("2026-01-01 12:00", "2026-01-01T11:00:00+00:00"),
    ],
)
def test_a_start_is_an_instant_and_a_naive_one_is_in_the_zone_of_the_source(
    project: Project, start: str, instant: str
) -> None:
    assert problems(project, source__start=start, source__time_zone="Europe/Berlin") == []
    assert start_time(project.load().model.source).isoformat() == instant


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"source__time_zone": "Mars/Phobos", "source__start": "2026-01-01T00:00:00"},
            id="zone that is none, with a naive start",
        ),
        pytest.param({"source__start": "0001-01-01T00:00:00+14:00"}, id="start before the year 1"),
    ],
)
def test_a_start_that_is_no_instant_is_told_and_does_not_break_the_program(
    project: Project, changes: dict[str, Any]
) -> None:
    assert problems(project, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"delivery": {"rate": 0}},
        {"delivery": {"rate": -5}},
        {"delivery": {"timeout": "0s"}},
        {"poll": "0s"},
        {"source__lag": "999999999d"},
    ],
)
def test_a_value_of_the_right_form_that_nothing_can_use_is_refused(
    project: Project, changes: dict[str, Any]
) -> None:
    assert problems(project, **changes)


def test_a_key_of_the_wrong_type_is_told_once_and_in_our_words(project: Project) -> None:
    (problem,) = problems(project, source__key=5)
    assert "constrained" not in problem


KEYS = [
    *(
        "platform",
        "endpoint",
        "account",
        "auth",
        "identifiers",
        "columns",
        "constants",
        "events",
        "extra",
        "send",
        "on_change",
        "consent",
        "privacy",
    ),
    *(
        "test_mode",
        "delivery",
        "schedule",
        "poll",
        "checks",
        "alerts",
        "asset",
        "overrides",
        "source",
        "account__advertiser_id",
        "auth__bearer",
    ),
    *(
        "source__warehouse",
        "source__query",
        "source__cursor",
        "source__key",
        "source__lag",
        "source__time_zone",
        "checks__rejection_rate",
        "delivery__rate",
    ),
    *(
        "overrides__limits",
        "overrides__event",
        "overrides__identifiers",
        "overrides__answers",
        "overrides__auth",
    ),
]
HOSTILE = st.recursive(
    st.sampled_from(
        [SECRET, f"env:{SECRET}!", "", " ", "\x00", "{x}", "../..", "%s", "é", "a" * 300]
    )
    | st.integers(-1, 2**70)
    | st.floats()
    | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["bearer", "rate", "warn", "x", "str", "list[str]", ""]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(KEYS), HOSTILE)
def test_whatever_a_key_holds_load_gives_a_destination_or_problems_with_lines(
    project: Project, key: str, value: Any
) -> None:
    document = strict_yaml.load(
        project.write(URL, ENDPOINT).read_text(encoding="utf-8"), "defs.yaml"
    )
    *parents, last = ("attributes", *key.split("__"))
    target = document.value
    for parent in parents:
        target = target.setdefault(parent, {})
    target[last] = value
    error: DestinationError | None = None
    try:
        build(document, project.root, project.path())
    except DestinationError as raised:
        error = raised
    if error is not None:
        assert all(problem.line > 0 for problem in error.problems)
        assert not (key.startswith(("auth", "source__warehouse")) and SECRET in str(error))


def test_a_query_is_found_from_the_root_from_the_file_and_by_its_absolute_path(
    project: Project, tmp_path: Path
) -> None:
    beside = project.path().parent / "own.sql"
    elsewhere = tmp_path / "elsewhere.sql"
    for name, path in (
        ("sql/conversions.sql", project.root / "sql/conversions.sql"),
        ("own.sql", beside),
        (str(elsewhere), elsewhere),
    ):
        assert problems(project, source__query=name) == []
        path.write_text("select 1", encoding="utf-8")
        assert project.load().query_file.samefile(path)


def test_a_missing_query_is_told_by_its_name(project: Project) -> None:
    assert problems(project, source__query="sql/nothing.sql") == []
    with pytest.raises(DestinationError, match=r"source\.query: there is no file sql/nothing\.sql"):
        project.load().query()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("dagster_project/defs/acme/defs.yaml", "acme"),
        ("elsewhere/shop.yaml", "shop"),
        ("elsewhere/shop.yml", "shop"),
    ],
)
def test_a_destination_is_called_by_its_folder_or_its_file(
    project: Project, file: str, name: str
) -> None:
    text = project.write(URL, ENDPOINT).read_text(encoding="utf-8")
    path = project.root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    assert load(path).name == name
    assert load(path).root == project.root
