"""The command line as a person or a script meets it:
real processes, exact JSON, exit codes, and words for people.
"""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

import connector
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import TOKEN, Project
from tests.support.servers import closed_port
from tests.support.warehouses import DuckDb, ago, conversion

REPORT = [
    "run_id",
    "rows_read",
    "delivered",
    "rejected",
    "expired",
    "suppressed",
    "late",
    "ambiguous",
    "http_requests",
    "retries",
    "mark_from",
    "mark_to",
    "complete",
    "seconds",
    "concurrency",
]
"""Keys of `capi sync --json` of a run that sent something:
those of DESIGN.md, and the requests in flight.
"""

VERBS = [
    "init",
    "dashboard",
    "list",
    "check",
    "preview",
    "sync",
    "status",
    "show",
    "report",
    "rejected",
    "expired",
    "suppressed",
    "replay",
    "reconcile",
    "alert",
    "resolve",
    "erase",
    "lint-identifiers",
    "acts",
    "data-map",
    "platforms",
    "schema",
    "preflight",
    "sandbox",
]


@pytest.fixture
def ready(duck_destination: Make, duck: DuckDb) -> DuckDb:
    """A destination named `acme` with nine good rows and one bad one."""
    duck.insert(*(conversion(number) for number in range(9)), conversion(9, email=None))
    duck_destination()
    return duck


def test_help_names_every_verb_and_every_verb_has_help(project: Project) -> None:
    whole = project.capi("--help", check=True).out
    for verb in VERBS:
        assert f" {verb} " in whole
    for verb in ("sync", "replay"):
        told = project.capi(verb, "--help", check=True).out
        assert "Usage:" in told
        assert "Exits with 1" in told
    bare = project.capi()
    assert "Usage:" in bare.out + bare.err


@pytest.mark.usefixtures("ready")
def test_sync_prints_the_report_and_nothing_else(project: Project) -> None:
    done = project.capi("sync", "acme", "--json", check=True)
    report = done.json()
    assert list(report) == REPORT
    assert done.out.count("\n") == 1
    assert done.err == ""
    counts = {name: report[name] for name in REPORT[1:10]}
    assert counts == {
        "rows_read": 10,
        "delivered": 9,
        "rejected": 1,
        "expired": 0,
        "suppressed": 0,
        "late": 0,
        "ambiguous": 0,
        "http_requests": 9,
        "retries": 0,
    }
    assert (report["mark_from"], report["complete"]) == (None, True)
    assert report["mark_to"].endswith("Z")
    assert report["seconds"] > 0
    again = project.capi("sync", "acme", "--json", check=True).json()
    assert (again["rows_read"], again["mark_from"], again["mark_to"]) == (
        0,
        report["mark_to"],
        report["mark_to"],
    )


@pytest.mark.usefixtures("ready")
def test_sync_takes_the_path_of_a_yaml_file_or_of_its_folder_too(project: Project) -> None:
    assert (
        project.capi(
            "sync", "dagster_project/defs/acme/defs.yaml", "--limit", "4", "--json", check=True
        ).json()["delivered"]
        == 4
    )
    assert (
        project.capi("sync", "dagster_project/defs/acme", "--json", check=True).json()["rows_read"]
        == 6
    )


@pytest.mark.usefixtures("ready")
def test_sync_shows_a_table_to_people(project: Project, receiver: Receiver) -> None:
    tried = project.capi("sync", "acme", "--dry-run", check=True)
    words = " ".join(tried.out.split())
    assert "acme: dry run, nothing sent" in words
    assert "would be sent │ 9" in words
    assert receiver.inbox.summary()["requests"] == 0
    done = project.capi("sync", "acme", check=True)
    assert "delivered" in done.out
    assert "no_identity" in done.out
    assert "{" not in done.out


