"""Test modes and consent: how each platform is told,
and what happens to rows where it cannot be told.
"""

from __future__ import annotations

from typing import Any

import pytest

from connector.commands.check import check
from connector.commands.sync import sync
from connector.engine.plan import Options
from connector.errors import ConfigError, DestinationError
from connector.platforms import loader as platforms
from connector.sandbox.server import Receiver
from tests.platforms.parts import (
    AS_OF,
    BATCHING,
    NAMES,
    minimal,
    on_paper,
    on_receiver,
    quarantined,
    recent,
)
from tests.platforms.test_golden import at, first_record
from tests.support.previews import preview
from tests.support.projects import Project

CODES = {"meta": "TEST123", "tiktok": "TEST123", "reddit": "t2_test"}
"""Platforms whose test mode wants a code that they show."""

FLAGS = ("google", "openai", "pinterest", "snapchat")
NONE = (
    *("amazon", "capi", "linkedin", "microsoft", "taboola", "thetradedesk"),
    *("thetradedesk_offline", "x"),
)
HOW: dict[str, tuple[str, dict[str, Any]]] = {
    "meta": ("https://graph.facebook.com/v27.0/1234567890/events", {"test_event_code": "TEST123"}),
    "tiktok": (
        "https://business-api.tiktok.com/open_api/v1.3/event/track/",
        {"test_event_code": "TEST123"},
    ),
    "reddit": (
        "https://ads-api.reddit.com/api/v3/pixels/a2_abc/conversion_events",
        {"data.test_id": "t2_test"},
    ),
    "google": ("https://datamanager.googleapis.com/v1/events:ingest", {"validateOnly": True}),
    "openai": ("https://bzr.openai.com/v1/events?pid=px_abc", {"validate_only": True}),
    "pinterest": ("https://api.pinterest.com/v5/ad_accounts/549755885175/events?test=true", {}),
    "snapchat": ("https://tr.snapchat.com/v3/b5c6d7e8-pixel/events/validate?access_token=***", {}),
}


def request(name: str, **changes: Any) -> dict[str, Any]:
    (item,) = preview(on_paper(name, **changes), [minimal(name)], as_of=AS_OF)
    found: dict[str, Any] = item["request"]
    return found


@pytest.mark.parametrize("name", HOW)
def test_a_test_says_so_in_the_platforms_own_way_and_an_earnest_request_does_not(name: str) -> None:
    url, fields = HOW[name]
    tested, earnest = request(name, test_mode=CODES.get(name, True)), request(name)
    assert tested["url"] == url
    for path, value in fields.items():
        assert at(tested["body"], path) == value
        assert at(earnest["body"], path) is None
    assert first_record(tested["body"]) == first_record(earnest["body"])


@pytest.mark.parametrize("name", NONE)
def test_a_platform_without_a_test_mode_says_so(name: str) -> None:
    assert platforms.load(name).test_mode is None
    with pytest.raises(DestinationError, match="no test mode; rehearse against `capi sandbox`"):
        on_paper(name, test_mode=True)


@pytest.mark.parametrize("name", CODES)
def test_a_test_without_the_code_is_never_sent_as_an_earnest_one(
    name: str, project: Project, receiver: Receiver
) -> None:
    with pytest.raises(DestinationError, match="needs the code that it shows"):
        on_paper(name, test_mode=True)
    with pytest.raises(ConfigError, match="needs the code that it shows"):
        sync(
            on_receiver(project, receiver, [recent(minimal(name))], name),
            options=Options(test_mode=True),
        )
    assert receiver.inbox.arrivals == {}


@pytest.mark.parametrize("name", HOW)
def test_a_test_run_validates_every_row_and_records_nothing(
    name: str, project: Project, receiver: Receiver
) -> None:
    rows = [
        recent(minimal(name, conversion_id=f"c{number}", event_id=f"e{number}"))
        for number in range(45)
    ]
    destination = on_receiver(project, receiver, rows, name, test_mode=CODES.get(name, True))
    report = sync(destination)
    assert (report.failure, report.delivered, report.rejected) == (None, 45, 0)
    assert report.http_requests == (3 if name == "pinterest" else 1), (
        "Pinterest takes twenty events in a test"
    )
    counted = {event_id for _, event_id in receiver.inbox.arrivals}
    assert counted == ({f"e{number}" for number in range(45)} if name == "meta" else set()), (
        "Meta counts test events like any other"
    )
    assert (report.mark_from, quarantined(project)) == (report.mark_to, [])
    assert sync(on_receiver(project, receiver, rows, name)).delivered == 45, (
        "a test uses nothing up"
    )


BAD = {
    "google": {"colour": "red"},
    "openai": {"user.colour": "red"},
    "pinterest": {"partner_name": "acme"},
    "snapchat": {"custom_data.status": 7},
}


@pytest.mark.parametrize("name", BAD)
def test_a_test_run_tells_which_rows_would_be_refused(
    name: str, project: Project, receiver: Receiver
) -> None:
    ((path, spoiler),) = BAD[name].items()
    rows = [
        recent(
            minimal(
                name,
                conversion_id=f"c{number}",
                event_id=f"e{number}",
                spoiler=spoiler if number in (3, 7) else None,
            )
        )
        for number in range(12)
    ]
    report = sync(
        on_receiver(project, receiver, rows, name, test_mode=True, extra={path: "spoiler"})
    )
    assert (report.failure, report.delivered, report.rejected) == (None, 10, 2)
    assert receiver.inbox.arrivals == {}


