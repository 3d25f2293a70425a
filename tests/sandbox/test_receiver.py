"""The receiver itself: control, counts, page, many callers at once."""

from __future__ import annotations

import asyncio
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.sandbox.inbox import Arrivals, Inbox
from connector.sandbox.server import Receiver, Settings, running
from tests.sandbox.platforms import (
    PLATFORMS,
    TOKEN,
    call,
    capi_event,
    changed,
    control,
    ids,
    now,
)

PATH = "/signal/v1/conversion"


def send(receiver: Receiver, number: int = 1, token: str = TOKEN, **changes: Any) -> int:
    return call(
        "POST", receiver.url + PATH, changed(capi_event(number), **changes), {"X-Api-Key": token}
    ).status


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("meta", "event_time"),
        ("tiktok", "event_time"),
        ("pinterest", "event_time"),
        ("microsoft", "eventTime"),
    ],
)
def test_milliseconds_are_refused_where_seconds_are_meant(
    receiver: Receiver, name: str, field: str
) -> None:
    platform = PLATFORMS[name]
    platform.send(receiver, {**platform.event(1), field: now() * 1000})
    assert receiver.inbox.summary()["accepted"] == 0


@pytest.mark.parametrize(
    ("name", "field"),
    [("reddit", "event_at"), ("linkedin", "conversionHappenedAt"), ("openai", "timestamp_ms")],
)
def test_seconds_are_refused_where_milliseconds_are_meant(
    receiver: Receiver, name: str, field: str
) -> None:
    platform = PLATFORMS[name]
    platform.send(receiver, {**platform.event(1), field: now()})
    assert receiver.inbox.summary()["accepted"] == 0


def test_settings_change_while_it_runs(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    sleep, slept = asyncio.sleep, list[float]()

    async def counted(seconds: float) -> None:
        slept.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", counted)
    assert control(receiver, token="rotated", latency=0.0517).body["latency"] == 0.0517
    assert [send(receiver, token=token) for token in (TOKEN, "rotated")] == [401, 200]
    assert slept.count(0.0517) == 2


@pytest.mark.parametrize(
    "wanted",
    [
        {"volume": 11},
        {"fail_rate": 2},
        {"fail_rate": "0.5"},
        {"reject_rate": -0.1},
        {"reject_rate": True},
        {"latency": None},
        {"token": ""},
        {"faults": {"kind": "reset"}},
        {"faults": ["reset"]},
        {"faults": [{"kind": "explode"}]},
        {"faults": [{"times": "3"}]},
        {"faults": [{"status": 99}]},
        {"faults": [{"take": 1}]},
        {"faults": [{"headers": {"Retry-After": 5}}]},
        {"faults": [{"kind": "reset"}, {"colour": "red"}]},
        {"expire_tokens": "yes"},
        [],
        "latency",
    ],
)
def test_nonsense_changes_nothing_and_is_explained(receiver: Receiver, wanted: Any) -> None:
    if isinstance(wanted, dict) and "volume" not in wanted:
        wanted = {"latency": 3, **wanted}
    answer = call("POST", f"{receiver.url}/control", wanted)
    assert answer.status == 400
    assert answer.body["error"]
    assert call("GET", f"{receiver.url}/control").body["latency"] == 0
    assert send(receiver) == 200


def test_control_tells_what_there_is_and_no_secret(receiver: Receiver) -> None:
    body = call("GET", f"{receiver.url}/control").body
    assert (body["fail_rate"], body["reject_rate"], body["requests"]) == (0, 0, 0)
    assert set(body["addresses"]) == {"capi", *PLATFORMS}
    assert "sandbox-" not in str(body)


def test_delete_forgets_what_arrived_and_what_was_planned(receiver: Receiver) -> None:
    send(receiver)
    control(receiver, faults=[{"status": 500}])
    assert call("DELETE", f"{receiver.url}/control").body["events"] == 0
    assert send(receiver) == 200
    assert [copies for copies, _ in ids(receiver).values()] == [1]


def test_received_shows_the_latest_first_and_fifty_at_most(receiver: Receiver) -> None:
    for number in range(52):
        send(receiver, number)
    latest = call("GET", f"{receiver.url}/received").body["latest"]
    assert [item["event_id"] for item in latest] == [
        capi_event(number)["event_id"] for number in range(51, 1, -1)
    ]
    assert latest[0]["account"] == "capi/abc123def456"
    assert latest[0]["event"] == capi_event(51)


def test_copies_are_told_from_conflicts(receiver: Receiver) -> None:
    versions: tuple[Any, ...] = ({}, {}, {"value": 1.0}, {"value": 1.0}, {})
    for changes in versions:
        send(receiver, 1, **changes)
    send(receiver, 1, data_source_key="another")
    summary = receiver.inbox.summary()
    assert (
        summary["accepted"],
        summary["events"],
        summary["duplicates"],
        summary["conflicts"],
    ) == (6, 2, 4, 2)
    assert sorted(ids(receiver).values()) == [[1, 0], [5, 2]]


def test_the_order_of_fields_is_no_conflict(receiver: Receiver) -> None:
    for event in (capi_event(1), dict(reversed(capi_event(1).items()))):
        call("POST", receiver.url + PATH, event, {"X-Api-Key": TOKEN})
    assert list(ids(receiver).values()) == [[2, 0]]


def test_events_without_an_id_are_known_by_their_content(receiver: Receiver) -> None:
    google = PLATFORMS["google"]
    events = [
        {
            name: value
            for name, value in changed(google.event(1), conversionValue=value).items()
            if name != "transactionId"
        }
        for value in (1, 2, 2)
    ]
    google.send(receiver, *events)
    assert sorted(ids(receiver).values()) == [[1, 0], [2, 0]]


def test_many_callers_at_once_are_all_counted(receiver: Receiver) -> None:
    meta = PLATFORMS["meta"]

    def one(caller: int) -> int:
        with requests.Session() as session:
            for part in range(5):
                body = {
                    "data": [
                        {**meta.event(0), "event_id": f"{(caller * 5 + part) % 20}-{number}"}
                        for number in range(50)
                    ],
                    "access_token": TOKEN,
                }
                assert (
                    session.post(f"{receiver.url}/v25.0/1/events", json=body, timeout=10).json()[
                        "events_received"
                    ]
                    == 50
                )
        return 250

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 2000
    summary = receiver.inbox.summary()
    assert (summary["requests"], summary["accepted"], summary["events"], summary["duplicates"]) == (
        40,
        2000,
        1000,
        1000,
    )


def test_the_page_needs_nothing_from_elsewhere(receiver: Receiver) -> None:
    answer = call("GET", receiver.url)
    assert answer.status == 200
    assert "http:" not in answer.body
    assert "https:" not in answer.body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8477", "localhost.evil.example", "127.0.0.1.nip.io", ""]
)
@pytest.mark.parametrize("path", ["/", "/received", "/control", PATH])
def test_a_request_for_another_host_is_refused(receiver: Receiver, host: str, path: str) -> None:
    method = "POST" if path == PATH else "GET"
    answer = call(method, receiver.url + path, capi_event(1), {"Host": host, "X-Api-Key": TOKEN})
    assert (answer.status, list(answer.body)) == (421, ["error"])
    assert receiver.inbox.summary()["requests"] == 0


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]", "[::1]:8477"])
def test_a_request_for_this_machine_is_not(receiver: Receiver, host: str) -> None:
    assert call("GET", f"{receiver.url}/received", headers={"Host": host}).status == 200