@pytest.mark.usefixtures("ready")
def test_sync_knows_its_options(project: Project) -> None:
    assert (
        project.capi(
            "sync", "acme", "--until", ago(days=2).isoformat(), "--json", check=True
        ).json()["rows_read"]
        == 0
    )
    since = project.capi(
        "sync", "acme", "--since", ago(days=2).isoformat(), "--json", check=True
    ).json()
    assert (since["rows_read"], since["late"], since["mark_to"]) == (10, 10, None)
    for arguments in (
        ["--limit", "0"],
        ["--since", "yesterday"],
        ["--until", "2026-01-01T00:00:00"],
        ["--test-mode"],
    ):
        assert project.capi("sync", "acme", *arguments).code == 2, arguments


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("spoil", "code", "kind"),
    [
        ({"CAPI_STATE_URL": "mysql://nowhere/state"}, 2, "ConfigError"),
        ({"ACME_TOKEN": ""}, 2, "ConfigError"),
        ({"ACME_TOKEN": "an-old-token"}, 3, None),
        ({"WAREHOUSE_URL": "duckdb:///gone.duckdb"}, 3, "WarehouseError"),
        ({"CAPI_STATE_URL": f"postgresql://127.0.0.1:{closed_port()}/state"}, 3, "StateError"),
    ],
)
def test_exit_codes_tell_who_must_act(
    project: Project, spoil: dict[str, str], code: int, kind: str | None
) -> None:
    done = project.capi("sync", "acme", "--json", **spoil)
    assert done.code == code, done
    document = done.json()
    assert (document["error"]["kind"] if "error" in document else None) == kind
    assert done.err.count("\n") == 1, "one sentence for people"


@pytest.mark.usefixtures("duck")
def test_rows_rejected_above_the_threshold_exit_with_1(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(
        *(
            conversion(number, email=None if number < 3 else f"p{number}@example.org")
            for number in range(10)
        )
    )
    duck_destination()
    done = project.capi("sync", "acme", "--json")
    assert (done.code, done.json()["rejected"], done.json()["complete"]) == (1, 3, True)
    assert done.err == (
        "acme: 3 of 10 rows were rejected (no_identity: 3); `capi rejected acme` lists them\n"
    )


def test_late_rows_above_the_threshold_exit_with_1(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1, updated_at=ago(hours=1)))
    duck_destination(checks={"late_rows": {"fail": 1}})
    project.capi("sync", "acme", check=True)
    for number, code in ((2, 0), (4, 1)):
        late = [conversion(each, updated_at=ago(hours=2)) for each in range(number, 2 * number - 1)]
        duck.insert(*late)
        done = project.capi("sync", "acme", "--json")
        assert (done.code, done.json()["late"], done.json()["delivered"]) == (
            code,
            *[len(late)] * 2,
        )
    assert done.err.startswith("acme: rows that were committed behind the high-water mark: 3,")


@pytest.mark.usefixtures("ready")
def test_an_incomplete_run_exits_with_1_and_still_prints_its_report(
    project: Project, receiver: Receiver
) -> None:
    receiver.script.add(Fault(status=429, headers={"Retry-After": "3600"}))
    done = project.capi("sync", "acme", "--json")
    assert (done.code, list(done.json()), done.json()["complete"]) == (1, REPORT, False)
    assert "acme: " in done.err
    assert "asked to wait" in done.err
    refused = project.capi("sync", "acme", "--json")
    assert (refused.code, refused.json()["error"]["kind"]) == (1, "Postponed")
    assert project.capi("status", "acme", "--json", check=True).json()["not_before"].endswith("Z")


def test_a_run_that_is_interrupted_by_hand_keeps_its_place(
    project: Project, duck: DuckDb, duck_destination: Make, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(9)))
    duck_destination(delivery={"timeout": "5s"})
    receiver.script.add(Fault(kind="hang", seconds=600))
    process = project.start("sync", "acme")
    while not receiver.inbox.summary()["requests"]:
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Traceback" not in err
    assert project.capi("sync", "acme", "--json", check=True).json()["complete"] is True
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["conflicts"]) == (9, 0)


def test_a_name_that_is_not_there_names_those_that_are(
    project: Project, duck_destination: Make
) -> None:
    duck_destination()
    done = project.capi("status", "acmee", "--json")
    assert (done.code, done.json()["error"]["kind"]) == (2, "ConfigError")
    assert "there is no destination 'acmee'; there are acme; did you mean 'acme'?" in done.err


