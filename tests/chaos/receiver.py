"""A platform that misbehaves, in a process of its own,
with an inbox that is written before every answer.

The inbox is the truth of these tests: what stands in it was taken, whatever the connector was told.
A lane is the first part of the path, one for each destination, and has a text file. Each request
appends its lines with one write, first `Q` for the request, then an `E` for each event that it
took:

    Q  time  number  fault  taken  events
    E  time  number  row    event_id  sha256 of the record's bytes
 Faults are scripted for single requests, or come as weather:
calm, in which one request in a hundred fails, and storms, in which most do, all in the same way.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.servers import Peer, Request, serving

POISON = 6666.66
"""The value of a conversion that this platform never takes."""


class Fault(NamedTuple):
    """One way to answer badly.

    taken: the events are taken all the same. final: the run ends because of it.
    """

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = {}
    taken: bool = False
    final: bool = False
    kind: str = "status"


_ERROR = b'{"error": {"code": "busy", "message": "try again"}}'

FAULTS: dict[str, Fault] = {
    "500_before": Fault(500, _ERROR),
    "500_after": Fault(500, _ERROR, taken=True),
    "503_before": Fault(503, _ERROR),
    "503_after": Fault(503, _ERROR, taken=True),
    "429_before": Fault(429, _ERROR),
    "429_after": Fault(429, _ERROR, taken=True),
    "429_decimal": Fault(429, _ERROR, {"Retry-After": "1.5"}),
    "429_ten_years": Fault(429, _ERROR, {"Retry-After": "315360000"}, final=True),
    "reset_before": Fault(kind="reset"),
    "reset_after": Fault(kind="reset", taken=True),
    "timeout_before": Fault(kind="hang"),
    "timeout_after": Fault(kind="hang", taken=True),
    "slow": Fault(kind="drip", taken=True),
    "garbage": Fault(200, b"<html><body>It works!</body></html>", {"Content-Type": "text/html"}),
    "empty": Fault(200, b""),
    "truncated": Fault(kind="truncate", taken=True),
    "redirect": Fault(kind="redirect", final=True),
    "error_body": Fault(200, _ERROR),
}
"""All faults but poison, which lies in the rows."""

STORMS = [
    name
    for name in FAULTS
    if name
    not in ("429_ten_years", "redirect", "429_decimal", "timeout_before", "timeout_after", "slow")
]
"""Faults that may last: the others end a run at once or cost it seconds."""


@dataclass
class Lane:
    """How one destination is treated.

    script: number of the request -> fault. calm, storm: shares of requests that fail.
    """

    inbox: int
    random: random.Random
    script: dict[int, str] = field(default_factory=dict)
    calm: float = 0.0
    storm: float = 0.0
    requests: int = 0
    left: int = 0
    kind: str | None = None

    def next_fault(self) -> str | None:
        """What happens to the next request."""
        self.requests += 1
        if self.requests in self.script:
            return self.script.pop(self.requests)
        if not self.calm:
            return None
        if self.left <= 0:
            stormy = self.kind is None and self.random.random() < 0.3
            self.kind = self.random.choice(STORMS) if stormy else None
            self.left = self.random.randint(5, 40) if stormy else self.random.randint(20, 150)
        self.left -= 1
        if self.kind is not None:
            return self.kind if self.random.random() < self.storm else None
        return self.random.choice(list(FAULTS)) if self.random.random() < self.calm else None


class Platform:
    """The server. folder: of the inboxes; seed: of the weather."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._lock = threading.Lock()
        self._lanes: dict[str, Lane] = {}

    def __call__(self, peer: Peer) -> None:
        """One connection."""
        while (request := peer.read()) is not None:
            peer._server.requests.clear()
            if not self._answer(peer, request):
                return

    def _answer(self, peer: Peer, request: Request) -> bool:
        if request.target.startswith("/elsewhere"):
            peer.answer()
            return True
        name = request.target.strip("/").partition("/")[0]
        records = records_of(request.body)
        poisoned = any(map(is_poisoned, records))
        with self._lock:
            lane = self._lane(name)
            fault = FAULTS.get(lane.next_fault() or "")
            told = (
                next((known for known, each in FAULTS.items() if each is fault), "ok")
                if fault
                else "ok"
            )
            taken = not poisoned and (fault is None or fault.taken)
            _write(lane, told if fault or not poisoned else "refused", taken, records)
        if fault is not None:
            return _fail(peer, fault)
        if poisoned:
            peer.answer(
                400, b'{"error": {"code": "E_POISON", "message": "some event is not valid"}}'
            )
        else:
            peer.answer(200, f'{{"received": {len(records)}, "status": "ok"}}')
        return True

    def tell(self, message: dict[str, Any]) -> None:
        """Change how a lane is treated: `calm`, `storm`,
        and a `script` whose numbers count from the next request.
        """
        with self._lock:
            lane = self._lane(message["lane"])
            lane.calm, lane.storm = message.get("calm", 0.0), message.get("storm", 0.0)
            lane.left, lane.kind = 0, None
            lane.script = {
                lane.requests + int(number): name
                for number, name in message.get("script", {}).items()
            }

    def _lane(self, name: str) -> Lane:
        if name not in self._lanes:
            inbox = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._lanes[name] = Lane(inbox, random.Random(f"{self._seed}/{name}"))
        return self._lanes[name]