def test_another_name_of_this_machine_can_be_allowed() -> None:
    with running(Settings(port=0, hosts=("Receiver.internal",))) as receiver:
        for host in ("receiver.internal:8477", "localhost"):
            assert call("GET", receiver.url, headers={"Host": host}).status == 200
        assert call("GET", receiver.url, headers={"Host": "internal"}).status == 421


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://{authority}", "http://localhost:1"]
)
def test_a_page_of_another_origin_controls_nothing(
    receiver: Receiver, method: str, origin: str
) -> None:
    send(receiver)
    headers = {"Origin": origin.format(authority=receiver.url.partition("://")[2])}
    answer = call(method, f"{receiver.url}/control", {"reject_rate": 1}, headers)
    assert (answer.status, list(answer.body)) == (403, ["error"])
    assert (receiver.settings.reject_rate, receiver.inbox.summary()["events"]) == (0, 1)


def test_the_receivers_own_page_may_control_it(receiver: Receiver) -> None:
    headers = {"Origin": receiver.url}
    url = f"{receiver.url}/control"
    assert call("POST", url, {"latency": 0.5}, headers).body["latency"] == 0.5
    assert call("DELETE", url, headers=headers).status == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_control_wants_json_that_says_so(receiver: Receiver, kind: str | None) -> None:
    answer = call(
        "POST", f"{receiver.url}/control", {"reject_rate": 1}, {"Content-Type": kind or ""}
    )
    assert (answer.status, receiver.settings.reject_rate) == (415, 0)


def test_unknown_addresses_and_methods_are_not_found(receiver: Receiver) -> None:
    assert call("POST", f"{receiver.url}/v2/unknown", {}).status == 404
    assert call("GET", f"{receiver.url}/v25.0/1/events").status == 405
    assert call("POST", f"{receiver.url}/open_api/v1.3/event/track", {}).status == 404


def test_a_taken_port_is_a_sentence(receiver: Receiver) -> None:
    port = int(receiver.url.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"port {port} is taken"), running(Settings(port=port)):
        raise AssertionError("two receivers on one port")


def test_a_million_events_fit_in_little_memory() -> None:
    inbox, events = Inbox(), 20_000
    tracemalloc.start()
    try:
        for number in range(events):
            inbox.take("capi/abc", f"{number:064d}", {}, b"%d" % number)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(inbox.arrivals) == events
    assert used / events < 300  # bytes; 113 of them are the id


arrivals = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("123"), st.integers(0, 2)))


@settings(max_examples=200, deadline=None)
@given(arrivals)
def test_arrivals_count_as_a_plain_list_would(seen: list[tuple[str, str, int]]) -> None:
    found = Arrivals()
    for account, event_id, digest in seen:
        found.add(account, event_id, digest)
    keys = list(dict.fromkeys((account, event_id) for account, event_id, _ in seen))
    assert sorted(found) == sorted(keys)
    assert len(found) == len(keys)
    for key in keys:
        digests = [digest for account, event_id, digest in seen if (account, event_id) == key]
        assert found[key] == (
            digests[0],
            len(digests),
            sum(digest != digests[0] for digest in digests),
        )
    assert ("c", "1") not in found
