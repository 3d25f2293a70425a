"""Each benchmark runs, and what is compared delivers the same."""

from __future__ import annotations

import importlib
import os
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks import contenders, data, idle, start
from benchmarks.__main__ import PARTS
from benchmarks.contenders import Contender, capi, good_script, race
from benchmarks.measure import Options
from benchmarks.processes import Command, Usage, execute
from benchmarks.receiver import receiving
from tests.support.commands import launcher
from tests.support.servers import Reply, Request, answering, serving

TINY = Options(turns=1, sizes=(20,), latencies=(0.0,), largest=20)

WHOLE = ("sync",)
"""Parts that start the command line as people do; the others fork one that has its imports."""


def forked(command: Command) -> Usage:
    """Run `capi` without its start-up; any other command as it is."""
    program, *arguments = command.arguments
    if Path(program).name != "capi":
        return execute(command)
    given = {name: value for name, value in os.environ.items() if not name.startswith("CAPI_")}
    began = time.perf_counter()
    job = launcher().start(
        "capi",
        *arguments,
        cwd=command.folder,
        environment={**given, **command.environment},
        alone=True,
    )
    assert job.wait() == 0, job.err.read_text(encoding="utf-8")
    seconds = time.perf_counter() - began
    return Usage(seconds, seconds, 1, job.out.read_text(encoding="utf-8"))


@pytest.mark.parametrize("part", PARTS)
def test_each_part_prints_a_table(
    part: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if part not in WHOLE:
        for module in (contenders, start, idle):
            monkeypatch.setattr(module, "execute", forked)
    importlib.import_module(f"benchmarks.{part}").run(TINY)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 3
    size = "50 rows/s" if part == "follow" else "20 rows"
    assert any(size in line for line in lines)


@pytest.mark.parametrize("platform", ["meta", "capi"])
def test_the_script_sends_what_capi_sync_sends(platform: str, tmp_path: Path) -> None:
    """But for the event's id, whose recipe is each one's own."""
    warehouse = tmp_path / "warehouse.duckdb"
    data.duckdb_file(warehouse, 50)
    ours, script = (
        sent(contender, warehouse, tmp_path / str(number))
        for number, contender in enumerate([capi(platform=platform), good_script(platform)])
    )
    assert len(ours) == 50
    assert ours == script


def test_a_run_that_did_not_deliver_all_is_no_result(tmp_path: Path) -> None:
    idle = Contender("idle", "", lambda root, warehouse, url: Command(("true",), root))
    with receiving() as receiver, pytest.raises(RuntimeError, match="0 events came in place of 20"):
        race([idle], tmp_path / "warehouse.duckdb", 20, receiver, 1)


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"exit 3 [\s\S]*the reason"):
        execute(Command(("sh", "-c", "echo the reason >&2; exit 3"), tmp_path))


def sent(contender: Any, warehouse: Path, root: Path) -> list[Any]:
    """The events of one run, in one order and without their ids."""

    def take(request: Request) -> Reply:
        count = request.body.count(b'"event_id"')
        return Reply(body={"status": "ok", "events_received": count})

    root.mkdir()
    with serving(answering(take)) as server:
        execute(contender.prepare(root, warehouse, server.url))
    bodies = [orjson.loads(request.body) for request in server.requests]
    events = [event for body in bodies for event in body.get("data", [body])]
    assert len({event.pop("event_id") for event in events}) == len(events)
    return sorted(events, key=lambda event: orjson.dumps(event, option=orjson.OPT_SORT_KEYS))
