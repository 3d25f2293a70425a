"""The guide `docs/add-a-platform.md`: its example delivers,
and it speaks of every key, function and steering key there is.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
import yaml
from pydantic import BaseModel

from connector.commands.platforms import platform_facts
from connector.commands.sync import sync
from connector.errors import DestinationError
from connector.platforms import linter, loader
from connector.platforms.functions import FUNCTIONS
from connector.platforms.model import Platform
from tests.platforms.parts import AS_OF, fill, full, quarantined, recent
from tests.support.previews import preview
from tests.support.projects import Project
from tests.support.servers import Reply, Request, Server, answering, serving

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "add-a-platform.md").read_text(encoding="utf-8")
EXAMPLE = "docs/examples/acme_batch.yaml"
KEY = "acme-key-7f2a"


class Acme:
    """The DSP of the guide, as its documents would describe it.

    taken: event id -> record; refuses orders of more than 5,000.
    """

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, Any]] = {}
        self.copies = 0
        self.busy = 0

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("x-acme-key") != KEY:
            return Reply(401, {"error": {"code": "key_revoked", "message": "no such key"}})
        if (
            request.target != "/v2/advertisers/4711/events"
            or request.headers["content-type"] != "application/json"
        ):
            return Reply(404, {"error": {"code": "not_found", "message": "no such advertiser"}})
        if self.busy:
            self.busy -= 1
            return Reply(200, {"error": {"code": "busy", "message": "try again"}})
        body = orjson.loads(request.body)
        events = body["events"]
        if body["source"] != "warehouse" or len(events) > 500:
            return Reply(400, {"error": {"code": "envelope", "message": "at most 500 events"}})
        bad = [
            position
            for position, event in enumerate(events)
            if event.get("order", {}).get("total", 0) > 5000
        ]
        if bad:
            items = [
                {"position": position, "code": "too_much", "reason": "more than 5,000"}
                for position in bad
            ]
            return Reply(
                400, {"error": {"code": "some", "message": "nothing was taken", "items": items}}
            )
        self.copies += len(events)
        self.taken.update({event["id"]: event for event in events})
        return Reply(200, {"accepted": len(events)})


@pytest.fixture
def acme() -> Acme:
    return Acme()


@pytest.fixture
def server(acme: Acme) -> Iterator[Server]:
    with serving(answering(acme)) as running:
        yield running


def orders(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        recent(
            full(
                conversion_id=f"c{number:04d}",
                event_id=f"e{number:04d}",
                value=str(9000 if number % 100 == 7 else number),
                **changes,
            )
        )
        for number in range(count)
    ]


def destination_of_the_guide(
    project: Project, server: Server, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """The YAML that the guide shows, in a project that has the example's file;
    only the address is another.
    """
    monkeypatch.setenv("ACME_KEY", KEY)
    monkeypatch.setenv("WAREHOUSE_URL", fill(project, rows))
    (project.root / "docs" / "examples").mkdir(parents=True)
    shutil.copy(DOCS / "examples" / "acme_batch.yaml", project.root / EXAMPLE)
    shown = "\n".join(
        re.findall(
            r"^    ((?:type|attributes|  ).*)$",
            GUIDE.split("## Where requests go")[0],
            re.MULTILINE,
        )
    )
    attributes = yaml.safe_load(shown)["attributes"]
    attributes["endpoint"] = server.url
    project.write_text(
        yaml.safe_dump(
            {"type": "dagster_project.components.CapiDestination", "attributes": attributes}
        )
    )
    return project.load()


def test_the_example_delivers_good_rows_and_quarantines_bad_ones(
    project: Project, acme: Acme, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.busy = 1
    destination = destination_of_the_guide(project, server, orders(1000), monkeypatch)
    report = sync(destination)
    assert report.failure is None
    assert (report.rows_read, report.delivered, report.rejected) == (1000, 990, 10)
    assert (len(acme.taken), acme.copies, report.http_requests) == (990, 990, 5), (
        "two batches, one of them twice; each once more without its bad rows"
    )
    assert {(entry["code"], entry["message"]) for entry in quarantined(project)} == {
        ("unregistered", None)
    }
    assert acme.taken["e0001"] == {
        "name": "order",
        "id": "e0001",
        "at": acme.taken["e0001"]["at"],
        "user": {
            "email_hash": "9129c5e7fe1f28f14fc1c189b064ce05b2285220e6ca5103db550df435f852d8",
            "phone_hash": "1e231c66011e7a2d867a9cfae267a6aff103cf4913640b6e71a99850fc0ffbc8",
            "device": "6d92078a-8246-4ba4-ae5b-76104861e7dc",
        },
        "order": {"id": "1001", "total": 1, "currency": "EUR"},
        "items": [{"sku": "sku-1", "count": 2}, {"sku": "sku-2", "count": 1}],
    }
    assert sync(destination).rows_read == 0


def test_the_example_stops_with_its_remedy_when_the_key_is_gone(
    project: Project, acme: Acme, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = destination_of_the_guide(project, server, orders(3), monkeypatch)
    monkeypatch.setenv("ACME_KEY", "another")
    report = sync(destination)
    assert report.failure is not None
    assert "ask Acme for a new key" in report.failure.message
    assert (acme.taken, quarantined(project)) == ({}, [])


def test_the_example_expires_and_rejects_by_its_own_rules(
    project: Project, acme: Acme, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = dict.fromkeys(("email", "phone", "mobile_ad_id", "email_sha256", "phone_e164_sha256"))
    rows = [
        recent(full(conversion_id="c1"), days=15),
        recent(full(conversion_id="c2", **nobody)),
        recent(full(conversion_id="c3")),
    ]
    report = sync(destination_of_the_guide(project, server, rows, monkeypatch))
    assert (report.expired, report.rejected, report.delivered) == (1, 1, 1)


def test_the_commands_of_the_guide_work(
    project: Project, acme: Acme, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = destination_of_the_guide(project, server, orders(2), monkeypatch)
    assert project.capi("check", "acme", "--json", check=True).json()["ok"]
    (item,) = preview(destination, [full(conversion_id="c1")], as_of=AS_OF)
    assert item["request"]["headers"]["X-Acme-Key"] == "***"
    assert (
        project.capi("sync", "acme", "--dry-run", "--json", check=True).json()["http_requests"] == 0
    )
    assert acme.taken == {}


# The guide itself.


def models(model: type[BaseModel] = Platform) -> Iterator[type[BaseModel]]:
    """The model of a platform file and those inside it."""
    yield model
    for field in model.model_fields.values():
        for kind in inside(field.annotation):
            yield from models(kind)


def inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from inside(argument)


KEYS = sorted({(model.__name__, key) for model in models() for key in model.model_fields})


@pytest.mark.parametrize(("model", "key"), KEYS)
def test_the_guide_speaks_of_every_key(model: str, key: str) -> None:
    assert re.search(rf"`{key}[`:]", GUIDE), f"{model}.{key}"


@pytest.mark.parametrize("name", [*FUNCTIONS, *linter.STEERING])
def test_the_guide_speaks_of_every_function_and_steering_key(name: str) -> None:
    assert re.search(rf"`{re.escape(name)}[`(:]", GUIDE), name


def test_every_function_that_the_guide_lists_exists() -> None:
    listed = GUIDE.split("Functions, each with its source")[1].split("## Which rows")[0]
    assert set(re.findall(r"`([a-z_0-9]+)(?:\([^)]*\))?`", listed)) <= set(FUNCTIONS)


TYPES = {"text", "number", "integer", "boolean", "json"}
"""For the columns that a destination adds under `extra`."""


def test_every_function_is_used_by_a_platform_or_a_documented_override() -> None:
    files = [*(DOCS.parent / "connector" / "platforms").glob("*.yaml"), DOCS / "uncertain-facts.md"]
    files += [DOCS.parent / EXAMPLE, Path(__file__).parent / "test_vectors.py"]
    files.append(DOCS.parent / "connector" / "config" / "profile.py")
    told = "\n".join(file.read_text(encoding="utf-8") for file in files)
    unused = {name for name in FUNCTIONS if not re.search(rf"\| {name}\b", told)}
    assert unused - TYPES == set()


ZEPHYR = """
title: Zephyr Ads
docs: https://zephyr.example/docs
endpoint: https://in.zephyr.example
path: /v1/{tenant}/convs
account: {tenant: {type: text}}
auth: {method: header, name: X-Zephyr}
body: {convs: $events}
limits: {max_events: 200}
identifiers:
  mail: {value: email | email_basic | sha256_hex}
