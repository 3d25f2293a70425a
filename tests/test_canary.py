"""Nothing of a person and no secret is found outside the warehouse and the requests,
whatever goes wrong.

A person who exists nowhere else stands in every column, and a token and a password that exist
nowhere else open the doors. Each fault is then met twice, at the command line and in Dagster, with
every logger at DEBUG. All that was printed, logged or stored is searched for any six characters in
a row, in every form, also in files that are gone again, and in those that a killed process leaves.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from logging import Logger
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import trustme
from dagster._utils.error import serializable_error_info_from_exc_info
from typer.testing import CliRunner

from connector.cli.app import app
from connector.config.loader import load
from connector.errors import ConnectorError
from connector.sandbox.faults import Fault, Script
from connector.sandbox.server import Receiver
from tests.support import canary
from tests.support.dagster import materialize, materialize_in_processes, persistent_instance
from tests.support.projects import Project
from tests.support.servers import Reply as Answered
from tests.support.servers import answering, closed_port, https, serving
from tests.support.watch import Watch


class Echo(Script):
    """Answers that quote what was sent, wherever an answer has text; parts of it, or all."""

    def __init__(self, status: int, take: bool = False, parts: bool = False) -> None:
        super().__init__()
        self.status, self.take, self.parts = status, take, parts

    def next(self, body: bytes, path: str, *, named: bool = False) -> Fault | None:
        """Quote the request."""
        text = " ".join(parts_of(body.decode())) if self.parts else body.decode()
        quoted = {
            "code": canary.NORMAL["email"][0],
            "message": f"bad record: {text} {canary.TOKEN[: 14 if self.parts else None]}",
            "error_user_msg": text,
            "field": canary.PERSON["order_id"],
        }
        return Fault(status=self.status, take=self.take, body={"error": quoted, "error_data": text})


def parts_of(text: str) -> Iterator[str]:
    """Yield parts of what was sent, as platforms write them."""
    values = [value for value in re.findall(r'"([^"]+)"', text) if len(value) > 6]
    for number, value in enumerate(values):
        part = value[: len(value) // 2 + 4] if number % 2 else value[len(value) // 3 :]
        yield part
        yield base64.b64encode(part.encode()).decode()
        yield part.encode().hex()
        yield "".join(f"&#{ord(char)};" for char in part)
        yield "".join(f"%{byte:02X}" for byte in part.encode())


@dataclass
class World:
    """A project whose every value is a canary."""

    project: Project
    receiver: Receiver
    home: Path
    monkeypatch: pytest.MonkeyPatch
    watch: Watch
    platform: str = "capi"
    endpoint: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def write(self, **changes: Any) -> None:
        """Write the destination."""
        path = "/signal/v1/conversion" if self.platform == "capi" else ""
        meta = (
            {}
            if self.platform == "capi"
            else {
                "platform": "meta",
                "account": {"pixel_id": "123456789012345"},
                "constants": {"action_source": "website"},
            }
        )
        self.project.write(
            "env:WAREHOUSE_URL",
            (self.endpoint or self.receiver.url) + path,
            delivery__timeout="1s",
            **{**meta, **self.options, **changes},
        )

    def state(self) -> list[Path]:
        """Files of the state database."""
        return sorted((self.project.root / ".capi").glob("state.db*"))


@pytest.fixture
def loud(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What loggers say, every one at DEBUG."""
    caplog.set_level(logging.DEBUG)
    known = logging.root.manager.loggerDict.values()
    loggers = [
        each
        for each in known
        if isinstance(each, Logger) and not each.name.startswith("uvicorn")  # the receiver's own
    ]
    before = [(each, each.level, each.propagate) for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
        if not each.propagate:
            each.addHandler(caplog.handler)
    yield caplog
    for each, level, _ in before:
        each.setLevel(level)
        each.removeHandler(caplog.handler)


@pytest.fixture
def world(
    project: Project,
    postgres: str,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    canary.create(postgres)
    monkeypatch.setenv(
        "WAREHOUSE_URL", postgres.replace("postgres:@", f"postgres:{canary.PASSWORD}@")
    )
    monkeypatch.setenv("ACME_TOKEN", canary.TOKEN)
    home = tmp_path / "dagster home"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    receiver.state.secrets = replace(receiver.settings, token=canary.TOKEN)
    temporary = tmp_path / "temporary"
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    watch = Watch([project.root, home, temporary], tmp_path / "kept")
    made = World(project, receiver, home, monkeypatch, watch)
    made.write()
    yield made
    watch.stop()


Prepare = Callable[[World], contextlib.AbstractContextManager[None] | None]


def fault(**values: Any) -> Prepare:
    """The receiver commits a fault at every request, unless told otherwise."""

    def prepare(world: World) -> None:
        world.receiver.script.add(Fault(**{"times": 1_000, **values}))

    return prepare


def echo(
    status: int, *, take: bool = False, parts: bool = False, words: str | None = None
) -> Prepare:
    """The receiver quotes every request in its answer, and perhaps words of it are kept."""

    def prepare(world: World) -> None:
        world.receiver.script = Echo(status, take, parts)
        if words is not None:
            world.options["privacy__platform_messages"] = words
            world.write()

    return prepare


def nothing(world: World) -> None:
    """All is well."""


def an_old_token(world: World) -> None:
    world.monkeypatch.setenv("ACME_TOKEN", f"{canary.TOKEN}-old")


@contextlib.contextmanager
def an_unknown_authority(world: World) -> Iterator[None]:
    with serving(answering(lambda _: Answered(200)), tls=https(trustme.CA())) as server:
        world.endpoint = server.url
        world.write()
        yield


def nobody_at_the_endpoint(world: World) -> None:
    world.endpoint = f"http://127.0.0.1:{closed_port()}"
    world.write()


def a_state_that_cannot_be_reached(world: World) -> None:
    world.monkeypatch.setenv(
        "CAPI_STATE_URL",
        f"postgresql://{canary.STEM}:{canary.PASSWORD}@127.0.0.1:{closed_port()}/state",
    )


def a_state_that_is_broken(world: World) -> None:
    world.project.capi("sync", "acme", "--limit", "1", check=True)
    for file in world.state():
        file.write_bytes(b"this is no database, " * 1000)


def a_warehouse_that_cannot_be_reached(world: World) -> None:
    world.monkeypatch.setenv(
        "WAREHOUSE_URL",
        f"postgresql://{canary.STEM}:{canary.PASSWORD}@127.0.0.1:{closed_port()}/shop",
    )


def a_query_that_fails_over_a_value(world: World) -> None:
    """The driver says: invalid input syntax for type integer: "Zzcanary.Person@..."."""
    world.project.query(
        "select conversion_id, updated_at, event_name, event_time, email, currency, "
        "email::numeric as value from conversions"
    )


def a_personal_key(world: World) -> None:
    world.write(source__key=["email", "conversion_id"])


def a_phone_under_another_name(world: World) -> None:
    """Nothing but what the query makes of it, and what it looks like, tells what it is."""
    world.project.query(
        "select *, phone || right(conversion_id, 1) as reference from conversions"
        " where phone is not null and conversion_id <> 'd9'"
    )
    world.write(source__key="reference")


def a_number_of_a_patient(world: World) -> None:
    """Nobody can tell by looking at it; the YAML says so."""
    world.project.query("select *, ssn || conversion_id as reference from conversions")
    world.write(source__key="reference", privacy__keys="hashed")


def a_secret_in_the_yaml(world: World) -> None:
    world.write(
        auth__bearer=canary.TOKEN,
        constants={"email": canary.PERSON["email"]},
        alerts={"webhook": f"https://hooks.example.org/{canary.TOKEN}"},
    )


def a_password_in_the_yaml(world: World) -> None:
    world.write(
        source__warehouse=f"postgresql://shop:{canary.PASSWORD}@db.example.org/shop",
        account={"advertiser_id": canary.TOKEN},
    )


def yaml_that_is_none(world: World) -> None:
    world.project.write_text(
        f"attributes:\n  auth: {{bearer: {canary.TOKEN}\n  email: [{canary.PERSON['email']}\n"
    )


FAULTS: dict[str, tuple[Prepare, int]] = {
    "delivered": (nothing, 0),
    "a personal key": (a_personal_key, 0),
    "a phone under another name as key": (a_phone_under_another_name, 0),
    "the number of a patient as key": (a_number_of_a_patient, 0),
    "400 that quotes the record": (echo(400), 1),
    "400 that quotes the record, its words kept": (echo(400, words="redacted"), 1),
    "400 that quotes parts": (echo(400, parts=True), 1),
    "400 that quotes parts, its words kept": (echo(400, parts=True, words="redacted"), 1),
    "401 that quotes parts, its words kept": (echo(401, parts=True, words="redacted"), 3),
    "422 that quotes the record": (echo(422), 1),
    "401 that quotes the token": (echo(401), 3),
    "an old token": (an_old_token, 3),
    "404 that quotes the record": (echo(404), 3),
    "409 that quotes the record": (echo(409, take=True), 1),
    "500 after taking": (echo(500, take=True), 1),
    "an hour of patience": (fault(status=429, headers={"Retry-After": "3600"}), 1),
    "a redirect": (
        fault(
            kind="redirect",
            headers={
                "Location": "https://evil.example.org/"
                f"?email={canary.PERSON['email']}&token={canary.TOKEN}"
            },
        ),
        3,
    ),
    "an error inside 200": (echo(200), 1),
    "nothing at all": (fault(kind="empty"), 1),
    "half an answer": (fault(kind="truncate"), 1),
    "a reset": (fault(kind="reset"), 1),
    "a drip": (fault(kind="drip", seconds=30, take=True, times=1), 0),
    "silence": (fault(kind="hang", seconds=30, times=1), 0),
    "an unknown authority": (an_unknown_authority, 3),
    "nobody at the endpoint": (nobody_at_the_endpoint, 3),
    "a state that cannot be reached": (a_state_that_cannot_be_reached, 3),
    "a state that is broken": (a_state_that_is_broken, 3),
    "a warehouse that cannot be reached": (a_warehouse_that_cannot_be_reached, 3),
    "a query that fails over a value": (a_query_that_fails_over_a_value, 3),
    "a secret in the YAML": (a_secret_in_the_yaml, 2),
    "a password in the YAML": (a_password_in_the_yaml, 2),
    "YAML that is none": (yaml_that_is_none, 2),
}
"""What goes wrong -> how to make it go wrong, and the exit code of `capi sync`."""


@contextlib.contextmanager
def prepared(world: World, prepare: Prepare) -> Iterator[None]:
    context = prepare(world)
    with context if context is not None else contextlib.nullcontext():
        yield


def assert_no_trace(world: World, found: dict[str, bytes]) -> None:
    """0 hits in what was printed, and in all that appeared in a file or lies in one, but for what a
    person wrote.
    """
    written = [str(world.project.root / name) for name in ("dagster_project", "sql")]
    stored = world.watch.stop()
    stored |= canary.files(world.project.root)
    if world.home.is_dir():
        stored |= canary.files(world.home)
    places = found | {
        place: content for place, content in stored.items() if not place.startswith(tuple(written))
    }
    assert canary.hits(places) == []
    size = sum(map(len, places.values()))
    print(f"0 hits in {len(places)} places, {size:,} bytes")


@pytest.mark.parametrize("name", FAULTS)
def test_the_command_line_tells_nothing(
    world: World, name: str, capfd: pytest.CaptureFixture[str], loud: pytest.LogCaptureFixture
) -> None:
    prepare, code = FAULTS[name]
    world.monkeypatch.chdir(world.project.root)
    with prepared(world, prepare):
        printed: dict[str, bytes] = {}
        for verb in (
            ["sync", "--json"],
            ["rejected", "--json"],
            ["rejected", "--format", "csv"],
            ["status"],
            ["check"],
        ):
            result = CliRunner().invoke(app, [verb[0], "acme", *verb[1:]])
            printed[" ".join(verb)] = (
                result.stdout_bytes + result.stderr_bytes + repr(result.exception).encode()
            )
            assert verb[0] != "sync" or result.exit_code == code, printed
        captured = capfd.readouterr()
        printed |= {
            "other stdout": captured.out.encode(),
            "other stderr": captured.err.encode(),
            "logs": loud.text.encode(),
        }
        assert not any(b"Traceback" in text for text in printed.values())
        assert_no_trace(world, printed)


@pytest.mark.parametrize("name", ["401 that quotes the token", "silence", "a secret in the YAML"])
def test_a_process_of_its_own_tells_nothing_either(world: World, name: str) -> None:
    prepare, code = FAULTS[name]
    with prepared(world, prepare):
        done = world.project.capi("sync", "acme")
        assert done.code == code, done
        assert "Traceback" not in done.err
        assert_no_trace(world, {"stdout": done.out.encode(), "stderr": done.err.encode()})


@pytest.mark.parametrize("name", FAULTS)
def test_dagster_keeps_nothing(
    world: World, name: str, capfd: pytest.CaptureFixture[str], loud: pytest.LogCaptureFixture
) -> None:
    prepare, code = FAULTS[name]
    world.platform = "meta"
    world.write()
    with prepared(world, prepare):
        told, metadata = "", ""
        with persistent_instance(world.home) as instance:
            try:
                destination = load(world.project.path(), world.project.root)
            except ConnectorError:
                assert code == 2
                told = repr(serializable_error_info_from_exc_info(sys.exc_info()))
            else:
                run = materialize(destination, instance)
                assert run.success == (code == 0), run.failed_steps
                metadata = (
                    repr(run.materializations)
                    + repr(run.observations)
                    + repr(run.failed_steps)
                    + repr([vars(event) for event in run.events])
                )
        captured = capfd.readouterr()
        printed = {
            "stdout": captured.out,
            "stderr": captured.err,
            "logs": loud.text,
            "metadata": metadata,
            "error": told,
        }
        assert_no_trace(world, {place: text.encode() for place, text in printed.items()})


KILLED = ("after_plan", "before_intent", "before_send", "after_send", "inside_commit")
"""While planning, sending and committing."""

LOUD = (
    "import logging, sqlalchemy; logging.basicConfig(level=logging.DEBUG);"
    " logging.getLogger('sqlalchemy').setLevel(logging.DEBUG);"  # it sets itself to WARNING
    " from connector.cli.app import main; main()"
)


@pytest.mark.parametrize("failpoint", KILLED)
def test_a_killed_process_leaves_nothing(world: World, failpoint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOUD, "sync", "acme"],
        cwd=world.project.root,
        env={**os.environ, "CAPI_FAILPOINT": failpoint, "CAPI_DEBUG": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert b"DEBUG" in done.stderr
    with contextlib.closing(sqlite3.connect(world.state()[0])) as connection:
        (key,) = connection.execute("select key_hex from installation").fetchone()
    assert key.encode() not in done.stdout + done.stderr, "the installation key was logged"
    assert_no_trace(world, {"stdout": done.stdout, "stderr": done.stderr})


@pytest.mark.slow
def test_steps_in_processes_of_their_own_keep_nothing(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world.platform = "meta"
    for name in ("WAREHOUSE_URL", "ACME_TOKEN"):  # of the environment, the job's arguments hold all
        (tmp_path / name).write_text(os.environ[name], encoding="utf-8")
        (tmp_path / name).chmod(0o600)
        world.monkeypatch.delenv(name)
    world.write(
        source__key=["phone", "conversion_id"],
        source__warehouse=f"file:{tmp_path / 'WAREHOUSE_URL'}",
        auth__bearer=f"file:{tmp_path / 'ACME_TOKEN'}",
    )
    world.receiver.script = Echo(400, parts=True)
    with persistent_instance(world.home) as instance:
        run = materialize_in_processes(load(world.project.path(), world.project.root), instance)
        assert not run.success
        told = repr(run.observations) + repr([vars(event) for event in run.events])
    captured = capfd.readouterr()
    printed = {"stdout": captured.out, "stderr": captured.err, "metadata": told}
    assert_no_trace(world, {place: text.encode() for place, text in printed.items()})


def test_the_person_was_there_all_the_time(world: World) -> None:
    """The counterpart of the tests above:
    what arrived holds the person's digests and the search finds them.
    """
    world.platform = "meta"
    world.write()
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(world.project.load(), instance).success
    arrived = {
        str(number): repr(event).encode()
        for number, event in enumerate(world.receiver.inbox.latest)
    }
    found = {trace.partition(",")[0] for _, trace in canary.hits(arrived)}
    assert len(found) >= 6, found
    assert "ssn" not in found, "a column that no destination asks for left the database"


@pytest.mark.parametrize(
    "text",
    [
        canary.PASSWORD,
        canary.TOKEN.upper(),
        *canary.PERSON.values(),
        *canary.NORMAL["phone"],
        f"x={canary.PERSON['postal_code']},",
    ],
)
def test_the_search_finds_what_is_there(text: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"something {text} something", encoding="utf-8")
    assert canary.hits(canary.files(tmp_path))


@pytest.mark.parametrize("form", canary.FORMS)
def test_the_search_finds_six_characters_in_every_form(form: str) -> None:
    part = canary.TOKEN[9:15]
    for written in canary.FORMS[form](part):
        assert canary.hits({"a file": b"something" + written + b"something"})
        assert not canary.hits({"a file": b"something" + written[1:] + b"something"})


def test_files_that_are_gone_again_are_searched(tmp_path: Path) -> None:
    watch = Watch([tmp_path / "work"], tmp_path / "kept")
    for number in range(20):
        file = tmp_path / "work" / str(number)
        file.write_text("x" * number)
        while str(file) not in watch.names.values():
            assert watch.is_alive
        file.write_text(f"{number} {canary.TOKEN}")
        file.unlink()
    found = watch.stop()
    assert len(found) == 20
    assert len({place for place, _ in canary.hits(found)}) == 20
