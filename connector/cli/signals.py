"""Signals that ask the command line to end, for commands that go on until then."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[threading.Event]:
    """Within this block a first signal sets the event; a second one ends the process as usual."""
    asked = threading.Event()
    handlers = {each: signal.getsignal(each) for each in ENDING}
    # What is ignored stays so: `nohup` has a process outlive its terminal.
    before = {each: handler for each, handler in handlers.items() if handler != signal.SIG_IGN}

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    def ask(*_: object) -> None:
        asked.set()
        restore()

    for each in before:
        signal.signal(each, ask)
    try:
        yield asked
    finally:
        restore()