def _write(lane: Lane, fault: str, taken: bool, records: list[bytes]) -> None:
    now = time.time_ns()
    lines = [f"Q\t{now}\t{lane.requests}\t{fault}\t{int(taken)}\t{len(records)}\n"]
    for record in records if taken else ():
        event = json.loads(record)
        digest = hashlib.sha256(record).hexdigest()
        names = f"{event['order_id']}\t{event['event_id']}"
        lines.append(f"E\t{now}\t{lane.requests}\t{names}\t{digest}\n")
    os.write(lane.inbox, "".join(lines).encode())


def _fail(peer: Peer, fault: Fault) -> bool:
    """Answer badly; whether the connection goes on."""
    if fault.kind == "status":
        peer.answer(fault.status, fault.body, fault.headers)
        return True
    if fault.kind == "redirect":
        peer.answer(302, b"", {"Location": f"{peer._server.url}/elsewhere"})
        return True
    if fault.kind == "hang":
        peer.hold(5)
    elif fault.kind == "drip":
        peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        )
        peer.drip(b" ")
    elif fault.kind == "truncate":
        peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
            b'\r\n{"status":'
        )
        peer.close()
    else:
        peer.reset()
    return False


def is_poisoned(record: bytes) -> bool:
    """Whether this platform refuses a record."""
    return f'"value":{POISON}'.encode() in record


def records_of(body: bytes) -> list[bytes]:
    """The exact bytes of each record in `{"events":[...]}`; the whole body on the base platform."""
    if not body.startswith(b'{"events":['):
        return [body]
    text, decoder, position, records = body.decode(), json.JSONDecoder(), len('{"events":['), []
    while text[position] == "{":
        _, end = decoder.raw_decode(text, position)
        records.append(text[position:end].encode())
        position = end + 1
    return records


class Call(NamedTuple):
    """One request.

    at: unix nanoseconds; fault: how it was answered, or `ok`, or `refused`; taken: its events were.
    """

    at: int
    fault: str
    taken: bool
    size: int


class Entry(NamedTuple):
    """One event that was taken. request: its number in the lane; fault: how that was answered."""

    at: int
    request: int
    fault: str
    row: str
    event_id: str
    digest: str


class Receiver:
    """The parent's side of the process."""

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.receiver", str(folder), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()
        self.url = str(self._line()["url"])

    def treat(
        self,
        lane: str,
        *,
        calm: float = 0.0,
        storm: float = 0.0,
        script: dict[int, str] | None = None,
    ) -> None:
        """Decide how a lane is treated from now on; without arguments, well.

        script: n-th request from now -> fault.
        """
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(
                json.dumps({"lane": lane, "calm": calm, "storm": storm, "script": script or {}})
                + "\n"
            )
            self._process.stdin.flush()
            self._line()

    def received(self, lane: str) -> tuple[list[Call], list[Entry]]:
        """The requests that a lane had, and the events that it took, in order."""
        calls: list[Call] = []
        entries: list[Entry] = []
        path = self.folder / lane
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            kind, at, number, *rest = line.split("\t")
            if kind == "Q":
                calls.append(Call(int(at), rest[0], rest[1] == "1", int(rest[2])))
            else:
                entries.append(Entry(int(at), int(number), calls[-1].fault, *rest))
        return calls, entries

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


def main(folder: str, seed: int) -> None:
    """Serve until stdin ends."""
    platform = Platform(Path(folder), seed)
    with serving(platform) as server:
        print(json.dumps({"url": server.url}), flush=True)
        for line in sys.stdin:
            platform.tell(json.loads(line))
            print("{}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