def test_check_finds_all_problems_at_once(project: Project) -> None:
    project.write_text(
        "type: dagster_project.components.CapiDestination\nattributes:\n  platfrom: capi\n  "
        "source:\n    warehouse: duckdb:///x\n    cursr: y\n"
    )
    done = project.capi("check", "acme", "--json")
    found = done.json()
    assert (done.code, found["ok"]) == (2, False)
    assert {"file", "line", "column", "message"} == set(found["errors"][0])
    assert {3, 6} <= {each["line"] for each in found["errors"]}
    people = project.capi("check", "acme")
    assert people.code == 2
    assert "did you mean 'platform'?" in " ".join(people.out.split())
    assert re.search(r"\nacme: problems: \d+\n", people.out)
    project.write("duckdb:///x", "https://px.dsp.example/signal", platform="metta")
    assert project.capi("check", "acme").out.endswith("\nacme: problems: 1\n")


@pytest.mark.usefixtures("ready")
def test_check_of_a_good_destination_is_ok(project: Project) -> None:
    found = project.capi("check", "acme", "--json", check=True).json()
    assert list(found) == ["ok", "errors", "warnings", "columns", "missing", "sends"]
    assert (found["ok"], found["errors"]) == (True, [])
    assert "ok" in project.capi("check", "acme", check=True).out


