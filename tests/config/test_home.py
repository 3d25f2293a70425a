"""The folder of the state is nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.commands.check import check
from connector.errors import ConfigError
from connector.state.store import Store, state_url
from tests.support.projects import Project
from tests.support.warehouses import DuckDb


def test_a_folder_into_which_everybody_may_write_is_refused(
    project: Project, duck: DuckDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    monkeypatch.setenv("CAPI_HOME", str(home))
    with pytest.raises(ConfigError, match="everybody on this machine may write to"):
        Store.open(state_url(project.root))
    assert list(home.iterdir()) == []
    project.write(duck.url, "https://px.dsp.example/x")
    (problem,) = check(project.path(), root=project.root).errors
    assert f"run: chmod o-w {home}" in problem.message
    home.chmod(0o750)
    Store.open(state_url(project.root)).close()


def test_a_state_file_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    other.mkdir()
    (home / "state.db").symlink_to(other / "state.db")
    url = state_url(tmp_path, f"sqlite:///{home}/state.db")
    with pytest.raises(ConfigError, match="a symbolic link that leads out of its folder"):
        Store.open(url)
    assert list(other.iterdir()) == []


def test_a_folder_that_is_a_link_as_a_whole_is_a_choice(tmp_path: Path) -> None:
    """As where a volume is mounted elsewhere."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "volume")
    Store.open(state_url(tmp_path, f"sqlite:///{tmp_path}/home/state.db")).close()
    assert (tmp_path / "volume" / "state.db").is_file()