event:
  id: event_id
  when: event_time | unix_s
  who: {mail: identifier.mail}
answers:
  success: {status: [200]}
  status: {"409": halt}
  message: [header.x-zephyr-reason]
"""
"""A network that a stranger adds, by the guide alone."""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('{"409": halt}', "{409: halt}", "a key must be text; put it in quotes"),
        ("sha256_hex", "sha256", "there is no function 'sha256'; did you mean 'sha256_hex'?"),
        ("identifier.mail", "identifier.email", "there is no identifier.email; did you mean"),
        ("event_id", "event_ids", "event.id: there is no event_ids; did you mean 'event_id'?"),
        ("{tenant}", "{tennant}", "{tennant} is neither one of params nor a key of account"),
        ("max_events", "max_event", "there is no such key; did you mean 'max_events'?"),
        ("endpoint:", "endpoints:", "there is no such key; did you mean 'endpoint'?"),
        ("{value: email", "{valu: email", "identifiers.mail.value: Field required"),
        ("$events", "events", "text is written =text"),
    ],
)
def test_a_slip_of_a_stranger_is_told_with_what_was_meant(
    right: str, wrong: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "zephyr.yaml"
    path.write_text(ZEPHYR, encoding="utf-8")
    (zephyr,) = platform_facts("zephyr.yaml", root=tmp_path)
    assert (zephyr.title, zephyr.max_events) == ("Zephyr Ads", 200)
    path.write_text(ZEPHYR.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(DestinationError) as raised:
        platform_facts("zephyr.yaml", root=tmp_path)
    assert said in str(raised.value)


KESTREL = """
title: Kestrel Ads
docs: https://kestrel.example/docs
endpoint: https://in.kestrel.example
path: /{version}/orgs/{org}/conversions
params: {version: v3}
version_ends: {v3: 2027-06-30}
account: {org: {type: digits}, region: {choices: [eu, us], default: us}}
auth: {method: header, name: X-Kestrel-Token}
headers: {X-Kestrel-Region: "{region}"}
body: $events
limits: {max_events: 200, rate: 50/s}
dedupe_window: 24h
fields: {page: event_source_url | url_page}
required_when:
  - {column: event_name, values: [Purchase, sale], need: [value, currency]}
