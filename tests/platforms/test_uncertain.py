"""`docs/uncertain-facts.md`: every override that it shows is accepted,
changes something, and still makes requests.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from connector.commands.sync import sync
from connector.platforms import loader as platforms
from connector.sandbox.server import Receiver
from tests.platforms.parts import (
    ACCOUNTS,
    AS_OF,
    NAMES,
    everything,
    full,
    minimal,
    on_paper,
    on_receiver,
    recent,
)
from tests.platforms.test_golden import at, first_record
from tests.support.previews import preview
from tests.support.projects import Project

PAGE = (Path(__file__).parents[2] / "docs" / "uncertain-facts.md").read_text(encoding="utf-8")
CHOICES: list[tuple[str, dict[str, Any]]] = [
    (section.partition("\n")[0].strip(), yaml.safe_load(line)["overrides"])
    for section in PAGE.split("\n## ")[1:]
    for line in re.findall(r"^    (overrides: .+)$", section, re.MULTILINE)
]
IDS = [f"{name}-{'.'.join(overrides)}-{number}" for number, (name, overrides) in enumerate(CHOICES)]


def record(name: str, overrides: dict[str, Any], **changes: Any) -> Any:
    """A full record under these overrides, with every identifier; of an app, where it is one."""
    is_app = name == "tiktok" and changes.get("action_source") == "app"
    account = {**ACCOUNTS[name], **({"event_source": "app"} if is_app else {})}
    identifiers = [
        *(
            each
            for each in everything(name)
            if overrides.get("identifiers", {}).get(each, "there") is not None
        ),
        *(each for each in overrides.get("identifiers", {}) if each not in everything(name)),
    ]
    (item,) = preview(
        on_paper(name, overrides=overrides, identifiers=identifiers, account=account),
        [full(conversion_id="c1", **changes)],
        as_of=AS_OF,
    )
    return first_record(item["request"]["body"])


UNUSUAL = {
    "email": "Jo_Ann@Müller.example",
    "first_name": "Mary Ann-Lee",
    "city": "São Paulo",
    "state": "São Paulo",
    "country": "BR",
    "external_id": "U-77",
}
"""What vendors' own libraries write in different ways."""


@pytest.mark.parametrize(("name", "overrides"), CHOICES, ids=IDS)
def test_an_override_is_accepted_and_changes_something(
    name: str, overrides: dict[str, Any]
) -> None:
    assert platforms.load(name, overrides=overrides) != platforms.load(name)
    changed = any(
        record(name, overrides, **UNUSUAL, **source) != record(name, {}, **UNUSUAL, **source)
        for source in ({}, {"action_source": "app", "mobile_os": "ios"})
    )
    assert (
        changed
        or not {"event", "identifiers"} & overrides.keys()
        or {"custom_data", "app_data"} & overrides.get("event", {}).keys()
        or "consent" in overrides
        or "data_processing_options_state" in overrides.get("event", {})  # of limited use, below
        or "currencyCode" in overrides.get("event", {})  # of a Lead, below
    )


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({}, (1, 1000)),
        ({"state": "Texas"}, (1, 1005)),
        ({"state": "Ohio"}, (0, 0)),
        ({"country": "Italy", "state": "MT"}, (0, 0)),
        ({"state": None}, (0, 0)),
        ({"limited_data_use": False}, (None, None)),
    ],
)
def test_meta_is_told_the_state_of_a_limited_use(
    place: dict[str, Any], told: tuple[int | None, int | None]
) -> None:
    """Of a row in the US; where Meta has no law of that state, it looks the place up itself."""
    keys = ("data_processing_options_country", "data_processing_options_state")
    sent = record("meta", {}, **{"limited_data_use": True, **place})
    assert tuple(sent.get(key) for key in keys) == told
    chosen = next(
        overrides for name, overrides in CHOICES if name == "meta" and keys[1] in str(overrides)
    )
    left = record("meta", chosen, **{"limited_data_use": True, **place})
    assert {left.get(key) for key in keys} == {None if told[0] is None else 0}