def test_check_warns_where_test_events_count(project: Project, receiver: Receiver) -> None:
    for name in ("meta", "tiktok"):
        rows = [recent(minimal(name))]
        on_receiver(project, receiver, rows, name, test_mode=CODES[name])
        warned = [
            warning
            for warning in check(project.path(), root=project.root).warnings
            if "test" in warning
        ]
        assert warned == (
            ["test_mode is on, and this platform counts test events like any other"]
            if name == "meta"
            else []
        )


# Consent.

LIMITED: dict[str, dict[str, Any]] = {
    "amazon": {"dataProcessingOptions": {"options": "LIMITED_DATA_USE"}},
    "meta": {
        "data_processing_options": ["LDU"],
        "data_processing_options_country": 0,
        "data_processing_options_state": 0,
    },
    "tiktok": {"limited_data_use": True},
    "snapchat": {"data_processing_options": ["LMU"]},
    "pinterest": {"custom_data.opt_out_type": "LDP"},
    "reddit": {"user.data_processing_options": {"modes": ["LDU"]}},
    "thetradedesk": {"data_processing_option": {"policies": ["LDU"]}},
}
"""Where each platform is told that the data may be used in a limited way alone."""

OPTED_OUT = ("meta", "snapchat", "pinterest", "openai")
"""Platforms with a field that says that a person opted out."""

CONSENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "amazon": (
        {"consent.amazonConsent": {"amznUserData": "GRANTED", "amznAdStorage": "GRANTED"}},
        {"consent.amazonConsent": {"amznUserData": "DENIED", "amznAdStorage": "DENIED"}},
    ),
    "google": (
        {"consent": {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}},
        {"consent": {"adUserData": "CONSENT_DENIED", "adPersonalization": "CONSENT_DENIED"}},
    ),
    "microsoft": ({"adStorageConsent": "G"}, {"adStorageConsent": "D"}),
}
"""Platforms with a field for consent: what stands there when it was given, and when it was denied.
"""


def outcome(name: str, row: dict[str, Any], **changes: Any) -> Any:
    """The record of a row, or why it is not sent."""
    (item,) = preview(on_paper(name, **changes), [{**minimal(name), **row}], as_of=AS_OF)
    return (
        first_record(item["request"]["body"]) if "request" in item else item["rejected"]["reason"]
    )


@pytest.mark.parametrize("name", NAMES)
def test_limited_use_is_told_or_the_row_stays(name: str) -> None:
    limited, free = (
        outcome(name, {"limited_data_use": True}),
        outcome(name, {"limited_data_use": False}),
    )
    if name not in LIMITED:
        assert limited == "suppressed"
        assert free == outcome(name, {})
        return
    for path, value in LIMITED[name].items():
        assert at(limited, path) == value
        assert at(free, path) in (None, False)


@pytest.mark.parametrize("name", NAMES)
def test_an_opt_out_is_told_or_the_row_stays(name: str) -> None:
    opted_out = outcome(name, {"opt_out": True})
    if name not in OPTED_OUT:
        assert opted_out == "suppressed"
        return
    assert opted_out["opt_out"] is True
    assert outcome(name, {"opt_out": False})["opt_out"] is False
    assert "opt_out" not in outcome(name, {})


@pytest.mark.parametrize("name", NAMES)
def test_denied_consent_keeps_a_row_unless_the_platform_can_be_told(name: str) -> None:
    assert outcome(name, {"consent": False}) == "suppressed"
    if name not in CONSENT:
        with pytest.raises(DestinationError, match="no field that says that consent was denied"):
            on_paper(name, consent={"denied": "send"})
        return
    given, denied = CONSENT[name]
    for consent, fields in ((True, given), (False, denied)):
        record = outcome(name, {"consent": consent}, consent={"denied": "send"})
        assert {path: at(record, path) for path in fields} == fields
    assert all(at(outcome(name, {}), path) is None for path in given)


@pytest.mark.parametrize("name", CONSENT)
def test_a_row_whose_denial_is_told_arrives(
    name: str, project: Project, receiver: Receiver
) -> None:
    rows = [
        recent(minimal(name, conversion_id=f"c{number}", event_id=f"e{number}", consent=given))
        for number, given in enumerate(("true", "false", None, "perhaps"))
    ]
    report = sync(on_receiver(project, receiver, rows, name, consent={"denied": "send"}))
    assert (report.delivered, report.suppressed) == (3, 1)


def test_consent_cannot_be_required_and_its_denial_sent() -> None:
    with pytest.raises(DestinationError, match="denied cannot be send"):
        on_paper("google", consent={"denied": "send", "require": True})


@pytest.mark.parametrize("name", NAMES)
def test_where_consent_is_required_silence_is_a_refusal(name: str) -> None:
    required = {"consent": {"require": True}}
    assert outcome(name, {"consent": True}, **required) != "suppressed"
    for answer in (None, False, "perhaps"):
        assert outcome(name, {"consent": answer}, **required) == "suppressed"


@pytest.mark.parametrize("name", BATCHING)
def test_suppressed_rows_are_counted_and_never_leave(
    name: str, project: Project, receiver: Receiver
) -> None:
    rows = [
        recent(
            minimal(name, conversion_id=f"c{number}", event_id=f"e{number}", consent=number != 1)
        )
        for number in range(3)
    ]
    report = sync(on_receiver(project, receiver, rows, name))
    assert (report.failure, report.delivered, report.suppressed, report.rejected) == (None, 2, 1, 0)
    assert {event_id for _, event_id in receiver.inbox.arrivals} == {"e0", "e2"}