windows: {max_age: 14d, max_future: 5m, margin: 2m}
event_names: {names: {Purchase: sale, Lead: lead}, longest: 32}
identifiers:
  mail: {value: email | email_basic | sha256_hex, hashed: email_sha256 | prehashed_hex, several: 2}
  tel: {value: phone | phone_digits | sha256_hex, hashed: phone_sha256 | prehashed_hex}
  click: {value: click_id | click_id(kclid)}
identity: {any_of: [[mail], [tel], [click]]}
event:
  kind: event_name
  ts: event_time | unix_s
  ref: event_id
  uid: {mail: [identifier.mail], tel: identifier.tel, click: identifier.click}
  url: field.page
  amount: {$all: [minor, iso], minor: value | minor_units, iso: currency}
  lines: {$each: contents, item: {p: id, n: quantity | whole}}
variants: {region: {eu: {endpoint: https://in-eu.kestrel.example, windows: {max_age: 7d}}}}
answers:
  success: {status: [202], count: accepted}
  partial: [207]
  codes:
    path: [header.x-kestrel-code]
    known:
      slow_down: {means: retry}
      token_gone: {means: auth, remedy: ask Kestrel for a new token}
  message: [header.x-kestrel-message]
  located: {path: [results], index: pos, first: 1, ok: {state: [ok]}, code: why, message: why}
test_mode: {method: query, name: dry, value: "1"}
"""
"""Another one: an array as body, its own click id, regions, positions from 1, words in headers."""


class Kestrel:
    """Takes what is good of a request and names the rest, as its documents would say."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.slow = 1

    def __call__(self, request: Request) -> Reply:
        assert request.target == "/v3/orgs/77/conversions"
        if request.headers["x-kestrel-token"] != KEY:
            return Reply(403, None, {"X-Kestrel-Code": "token_gone", "X-Kestrel-Message": "no"})
        if self.slow:
            self.slow -= 1
            return Reply(400, None, {"X-Kestrel-Code": "slow_down", "Retry-After": "0"})
        events = orjson.loads(request.body)
        bad = [place for place, event in enumerate(events, 1) if event["uid"]["click"] == "kc-7"]
        self.taken += [event for place, event in enumerate(events, 1) if place not in bad]
        if not bad:
            return Reply(202, {"accepted": len(events)})
        results = [{"pos": str(place), "state": "bad", "why": "unknown_click"} for place in bad]
        return Reply(207, {"results": results})


def kestrel_destination(project: Project, server: Server, rows: Sequence[dict[str, Any]]) -> Any:
    (project.root / "kestrel.yaml").write_text(KESTREL, encoding="utf-8")
    attributes = {
        "platform": "kestrel.yaml",
        "endpoint": server.url,
        "account": {"org": "77"},
        "auth": {"bearer": "env:ACME_KEY"},
        "source": {
            "warehouse": fill(project, rows),
            "query": "sql/conversions.sql",
            "cursor": "updated_at",
            "key": "conversion_id",
            "start": "all",
            "lag": "0s",
        },
    }
    kind = "dagster_project.components.CapiDestination"
    project.write_text(yaml.safe_dump({"type": kind, "attributes": attributes}))
    return project.load()


def test_a_network_of_another_shape_is_added_by_its_file_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        recent(
            full(
                conversion_id=f"c{n}",
                event_id=None,
                click_id=f"https://a.example/?kclid=kc-{n % 10}",
            )
        )
        for n in range(20)
    ]
    kestrel = Kestrel()
    with serving(answering(kestrel)) as server:
        monkeypatch.setenv("ACME_KEY", "another")
        destination = kestrel_destination(project, server, rows)
        failure = sync(destination).failure
        assert failure is not None
        assert "ask Kestrel for a new token" in failure.message
        monkeypatch.setenv("ACME_KEY", KEY)
        report = sync(destination)
    assert (report.failure, report.delivered, report.rejected) == (None, 18, 2)
    assert report.http_requests == 2, "once it was too slow, and then it named the bad ones"
    assert {event["uid"]["click"] for event in kestrel.taken} == {
        f"kc-{n}" for n in range(10) if n != 7
    }
    assert server.requests[-1].headers["x-kestrel-region"] == "us", "the default of the account key"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("{eu: {endpoint", "{ue: {endpoint", "variants: account.region cannot be 'ue'"),
        ("windows: {max_age: 7d}", "window: {max_age: 7d}", "variants.region.eu.window: there is"),
        ("{region: {eu", "{regio: {eu", "account.regio is not an account key with choices"),
        ("default: us", "optional: true", "{region} may be left out of account"),
        ("value | minor_units", "value | minor_unit", "did you mean 'minor_units'?"),
    ],
)
def test_a_slip_in_what_differs_by_an_account_key_is_told(
    right: str, wrong: str, said: str, tmp_path: Path
) -> None:
    assert right in KESTREL
    (tmp_path / "kestrel.yaml").write_text(KESTREL.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(DestinationError) as raised:
        platform_facts("kestrel.yaml", root=tmp_path)
    assert said in str(raised.value)
    assert ": :" not in str(raised.value)


def test_a_destination_gets_what_its_account_chooses(tmp_path: Path) -> None:
    (tmp_path / "kestrel.yaml").write_text(KESTREL, encoding="utf-8")
    for region, host, days in (("eu", "in-eu", 7), ("us", "in", 14), (None, "in", 14)):
        account = {"org": "77"} if region is None else {"org": "77", "region": region}
        chosen = loader.load("kestrel.yaml", tmp_path, None, account)
        assert chosen.endpoint == f"https://{host}.kestrel.example"
        assert chosen.windows.max_age == dt.timedelta(days=days)
    account = {"account_type": "FLOODLIGHT_CONFIG"}
    without = {"identifiers": {"dclid": None}, "identity": {"any_of": [["gclid"]]}}
    taken = loader.load("google", None, without, account)
    assert "dclid" not in taken.identifiers, "an identifier that a variant adds can be left out too"
    assert "dclid" in loader.load("google", None, None, account).identifiers
    with pytest.raises(loader.PlatformError, match="variants cannot be overridden"):
        loader.load("kestrel.yaml", tmp_path, {"variants": {}}, {"org": "77"})
