"""What the command line says of its own mistakes."""

from __future__ import annotations

import pytest
import typer

from connector.cli import output


def test_with_capi_debug_the_way_to_a_mistake_is_told_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CAPI_DEBUG", "1")
    who = "jane@" + "example.org"
    with pytest.raises(typer.Exit) as ended:
        mistaken_over(who)
    told = capsys.readouterr()
    assert ended.value.exit_code == 1
    assert who not in told.out + told.err
    assert "builtins.RuntimeError" in told.err
    assert "builtins.ValueError" in told.err
    assert "test_output.py" in told.err


def mistaken_over(who: str) -> None:
    with output.errors(json=False):
        try:
            int(who)
        except ValueError as error:
            raise RuntimeError(who) from error
