"""A destination is the one that the state knows: its target, its name, its state."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from connector.commands.erase import erase
from connector.commands.rename import rename
from connector.commands.replay import replay
from connector.commands.resolve import resolve
from connector.commands.status import status
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.errors import ConfigError, StateMismatch
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver, Settings, running
from tests.conftest import Make
from tests.support.projects import TOKEN, Project
from tests.support.warehouses import DuckDb, ago, conversion

OTHER_ACCOUNT = {"advertiser_id": 13, "data_source_key": "abc123def456"}


def events(receiver: Receiver) -> int:
    """Events that arrived, copies too."""
    return int(receiver.inbox.summary()["accepted"])


def test_another_target_under_the_same_name_is_refused(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1))
    sync(duck_destination())
    duck.insert(conversion(2))
    with running(Settings(port=0, token=TOKEN)) as elsewhere:
        address = f"{receiver.url}/signal/v1/conversion"
        other_address = f"{elsewhere.url}/signal/v1/conversion"
        changes: dict[str, tuple[str, dict[str, object]]] = {
            "endpoint": (other_address, {}),
            "account.advertiser_id": (address, {"account": OTHER_ACCOUNT}),
        }
        for words, (endpoint, change) in changes.items():
            project.write("env:WAREHOUSE_URL", endpoint, **change)
            made = project.load()
            with pytest.raises(StateMismatch, match=f"^acme: {words} changed since the last run"):
                sync(made)
            assert status(made).runs[0]["status"] == "refused"
        assert (events(receiver), events(elsewhere)) == (1, 0)
    assert sync(duck_destination()).delivered == 1


def test_another_platform_under_the_same_name_is_refused(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1))
    sync(duck_destination())
    project.write(
        "env:WAREHOUSE_URL", receiver.url, platform="meta", account={"pixel_id": "123456789012345"}
    )
    with pytest.raises(StateMismatch, match="platform and endpoint and account"):
        sync(project.load())


def test_a_request_that_is_open_at_the_old_target_is_not_sent_to_the_new_one(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """Also where nothing was recorded yet: the first page was cut off."""
    duck.insert(conversion(1))
    duck_destination()
    assert project.capi("sync", "acme", CAPI_FAILPOINT="after_send:1").code < 0
    changed = duck_destination(account=OTHER_ACCOUNT)
    with pytest.raises(StateMismatch, match="account.advertiser_id changed"):
        sync(changed)
    assert events(receiver) == 1


def test_a_changed_target_can_be_accepted_as_the_same(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1))
    sync(duck_destination())
    changed = duck_destination(account=OTHER_ACCOUNT)
    assert resolve(changed, accept_change=True).accepted == ("account.advertiser_id",)
    duck.insert(conversion(2))
    assert sync(changed).delivered == 1
    with pytest.raises(StateMismatch):
        sync(duck_destination())


def test_for_a_new_target_a_destination_begins_anew(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """What the old one got is forgotten, quarantine and open requests too."""
    duck.insert(conversion(1), conversion(2, email=None))
    sync(duck_destination())
    duck.insert(conversion(3))
    receiver.script.add(Fault(status=500, take=True, times=20))
    assert not sync(duck_destination()).complete
    receiver.script.clear()
    changed = duck_destination(account=OTHER_ACCOUNT)
    resolve(changed, restart="all")
    duck.execute("update conversions set email = 'mended@shop.example.org'")
    assert sync(changed).delivered == 3
    assert status(changed).recorded == {"delivered": 3}
    assert status(changed).quarantine == {}


def test_where_nothing_was_delivered_yet_the_target_may_change(
    duck_destination: Make, duck: DuckDb
) -> None:
    sync(duck_destination())
    duck.insert(conversion(1))
    assert sync(duck_destination(account=OTHER_ACCOUNT)).delivered == 1


@pytest.fixture
def renamed(project: Project, duck_destination: Make, duck: DuckDb) -> Destination:
    """A destination whose folder was renamed from acme to apex after three rows were delivered."""
    duck.insert(*(conversion(number) for number in range(3)))
    sync(duck_destination())
    shutil.move(project.path().parent, project.path("apex").parent)
    return project.load("apex")


def test_a_folder_that_was_renamed_is_refused(renamed: Destination, receiver: Receiver) -> None:
    with pytest.raises(StateMismatch, match="run `capi rename acme apex`; if both are to deliver"):
        sync(renamed)
    assert events(receiver) == 3


def test_a_renamed_destination_goes_on_where_it_stopped(
    project: Project, renamed: Destination, duck: DuckDb, receiver: Receiver
) -> None:
    done = project.capi("rename", "acme", "apex", "--json", check=True)
    assert done.json() == {"old": "acme", "new": "apex"}
    duck.insert(conversion(9))
    assert (sync(renamed).delivered, events(receiver)) == (1, 4)
    assert [each["kind"] for each in status(renamed).runs] == ["sync", "sync"]
    with pytest.raises(ConfigError, match="knows no destination acme, only apex"):
        rename(renamed, old="acme")


def test_after_a_renaming_a_lost_state_is_noticed_under_the_new_name(
    project: Project, renamed: Destination
) -> None:
    rename(renamed, old="acme")
    for file in (project.root / ".capi").glob("state.db*"):
        file.unlink()
    with pytest.raises(StateMismatch, match="apex: this destination has run before"):
        sync(renamed)
    shutil.move(project.path("apex").parent, project.path("acme").parent)
    assert sync(project.load("acme")).complete, "under the old name nothing is missed"


def test_a_name_that_is_taken_is_not_given_to_another(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1))
    sync(duck_destination())
    project.write(
        "env:WAREHOUSE_URL",
        f"{receiver.url}/signal/v1/conversion",
        name="apex",
        account=OTHER_ACCOUNT,
    )
    other = project.load("apex")
    sync(other)
    with pytest.raises(ConfigError, match="knows a destination of this name already"):
        rename(other, old="acme")


def test_a_copy_of_a_destination_begins_anew_where_a_person_says_so(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1, updated_at=ago(hours=3)))
    sync(duck_destination())
    shutil.copytree(project.path().parent, project.path("apex").parent)
    copy = project.load("apex")
    resolve(copy, restart=ago(hours=2).isoformat())
    duck.insert(conversion(2, updated_at=ago(hours=1)))
    assert sync(copy).delivered == 1


@pytest.mark.parametrize(
    "difference",
    [
        {"account": OTHER_ACCOUNT},
        {"events": {"Purchase": "Buy"}},
        {"source__cursor": "event_time"},
        {"auth": {"bearer": "env:OTHER_TOKEN"}},
    ],
)
def test_destinations_that_differ_are_not_taken_for_one(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    difference: dict[str, object],
) -> None:
    monkeypatch.setenv("OTHER_TOKEN", TOKEN)
    duck.insert(conversion(1))
    sync(duck_destination())
    endpoint = f"{receiver.url}/signal/v1/conversion"
    project.write("env:WAREHOUSE_URL", endpoint, name="apex", **difference)
    assert sync(project.load("apex")).delivered == 1


@pytest.fixture
def restored(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> Destination:
    """A destination whose state is the one from before its last run, which delivered two rows."""
    duck.insert(conversion(1, updated_at=ago(hours=3)))
    made = duck_destination(source__lag="0s")
    sync(made)
    home = project.root / ".capi"
    saved = shutil.copytree(home, project.root / "saved")
    duck.insert(*(conversion(number, updated_at=ago(hours=2)) for number in (2, 3)))
    assert sync(made).delivered == 2
    erase(made, key=("c000003",))
    for file in home.glob("state.db*"):
        file.unlink()
    for file in saved.glob("state.db*"):
        shutil.copy(file, home)
    return made


def test_an_older_state_is_refused_until_a_person_says_what_is_to_be_done(
    restored: Destination, receiver: Receiver
) -> None:
    """What the ledger does not remember any more is not sent again in silence."""
    for command in (sync, replay):
        with pytest.raises(StateMismatch, match="^acme: the state is older than the last run"):
            command(restored)
    assert "the state is older" in str(status(restored).warning)
    assert status(restored).runs[0]["status"] == "refused"
    assert events(receiver) == 3


def test_an_older_state_is_accepted_after_what_was_erased_since_is_erased_again(
    restored: Destination, receiver: Receiver
) -> None:
    """To erase rows, however many, does not make the state a newer one."""
    for key in ("c000003", "c000004", "c000005", "c000006"):
        erase(restored, key=(key,))
    with pytest.raises(StateMismatch, match="the state is older"):
        sync(restored)
    assert resolve(restored, accept_change=True).accepted == ("the state",)
    assert status(restored).warning is None
    assert (sync(restored).delivered, events(receiver)) == (1, 4)
    assert receiver.inbox.summary()["events"] == 3, "the same event id again"
    assert resolve(restored, accept_change=True).accepted == ()


def test_with_an_older_state_a_person_may_leave_out_what_was_delivered(
    restored: Destination, duck: DuckDb, receiver: Receiver
) -> None:
    """Also where a backfill touches it later."""
    resolve(restored, restart="now")
    assert sync(restored).delivered == 0
    duck.execute("update conversions set updated_at = now(), event_time = now() - interval 8 day")
    duck.insert(conversion(9, updated_at=ago(minutes=0), event_time=ago(minutes=5)))
    found = sync(restored)
    assert (found.delivered, found.expired, events(receiver)) == (1, 2, 4)


def test_a_renamed_destination_notices_an_older_state_too(
    project: Project, restored: Destination
) -> None:
    shutil.move(project.path().parent, project.path("apex").parent)
    renamed = project.load("apex")
    rename(renamed, old="acme")
    with pytest.raises(StateMismatch, match="^apex: the state is older"):
        sync(renamed)


def test_status_says_that_the_state_is_gone(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    assert status(made).warning is None
    sync(made)
    for file in Path(project.root / ".capi").glob("state.db*"):
        file.unlink()
    assert "has run before, but its state is gone" in str(status(made).warning)
