"""`capi acts`: who resolved, erased, replayed, renamed or rekeyed what, and when."""

from __future__ import annotations

import datetime as dt

import pytest

import connector
from connector.state import acts as state
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion


@pytest.fixture
def sent(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> connector.Destination:
    """A destination that delivered some rows and rejected one, and a person with a name."""
    monkeypatch.setenv("CAPI_ACTOR", "jane@shop.example")
    duck.insert(*(conversion(number) for number in range(3)), conversion(9, email=None))
    made = duck_destination()
    connector.sync(made)
    return made


def test_each_act_is_recorded_with_who_when_and_what(
    sent: connector.Destination, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    assert connector.acts(sent) == []  # a run is no act of a person
    connector.erase(sent, key=("c000001",))
    connector.replay(sent, reason="no_identity")
    connector.replay(sent, key=("c000009",))
    connector.resolve(sent, ambiguous="delivered")
    connector.resolve(sent, accept_change=True)
    connector.sync(sent, options=connector.Options(yes=True))
    connector.resolve(sent, restart="now")
    found = connector.acts(sent)
    assert [each.verb for each in found] == [
        *("erase", "replay", "replay", "resolve", "resolve", "sync", "resolve")
    ]
    assert {each.person for each in found} == {"jane@shop.example"}
    assert all(before <= each.at <= dt.datetime.now(dt.UTC) for each in found)
    erased, by_reason, by_key, decided, accepted, _, restarted = (each.details for each in found)
    assert erased["before"] == "delivered"
    assert by_reason == {"reason": "no_identity", "key_hash": None}
    assert (decided, accepted) == ({"ambiguous": "delivered", "rows": 0}, {"accepted": []})
    assert restarted["restart"] == "now"
    assert "c000001" not in str(found)
    assert "c000009" not in str(found)
    assert len(erased["key_hash"]) == len(by_key["key_hash"]) == 32
    shown = project.capi("acts", "acme", "--json", check=True).lines()
    assert shown == [each.to_json() for each in found]
    assert "jane@shop.example" in project.capi("acts", "acme", check=True).out
    assert (
        project.capi("acts", "acme", "--since", "2099-01-01T00:00:00Z", "--json", check=True).out
        == ""
    )


def test_the_trail_goes_with_a_destination_that_is_renamed(
    sent: connector.Destination, project: Project
) -> None:
    connector.erase(sent, key=("c000001",))
    project.path().parent.rename(project.path().parent.parent / "shop")
    renamed = project.load("shop")
    connector.rename(renamed, old="acme")
    found = connector.acts(renamed)
    assert [(each.verb, each.details.get("old")) for each in found] == [
        ("erase", None),
        ("rename", "acme"),
    ]


def test_another_key_is_an_act_on_every_destination(
    sent: connector.Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector.rekey([sent])
    (found,) = connector.acts(sent)
    assert (found.verb, found.details["forgotten"]) == ("rekey", 0)
    assert len(str(found.details)) < 200


def test_an_act_that_fails_leaves_no_trace_of_having_been_done(
    sent: connector.Destination,
) -> None:
    with pytest.raises(connector.ConfigError):
        connector.erase(sent, key=("a", "b"))
    with pytest.raises(connector.ConfigError):
        connector.resolve(sent)
    assert connector.acts(sent) == []


def test_without_a_given_name_the_user_and_the_host_are_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOGNAME", "jane")
    user, _, host = state.person().partition("@")
    assert (user, bool(host)) == ("jane", True)
