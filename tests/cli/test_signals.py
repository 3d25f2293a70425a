"""Signals that ask the command line to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from connector.cli.signals import ENDING, ended_by_signals


@pytest.fixture(autouse=True)
def handlers() -> Iterator[dict[signal.Signals, object]]:
    """Handlers of this process, which are put back."""
    before = {each: signal.getsignal(each) for each in ENDING}
    yield before
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", ENDING)
def test_the_first_signal_asks_and_the_second_is_as_ever(
    number: signal.Signals, handlers: dict[signal.Signals, object]
) -> None:
    signal.signal(number, signal.default_int_handler)
    with ended_by_signals() as asked:
        assert not asked.is_set()
        os.kill(os.getpid(), number)
        assert asked.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_after_the_block_all_is_as_before(handlers: dict[signal.Signals, object]) -> None:
    with ended_by_signals():
        assert signal.getsignal(signal.SIGTERM) != handlers[signal.SIGTERM]
    assert {each: signal.getsignal(each) for each in ENDING} == handlers


def test_what_is_ignored_stays_ignored() -> None:
    """`nohup` has a process outlive its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ended_by_signals() as asked:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not asked.is_set()
