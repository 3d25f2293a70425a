"""What `capi check` says of the columns that a query lacks, on each platform."""

from __future__ import annotations

import pytest

from connector.commands.check import Findings, check
from connector.errors import DestinationError
from connector.platforms.columns import COLUMNS
from connector.sandbox.server import Receiver
from tests.platforms.parts import NAMES, full, minimal, on_paper, on_receiver, recent
from tests.support.projects import Project


def look(
    project: Project,
    receiver: Receiver,
    name: str,
    *,
    whole: bool = False,
    without: tuple[str, ...] = (),
) -> Findings:
    """Check a destination whose query has the least columns, or all."""
    row = full(conversion_id="c1") if whole else minimal(name)
    on_receiver(
        project,
        receiver,
        [{column: value for column, value in recent(row).items() if column not in without}],
        name,
    )
    return check(project.path(), root=project.root)


@pytest.mark.parametrize("name", NAMES)
def test_the_least_columns_are_enough_and_the_rest_is_told_with_what_it_adds(
    name: str, project: Project, receiver: Receiver
) -> None:
    found = look(project, receiver, name)
    assert found.errors == []
    assert set(found.missing) & set(minimal(name)) == set()
    assert all(column in COLUMNS and said for column, said in found.missing.items())
    keys = {column for column in found.missing if found.missing[column].startswith("match key ")}
    assert bool(keys) == (name != "taboola"), (
        "there is always one more way to match a person, but Taboola knows its click id alone"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_query_with_everything_lacks_nothing(
    name: str, project: Project, receiver: Receiver
) -> None:
    found = look(project, receiver, name, whole=True)
    assert (found.errors, found.missing) == ([], {})


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("meta", "email", "match key em, enough on its own"),
        (
            "meta",
            "gender",
            (
                "match key ge, not enough together with client_user_agent, country, ct, fn, ln, "
                "st, zp alone"
            ),
        ),
        (
            "meta",
            "event_source_url",
            (
                "page of the conversion; query and fragment are cut off; required where "
                "action_source is website"
            ),
        ),
        (
            "meta",
            "user_agent",
            (
                "match key client_user_agent, not enough together with country, ct, db, ge, st, zp "
                "alone; required where action_source is website"
            ),
        ),
        ("pinterest", "phone", "match key ph, helps beside a stronger one"),
        (
            "pinterest",
            "client_ip",
            "match key client_ip_address, enough together with client_user_agent",
        ),
        ("pinterest", "epik", "match key click_id, helps beside a stronger one"),
        ("x", "phone", "match key hashed_phone_number, enough on its own"),
        ("x", "client_ip", "match key ip_address, helps beside a stronger one"),
        (
            "google",
            "first_name",
            "match key givenName, enough together with familyName and regionCode and postalCode",
        ),
        ("linkedin", "email", "match key SHA256_EMAIL, enough on its own"),
        (
            "snapchat",
            "event_source_url",
            (
                "page of the conversion; query and fragment are cut off; required where "
                "action_source is WEB"
            ),
        ),
        ("capi", "guid", None),
        ("capi", "first_party_id", "match key FirstPartyId, enough on its own"),
    ],
)
def test_a_missing_column_is_told_with_its_weight(
    name: str, column: str, said: str | None, project: Project, receiver: Receiver
) -> None:
    assert look(project, receiver, name).missing.get(column) == said


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("meta", "action_source"),
        ("pinterest", "action_source"),
        ("capi", "event_name"),
        ("x", "event_time"),
    ],
)
def test_a_column_without_which_every_row_is_rejected_is_an_error(
    name: str, column: str, project: Project, receiver: Receiver
) -> None:
    (problem,) = look(project, receiver, name, without=(column,)).errors
    assert f"the query has no column {column}, which " in problem.message


@pytest.mark.parametrize("name", NAMES)
def test_a_query_without_a_person_is_an_error(
    name: str, project: Project, receiver: Receiver
) -> None:
    personal = tuple(
        column
        for column in COLUMNS
        if COLUMNS[column].group in ("identity", "click ids")
        or column in ("client_ip", "user_agent")
    )
    found = look(project, receiver, name, whole=True, without=personal)
    assert any("no column that identifies a person" in problem.message for problem in found.errors)


def test_check_prints_the_columns_for_people(project: Project, receiver: Receiver) -> None:
    look(project, receiver, "pinterest")
    done = project.capi("check", "acme", check=True)
    assert "client_ip" in done.out
    assert "enough together with client_user_agent" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ("GOOGLE_ADS", None),
        ("DISPLAY_VIDEO_ADVERTISER", "its conversions go through Floodlight"),
        ("GOOGLE_ANALYTICS_PROPERTY", "no de-duplication of Analytics events"),
    ],
)
def test_what_is_not_proven_of_one_kind_of_account_is_told_there_alone(
    account: str, said: str | None, project: Project, receiver: Receiver
) -> None:
    keys = {"measurement_id": "G-A"} if "ANALYTICS" in account else {"floodlight_activity_id": "7"}
    row = minimal("google", ga_client_id="1.2")
    chosen = {"account_type": account, "account_id": "1", **keys}
    changes = {"account": chosen, **({"events": {}} if "ANALYTICS" in account else {})}
    on_receiver(project, receiver, [recent(row)], "google", **changes)
    found = check(project.path(), root=project.root)
    unproven = [each for each in found.warnings if each.startswith("unproven: ")]
    assert [said in each for each in unproven] == ([] if said is None else [True])


def test_analytics_needs_the_stream_and_has_no_login_of_its_own() -> None:
    account = {"account_type": "GOOGLE_ANALYTICS_PROPERTY", "account_id": "1"}
    for more, wrong in (
        ({}, "account.measurement_id is missing"),
        ({"measurement_id": "G-A", "login_account_id": "2"}, "no account key 'login_account_id'"),
    ):
        with pytest.raises(DestinationError) as refused:
            on_paper("google", account={**account, **more}, events={})
        assert wrong in str(refused.value)