@pytest.mark.usefixtures("ready")
def test_preview_shows_each_request_with_its_secrets_hidden(
    project: Project, receiver: Receiver
) -> None:
    rows = [
        {
            "event_name": "Purchase",
            "email": "a@shop.example.org",
            "event_time": ago(hours=1).isoformat(),
        },
        {"event_name": "Purchase"},
    ]
    (project.root / "rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    done = project.capi("preview", "acme", "--rows", "rows.jsonl", "--json", check=True)
    sent, refused = done.lines()
    assert (list(sent), sent["rows"], list(sent["request"])) == (
        ["request", "rows"],
        [0],
        ["method", "url", "headers", "body"],
    )
    assert (sent["request"]["method"], sent["request"]["headers"]["Authorization"]) == (
        "POST",
        "Bearer ***",
    )
    assert refused == {"rejected": {"row": 1, "reason": "no_identity", "field": None}}
    assert TOKEN not in done.out
    assert done.err == ""
    assert (
        project.capi("preview", "acme", "--rows", "rows.jsonl", check=True).err
        == "acme: requests: 1, rows in them: 1, rows not sent: 1 (no_identity 1)\n"
    )
    two = project.capi("preview", "acme", "--limit", "2", check=True)
    assert two.err == "acme: requests: 2, rows in them: 2, rows not sent: 0\n"
    assert len(project.capi("preview", "acme", "--limit", "2", "--json", check=True).lines()) == 2
    assert receiver.inbox.summary()["requests"] == 0


@pytest.mark.usefixtures("ready")
def test_status_before_and_after_the_first_run(project: Project) -> None:
    names = [
        "destination",
        "mark",
        "backlog",
        "lag_seconds",
        "quarantine",
        "dead",
        "ambiguous_expired",
        "in_flight",
        "not_before",
        "recorded",
        "runs",
        "warning",
    ]
    before = project.capi("status", "acme", "--json", check=True).json()
    assert list(before) == names
    assert (before["mark"], before["backlog"], before["runs"], before["recorded"]) == (
        None,
        10,
        [],
        {},
    )
    report = project.capi("sync", "acme", "--json", check=True).json()
    after = project.capi("status", "acme", "--json", check=True).json()
    assert (after["mark"], after["backlog"], after["lag_seconds"], after["quarantine"]) == (
        report["mark_to"],
        0,
        0.0,
        {"no_identity": 1},
    )
    [run] = after["runs"]
    assert (run["run_id"], run["status"], run["kind"], run["delivered"]) == (
        report["run_id"],
        "complete",
        "sync",
        9,
    )
    people = project.capi("status", "acme", check=True).out
    assert "no_identity" in people


def test_list_names_the_destinations_of_the_project_and_nothing_else(project: Project) -> None:
    assert "no destination here" in project.capi("list", check=True).out
    project.write("sqlite:///none.db", "http://127.0.0.1:1/", "second", platform="meta")
    project.write("sqlite:///none.db", "http://127.0.0.1:1/", "first")
    project.write_text("type: other.Component\nattributes: {script: x}\n", "other")
    found = project.capi("list", "--json", check=True).lines()
    assert found == [
        {"name": "first", "platform": "capi", "file": str(project.path("first"))},
        {"name": "second", "platform": "meta", "file": str(project.path("second"))},
    ]
    assert "second" in project.capi("list", check=True).out


@pytest.mark.usefixtures("ready")
def test_status_without_a_name_shows_all_and_one_that_is_wrong_hides_none(project: Project) -> None:
    project.capi("sync", "acme", check=True)
    one = project.capi("status", "acme", "--json", check=True).json()
    [entry] = project.capi("status", "--json", check=True).lines()
    assert entry == {"destination": "acme", "platform": "capi", **one}
    project.write_text("attributes:\n  platform: capi\n", "wrong")
    both = project.capi("status", "--json")
    assert both.code == 2, "as `capi status wrong` ends"
    assert [(each["destination"], "error" in each) for each in both.lines()] == [
        ("acme", False),
        ("wrong", True),
    ]
    people = project.capi("status").out
    assert re.search(r"acme.*complete.*9", people)
    assert both.lines()[1]["error"].splitlines()[0] in people


def test_the_version_is_that_of_the_package(project: Project) -> None:
    assert project.capi("--version", check=True).out == f"capi {connector.__version__}\n"


def complete(project: Project, line: str) -> list[str]:
    """What bash offers at the end of a line."""
    words = line.split(" ")
    done = project.capi(
        _CAPI_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
    )
    return done.out.split()


def test_a_shell_completes_verbs_options_and_names(project: Project, tmp_path: Path) -> None:
    for name in ("acme", "acme_leads", "other"):
        project.write("sqlite:///none.db", "http://127.0.0.1:1/", name)
    assert complete(project, "capi rec") == ["reconcile"]
    assert "--dry-run" in complete(project, "capi sync --d")
    for verb in ("sync", "status", "rejected"):
        assert complete(project, f"capi {verb} ac") == ["acme", "acme_leads"]
    elsewhere = Project(tmp_path / "elsewhere")
    assert complete(elsewhere, "capi sync ac") == []
    elsewhere.write("sqlite:///none.db", "http://127.0.0.1:1/", "acting")
    quoted = f"capi --project {elsewhere.root} sync ac"
    assert complete(project, quoted) == ["acting"]


@pytest.mark.usefixtures("ready")
def test_rejected_lists_a_pointer_and_a_reason(project: Project) -> None:
    project.capi("sync", "acme", check=True)
    [row] = project.capi("rejected", "acme", "--json", check=True).lines()
    assert {"key", "reason", "field", "code", "attempts", "first_seen"} <= set(row)
    assert (row["key"], row["reason"], row["field"], row["code"], row["attempts"]) == (
        "c000009",
        "no_identity",
        None,
        None,
        1,
    )
    [line] = csv.DictReader(
        io.StringIO(project.capi("rejected", "acme", "--format", "csv", check=True).out)
    )
    assert (line["key"], line["reason"]) == ("c000009", "no_identity")
    assert row["message"].startswith("no identifier that the platform accepts is left")
    assert "c000009" in project.capi("rejected", "acme", check=True).out
    assert project.capi("rejected", "acme", "--reason", "bad_email", "--json", check=True).out == ""
    assert (
        project.capi("rejected", "acme", "--reason", "bad_email", check=True).out
        == "no row is in quarantine\n"
    )


def test_replay_reconcile_and_erase(project: Project, ready: DuckDb) -> None:
    project.capi("sync", "acme", check=True)
    ready.execute("update conversions set email = 'mended@shop.example.org'")
    nothing = project.capi("replay", "acme", "--key", "c000001", "--json", check=True)
    assert (nothing.json()["rows_read"], nothing.err) == (
        0,
        "acme: the row with this key was delivered, so there is nothing to try again\n",
    )
    assert (
        "no row with this key is recorded"
        in project.capi("replay", "acme", "--key", "c777", check=True).err
    )
    replayed = project.capi(
        "replay", "acme", "--reason", "no_identity", "--json", check=True
    ).json()
    assert (list(replayed), replayed["delivered"]) == (REPORT, 1)
    ready.insert(conversion(20, updated_at=ago(days=5)))
    found = project.capi("reconcile", "acme", "--json")
    assert (found.code, found.json()) == (1, {"rows": 11, "missing": 1, "sent": None})
    assert (
        project.capi(
            "reconcile", "acme", "--since", ago(days=2).isoformat(), "--json", check=True
        ).json()["missing"]
        == 0
    )
    sent = project.capi("reconcile", "acme", "--send", "--json", check=True).json()
    assert (sent["missing"], sent["sent"]["delivered"], list(sent["sent"])) == (1, 1, REPORT)
    assert project.capi("erase", "acme", "--key", "c000020", "--json", check=True).json() == {
        "erased": True,
        "was_known": True,
        "still_in": [],
    }
    assert (
        "erased; it was not recorded"
        in project.capi("erase", "acme", "--key", "c000777", check=True).out
    )
    told = project.capi("erase", "acme", "--key", "c000002", check=True).out
    assert told == (
        "erased; it was delivered, so Base Conversions API still has it: ask for its "
        "deletion there\n"
    )
    assert (
        "was erased, and is never sent"
        in project.capi("replay", "acme", "--key", "c000002", check=True).err
    )
    for verb in ("erase", "replay"):
        wrong = project.capi(verb, "acme", "--key", "a", "--key", "b")
        assert (wrong.code, wrong.err) == (
            2,
            "acme: a key is made of conversion_id; give --key once for each, in this order\n",
        )


@pytest.mark.usefixtures("ready")
def test_resolve_in_each_of_its_forms(project: Project) -> None:
    project.capi("sync", "acme", check=True)
    forms: list[tuple[list[str], dict[str, Any]]] = [
        (["--delivered"], {"rows": 0}),
        (["--resend"], {"rows": 0}),
        (["--accept-change"], {"accepted": []}),
        (["--restart", "all"], {"mark": None}),
    ]
    for arguments, document in forms:
        assert project.capi("resolve", "acme", *arguments, "--json", check=True).json() == document
    for arguments in ([], ["--delivered", "--resend"], ["--restart", "yesterday"]):
        assert project.capi("resolve", "acme", *arguments, "--json").code == 2, arguments


def test_lint_identifiers_shows_shares_and_no_value(project: Project, ready: DuckDb) -> None:
    ready.insert(conversion(10, email="nobody.shop.example.org"))
    done = project.capi("lint-identifiers", "acme", "--json", check=True)
    emails = [each for each in done.lines() if each["column"] == "email"]
    assert (
        emails[0]["rows"],
        emails[0]["empty"],
        emails[0]["valid_share"],
        emails[0]["malformed_by_reason"],
    ) == (11, 1, 0.9, {"no_at": 1})
    people = project.capi("lint-identifiers", "acme", check=True).out
    assert re.search(r"rows +┃ with a value +┃ of these valid +┃ the rest +┃", people)
    assert re.search(r"│ HashedEmail +│ email +│ 11 +│ 10 +│ 90.0% +│ no @ 1 +│", people)
    assert "example.org" not in done.out + people


def test_schema_is_the_json_schema_of_the_yaml(project: Project) -> None:
    schema = project.capi("schema", check=True).json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == {
        *("type", "attributes", "requirements", "post_processing", "template_vars_module")
    }
    titles = [schema["title"], *(part["title"] for part in schema["$defs"].values())]
    assert titles[0] == "A destination"
    assert not [title for title in titles if re.search("[a-z][A-Z]", title)], (
        "names of classes mean nothing to people"
    )


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_sandbox_says_what_it_needs(missing: str) -> None:
    without = (
        f"import sys; sys.modules['{missing}'] = None; from connector.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", without, "sandbox"], capture_output=True, text=True, timeout=120
    )
    told = (
        f"the receiver needs {missing}, which is not installed; run: pip install "
        "'capi-connector[sandbox]'\n"
    )
    assert (done.returncode, done.stderr) == (2, told)


def test_sandbox_says_to_people_which_token_it_wants(project: Project) -> None:
    process = project.start("sandbox", "--port", "0")
    try:
        assert process.stdout is not None
        assert re.match(
            (
                rb"receiver at http://127\.0\.0\.1:\d+ .*, for the token sandbox-token; stop "
                rb"with Ctrl-C\n"
            ),
            process.stdout.readline(),
        )
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_sandbox_says_where_it_is_and_stops_when_told(project: Project) -> None:
    process = project.start(
        "sandbox", "--port", "0", "--token", "t", "--reject-rate", "1", "--json"
    )
    try:
        assert process.stdout is not None
        url = orjson.loads(process.stdout.readline())["url"]
        answer = requests.post(
            f"{url}/signal/v1/conversion",
            json={},
            headers={"Authorization": "Bearer t"},
            timeout=10,
        )
        assert answer.status_code == 400
        assert requests.get(url, timeout=10).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err
