"""Secrets are references: read when they are needed,
refused where they are unfit, shown nowhere.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.commands.check import check
from connector.commands.sync import sync
from connector.config.secrets import is_reference, resolve
from connector.delivery.auth.select import auth_for
from connector.errors import ConfigError
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion

SECRET = "s3cr3t-7f2a"


def secret_file(folder: Path, content: str | bytes, mode: int = 0o600) -> Path:
    """A file that holds a secret."""
    path = folder / "token"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def test_an_environment_variable_is_read_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", "first")
    assert resolve("env:A_TOKEN", tmp_path) == "first"
    monkeypatch.setenv("A_TOKEN", SECRET)
    assert resolve("env:A_TOKEN", tmp_path) == SECRET


@pytest.mark.parametrize("name", ["token", "./token", "sub/../token"])
def test_a_file_is_read_from_the_root_and_its_last_line_break_is_dropped(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "sub").mkdir()
    path = secret_file(tmp_path, SECRET + "\n")
    assert resolve(f"file:{name}", tmp_path) == SECRET
    assert resolve(f"file:{path}", tmp_path / "sub") == SECRET


def test_an_empty_or_missing_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY", "")
    for name in ("EMPTY", "NOT_THERE"):
        with pytest.raises(ValueError, match=f"^the environment variable {name} is not set$"):
            resolve(f"env:{name}", tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o740])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    secret_file(tmp_path, SECRET, mode)
    with pytest.raises(
        ValueError, match=r"^the secret file token is readable by others; run: chmod 600 token$"
    ):
        resolve("file:token", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "is empty"), (" \n ", "is empty"), (b"\xff\xfe", "cannot be read")],
)
def test_a_file_without_a_secret_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    secret_file(tmp_path, content)
    with pytest.raises(ValueError, match=f"^the secret file token {message}$"):
        resolve("file:token", tmp_path)


@pytest.mark.parametrize("name", ["nothing", ".", "token/token"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    secret_file(tmp_path, SECRET)
    with pytest.raises(ValueError, match=r"cannot be read$"):
        resolve(f"file:{name}", tmp_path)


@pytest.mark.parametrize(
    "held",
    [
        f"{SECRET}\r\n",
        f"{SECRET}\nX-Other: 1",
        f"{SECRET}\t",
        f"{SECRET}\x00",
        f"{SECRET}\x7f",
        f"{SECRET}é",
        f"“{SECRET}”",
    ],
)
def test_what_no_header_can_carry_is_refused_without_showing_it(tmp_path: Path, held: str) -> None:
    secret_file(tmp_path, f"x{held}x")
    with pytest.raises(
        ValueError,
        match=r"^the secret file token holds a line break or another character that no token has$",
    ) as caught:
        resolve("file:token", tmp_path)
    assert SECRET not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=20) | st.from_regex(r"(env|file|ENV)?:?[A-Za-z_0-9./ -]{0,12}", fullmatch=True)
)
def test_only_env_and_file_are_references(text: str) -> None:
    kind, colon, name = text.partition(":")
    plausible = bool(colon) and (
        (kind == "env" and name.isascii() and name.rstrip("\n").isidentifier())
        or (kind == "file" and bool(name.split("\n")[0]))
    )
    assert is_reference(text) == plausible


def test_a_run_without_its_secret_sends_nothing_and_names_the_key_and_the_variable(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    monkeypatch.delenv("ACME_TOKEN")
    with pytest.raises(
        ConfigError, match=r"^acme: auth\.bearer: the environment variable ACME_TOKEN is not set$"
    ):
        sync(made)


def test_a_secret_shows_in_no_repr(project: Project, duck_destination: Make) -> None:
    """Objects end up in tracebacks and logs; what holds the token must not print it."""
    secret_file(project.root, SECRET)
    made = duck_destination(auth={"bearer": "file:token", "hmac": "file:token"})
    auth = auth_for(made, None)
    assert SECRET not in repr(auth) + repr(made) + str(made.model)


def test_check_names_every_secret_that_is_not_there_and_shows_none(
    project: Project, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAD", f"{SECRET}\n")
    project.write(duck.url, "https://px.dsp.example/x", auth={"bearer": "env:BAD"})
    (problem,) = check(project.path(), root=project.root).errors
    assert "auth.bearer: the environment variable BAD holds a line break" in problem.message
    assert SECRET not in str(problem)


@pytest.mark.parametrize(
    "changes",
    [
        {"auth": {"bearer": "env:FIRST_MISSING", "hmac": "env:SECOND_MISSING"}},
        {"auth": {"bearer": "env:FIRST_MISSING"}, "alerts": {"webhook": "env:SECOND_MISSING"}},
    ],
)
def test_check_names_all_missing_secrets_together(
    project: Project, duck: DuckDb, changes: dict[str, dict[str, str]]
) -> None:
    project.write(duck.url, "https://px.dsp.example/x", **changes)
    messages = " ".join(
        problem.message for problem in check(project.path(), root=project.root).errors
    )
    assert "FIRST_MISSING" in messages
    assert "SECOND_MISSING" in messages


def test_a_relative_secret_does_not_depend_on_the_folder_one_stands_in(
    project: Project, duck_destination: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_file(project.root, SECRET)
    made = duck_destination(auth={"bearer": "file:token"})
    monkeypatch.chdir(os.path.sep)
    assert resolve(str(made.model.auth.bearer), made.root) == SECRET