def test_amazon_gets_a_currency_and_units_for_purchases_alone() -> None:
    chosen = next(
        overrides
        for name, overrides in CHOICES
        if name == "amazon" and "currencyCode" in overrides.get("event", {})
    )
    assert {"currencyCode", "unitsSold"} <= record("amazon", {}).keys()
    lead = record("amazon", {}, event_name="Lead")
    assert lead["value"] == 99.99
    assert not {"currencyCode", "unitsSold"} & lead.keys()
    assert record("amazon", chosen, event_name="Lead")["currencyCode"] == "EUR"


def test_every_platform_has_its_section() -> None:
    assert {name for name, _ in CHOICES} == set(NAMES) - {"capi"}


@pytest.mark.parametrize("name", NAMES)
def test_whatever_a_platform_file_calls_uncertain_is_on_the_page(name: str) -> None:
    text = (platforms.FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    if "uncertain" in text:
        assert len([each for each, _ in CHOICES if each == name]) >= text.count("uncertain"), name


@pytest.mark.parametrize(
    ("name", "number", "path", "value"),
    [
        ("tiktok", 1, "limit_data_use_for_advertising", False),
        (
            "tiktok",
            3,
            "user.idfa",
            "31b806b4deec8c4cb1ffb18b9ab4ee1fa82a2b30e1f47902f04d03f5db023376",
        ),
        ("snapchat", 0, "event_time", 1780221600123),
        ("snapchat", 3, "custom_data.value", "99.99"),
        ("pinterest", 3, "custom_data.st", "ca"),
        (
            "reddit",
            4,
            "user.idfa",
            "31b806b4deec8c4cb1ffb18b9ab4ee1fa82a2b30e1f47902f04d03f5db023376",
        ),
        (
            "google",
            1,
            "userData.userIdentifiers.0.emailAddress",
            "YqFORPdlQZ0Q/qmTZzYacnwSNl4lIPMiGNUF7Zqg9i8=",
        ),
        (
            "microsoft",
            0,
            "userData.ph",
            "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
        ),
        (
            "microsoft",
            1,
            "userData.externalId",
            "b11957b465a24a87b1a73c78d654345ab0748b18bbabe71b419531609a5689b8",
        ),
        ("x", 1, "value", "99.99"),
    ],
)
def test_an_override_does_what_the_page_says(name: str, number: int, path: str, value: Any) -> None:
    chosen = [overrides for each, overrides in CHOICES if each == name][number]
    assert at(record(name, chosen), path) == value
    assert at(record(name, {}), path) != value


def test_the_pixels_token_is_enough_for_x(project: Project, receiver: Receiver) -> None:
    chosen = next(overrides for name, overrides in CHOICES if name == "x" and "auth" in overrides)
    rows = [recent(minimal("x"))]
    plain = dict.fromkeys(
        ("auth__consumer_key", "auth__consumer_secret", "auth__token", "auth__token_secret")
    )
    report = sync(
        on_receiver(
            project,
            receiver,
            rows,
            "x",
            **{**plain, "auth__bearer": "env:ACME_TOKEN", "overrides": chosen},
        )
    )
    assert (report.failure, report.delivered) == (None, 1)


def test_metas_token_may_travel_in_a_header(project: Project, receiver: Receiver) -> None:
    (item,) = preview(
        on_paper("meta", overrides={"auth": {"method": "bearer"}}), [minimal("meta")], as_of=AS_OF
    )
    assert item["request"]["headers"]["Authorization"] == "Bearer ***"
    assert "access_token" not in orjson.dumps(item).decode()


def test_tiktoks_bad_events_are_found_by_halving_where_their_place_is_not_told(
    project: Project, receiver: Receiver
) -> None:
    chosen = next(
        overrides
        for name, overrides in CHOICES
        if name == "tiktok" and "located" in overrides.get("answers", {})
    )
    rows = [
        recent(
            minimal(
                "tiktok",
                conversion_id=f"c{number}",
                event_id=f"e{number}",
                spoiler=7 if number == 5 else None,
            )
        )
        for number in range(16)
    ]
    destination = on_receiver(
        project,
        receiver,
        rows,
        "tiktok",
        overrides=chosen,
        extra={"properties.description": "spoiler"},
    )
    report = sync(destination)
    assert (report.failure, report.delivered, report.rejected) == (None, 15, 1)
    assert report.http_requests == 9
