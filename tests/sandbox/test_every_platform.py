"""What holds for all platforms: what is taken, counted and refused, in whatever shape."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import PLATFORMS, Platform, capi_event, control, ids, sha

pytestmark = pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)


REQUIRED = {
    "meta": ("event_name", "event_time", "action_source", "user_data"),
    "tiktok": ("event", "event_time", "user"),
    "snapchat": ("event_name", "event_time", "action_source", "user_data"),
    "pinterest": ("event_name", "action_source", "event_time", "event_id", "user_data"),
    "reddit": ("event_at", "action_source", "type"),
    "linkedin": ("conversion", "conversionHappenedAt", "user"),
    "google": ("eventTimestamp",),
    "microsoft": ("eventType", "eventTime", "userData"),
    "openai": ("id", "type", "timestamp_ms", "action_source", "data"),
    "x": ("conversion_time", "event_id", "identifiers"),
    "amazon": ("eventDescription", "countryCode", "eventTime", "matchKeys"),
    "taboola": ("click-id", "timestamp", "name"),
    "thetradedesk": ("adv", "event_name"),
    "thetradedesk_offline": ("TrackingTagId", "TimestampUtc"),
}


def counts(receiver: Receiver) -> tuple[int, int, int]:
    summary = receiver.inbox.summary()
    return summary["events"], summary["duplicates"], summary["refused"]


def test_a_full_good_event_is_taken(platform: Platform, receiver: Receiver) -> None:
    answer = platform.send(receiver, platform.event(7))
    assert answer.status == platform.taken
    assert counts(receiver) == (1, 0, 0)
    (where, copies) = next(iter(ids(receiver).items()))
    assert where.startswith(f"{platform.name}/")
    assert where.endswith("/e7")
    assert copies == [1, 0]


def test_a_batch_of_three_is_taken(platform: Platform, receiver: Receiver) -> None:
    assert platform.send(receiver, *platform.good(3)).status == platform.taken
    assert counts(receiver) == (3, 0, 0)


def test_one_bad_event_spoils_the_batch_unless_the_platform_is_partial(
    platform: Platform, receiver: Receiver
) -> None:
    platform.send(receiver, platform.event(1), platform.spoiled(2), platform.event(3))
    assert counts(receiver) == (2 if platform.partial else 0, 0, 1)


def test_an_event_without_a_required_field_is_refused(
    platform: Platform, receiver: Receiver
) -> None:
    for name in REQUIRED[platform.name]:
        platform.send(
            receiver, {key: value for key, value in platform.event(1).items() if key != name}
        )
    assert counts(receiver) == (0, 0, len(REQUIRED[platform.name]))
    assert receiver.inbox.summary()["reasons"] == {"missing": len(REQUIRED[platform.name])}


def test_a_wrong_token_gets_nothing_in(platform: Platform, receiver: Receiver) -> None:
    answer = platform.send(receiver, platform.event(1), token="an-old-token")
    if platform.denied is None:
        assert counts(receiver) == (1, 0, 0), "there are no credentials"
        return
    assert answer.status == platform.denied
    assert counts(receiver) == (0, 0, 0)


def test_without_credentials_nothing_gets_in(platform: Platform, receiver: Receiver) -> None:
    platform.send(
        receiver,
        platform.event(1),
        path=platform.path.replace("access_token={token}", ""),
        headers={},
    )
    assert counts(receiver) == (int(platform.denied is None), 0, 0)


def test_a_throttled_request_takes_nothing_and_the_next_is_heard(
    platform: Platform, receiver: Receiver
) -> None:
    control(receiver, faults=[{"kind": "throttle", "headers": {"Retry-After": "7"}}])
    first = platform.send(receiver, platform.event(1))
    assert first.headers["Retry-After"] == "7"
    assert counts(receiver) == (0, 0, 0)
    assert platform.send(receiver, platform.event(1)).status == platform.taken
    assert counts(receiver) == (1, 0, 0)
    assert receiver.inbox.summary()["statuses"] == {"throttle": 1, str(platform.taken): 1}


def test_the_largest_batch_is_taken_and_one_event_more_is_not(
    platform: Platform, receiver: Receiver
) -> None:
    events = [platform.event(0)] * platform.most
    platform.send(receiver, *events, platform.event(1))
    assert counts(receiver) == (0, 0, 0)
    platform.send(receiver, *events)
    assert counts(receiver) == (1, platform.most - 1, 0)


def test_an_empty_batch_is_refused(platform: Platform, receiver: Receiver) -> None:
    answer = platform.send(receiver)
    assert answer.status == 400 or answer.body["code"] == 40002


def test_copies_and_conflicts_are_counted(platform: Platform, receiver: Receiver) -> None:
    event = platform.event(1)
    text, person = json.dumps(event), sha("person@example.org")
    swap = (person, sha("other@example.org")) if person in text else ('"EUR"', '"CHF"')
    other = json.loads(text.replace(*swap))
    assert other != event
    for each in (event, event, other):
        platform.send(receiver, each)
    assert list(ids(receiver).values()) == [[3, 1]]
    summary = receiver.inbox.summary()
    assert (
        summary["accepted"],
        summary["events"],
        summary["duplicates"],
        summary["conflicts"],
    ) == (3, 1, 2, 1)


def test_the_reject_rate_refuses_the_same_events_every_time(
    platform: Platform, receiver: Receiver
) -> None:
    control(receiver, reject_rate=0.5)
    arrived: list[set[str]] = []
    for _ in range(2):
        for number in range(12):
            platform.send(receiver, platform.event(number))
        arrived.append(
            {where for where, (copies, _) in ids(receiver).items() if copies == len(arrived) + 1}
        )
    assert arrived[0] == arrived[1]
    assert 0 < len(arrived[0]) < 12
    assert receiver.inbox.summary()["reasons"] == {"sandbox": 2 * (12 - len(arrived[0]))}


def test_a_refusal_by_rate_looks_like_any_other(platform: Platform, receiver: Receiver) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: shape(inner)
                for name, inner in value.items()
                if name not in ("event", "invalid_events")
            }
        return [shape(inner) for inner in value] if isinstance(value, list) else type(value)

    usual = platform.send(receiver, platform.spoiled(1))
    control(receiver, reject_rate=1)
    by_rate = platform.send(receiver, platform.event(1))
    assert by_rate.status == usual.status
    if platform.name != "meta":  # whose refusals differ by their subcode
        assert shape(by_rate.body) == shape(usual.body)


def test_the_work_grows_with_the_number_of_events_and_no_faster(
    platform: Platform, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls of Python functions, which do not depend on how busy the machine is."""
    judge, calls = Receiver._judge, Counter[str]()

    def count(_frame: Any, event: str, _argument: Any) -> None:
        calls[event] += 1

    def counted(self: Receiver, *arguments: Any) -> Any:
        sys.setprofile(count)
        try:
            return judge(self, *arguments)
        finally:
            sys.setprofile(None)

    monkeypatch.setattr(Receiver, "_judge", counted)
    work = []
    for number in (platform.most // 4, platform.most // 2):
        calls.clear()
        assert platform.send(receiver, *platform.good(number)).status == platform.taken
        work.append(calls["call"])
    assert work[1] < 2.2 * work[0]
    assert work[1] < 500 * (platform.most // 2)


def test_events_of_other_platforms_do_not_pass(platform: Platform, receiver: Receiver) -> None:
    for other in (
        *(each.event for each in PLATFORMS.values() if each.name != platform.name),
        capi_event,
    ):
        platform.send(receiver, other(1))
    assert counts(receiver)[0] == 0


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_nothing_that_is_sent_confuses_it(
    platform: Platform, module_receiver: Receiver, data: st.DataObject
) -> None:
    body: Any = platform.wrap([platform.event(1), platform.event(2)])
    for place in data.draw(st.lists(st.sampled_from(list(places(body))), min_size=1, max_size=3)):
        body = put(body, place, data.draw(values))
    answer = platform.post(module_receiver, body)
    assert answer.status in {platform.taken, 201, 400, 403, 422}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path inside a JSON value."""
    yield path
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, inner in entries:
        yield from places(inner, (*path, name))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The same with another value at a path, where that still exists."""
    if not path:
        return new
    copy = (
        dict(value)
        if isinstance(value, dict)
        else list(value)
        if isinstance(value, list)
        else value
    )
    with contextlib.suppress(KeyError, IndexError, TypeError):
        copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy
