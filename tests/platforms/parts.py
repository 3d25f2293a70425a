"""Destinations of every platform, rows in every canonical column,
and a warehouse that holds such rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import yaml

from connector.config.destination import Destination
from connector.config.loader import build
from connector.platforms import loader as platforms
from connector.platforms.columns import COLUMNS
from connector.sandbox.server import Receiver
from connector.state.store import Store, state_url
from connector.state.tables import quarantine
from connector.syntax import yaml as strict_yaml
from tests.support.projects import TOKEN, Project

NAMES = tuple(platforms.names())
BATCHING = tuple(name for name in NAMES if name != "capi")
OPEN = tuple(name for name in NAMES if platforms.load(name).auth.method == "none")
"""Platforms that ask for no credentials."""

UNVALIDATED = ("taboola",)
"""Platforms that take whatever comes."""

AS_OF = dt.datetime(2026, 6, 1, 12, 30, 15, 250_000, tzinfo=dt.UTC)
"""The moment at which the rows of goldens are read."""

ACCOUNTS: dict[str, dict[str, Any]] = {
    "capi": {"advertiser_id": 12, "data_source_key": "abc123def456"},
    "amazon": {"account_id": "ENTITY1A2B3C"},
    "google": {
        "account_type": "GOOGLE_ADS",
        "account_id": "1234567890",
        "login_account_id": "9876543210",
    },
    "linkedin": {},
    "meta": {"pixel_id": "1234567890"},
    "microsoft": {"tag_id": "97031234"},
    "openai": {"pixel_id": "px_abc"},
    "pinterest": {"ad_account_id": "549755885175"},
    "reddit": {"pixel_id": "a2_abc"},
    "snapchat": {"pixel_id": "b5c6d7e8-pixel"},
    "taboola": {"account_id": "123456"},
    "thetradedesk": {"advertiser_id": "a1b2c3d", "tracker_id": "t1x2y3z"},
    "thetradedesk_offline": {"data_provider_id": "acme", "tracking_tag_id": "t1x2y3z"},
    "tiktok": {"event_source": "web", "event_source_id": "C4PIXEL"},
    "x": {"pixel_id": "o8z6j"},
}
"""What a destination of each platform says of its account."""

EVENTS: dict[str, dict[str, str]] = {
    "google": {"Purchase": "4001", "Lead": "4002"},
    "linkedin": {"Purchase": "104012", "Lead": "104013"},
    "x": {"Purchase": "tw-o8z6j-o8z6k", "Lead": "tw-o8z6j-o8z6l"},
}
"""Names of events, where the platform has none of its own."""

_OAUTH1 = {
    "consumer_key": "env:X_CONSUMER_KEY",
    "consumer_secret": "env:X_CONSUMER_SECRET",
    "token": "env:ACME_TOKEN",
    "token_secret": "env:X_TOKEN_SECRET",
}
_OAUTH2 = {
    "client_id": "env:GOOGLE_CLIENT_ID",
    "client_secret": "env:GOOGLE_CLIENT_SECRET",
    "refresh_token": "env:GOOGLE_REFRESH_TOKEN",
}
TOKEN_PATHS = {"google": "/oauth2/token", "amazon": "/auth/o2/token"}
"""Where the receiver gives access tokens."""

AUTH: dict[str, dict[str, str]] = {
    **{name: {} if name in OPEN else {"bearer": "env:ACME_TOKEN"} for name in NAMES},
    "meta": {"bearer": "env:ACME_TOKEN", "app_secret": "env:META_APP_SECRET"},
    "amazon": _OAUTH2,
    "google": _OAUTH2,
    "x": _OAUTH1,
}
"""The credentials of each platform."""

SECRETS = {
    "ACME_TOKEN": TOKEN,
    "META_APP_SECRET": "sandbox-app-secret",
    "X_CONSUMER_KEY": "sandbox-consumer-key",
    "X_CONSUMER_SECRET": "sandbox-consumer-secret",
    "X_TOKEN_SECRET": "sandbox-token-secret",
    "GOOGLE_CLIENT_ID": "sandbox-client",
    "GOOGLE_CLIENT_SECRET": "sandbox-client-secret",
    "GOOGLE_REFRESH_TOKEN": "sandbox-refresh-token",
}
"""The environment in which these can be read; the receiver knows them too."""


def attributes(name: str, **changes: Any) -> dict[str, Any]:
    """A destination's attributes. changes: `source__lag="0s"` reaches inside."""
    base: dict[str, Any] = {
        "platform": name,
        **({"endpoint": "https://px.dsp.example/signal/v1/conversion"} if name == "capi" else {}),
        "account": dict(ACCOUNTS[name]),
        "auth": dict(AUTH[name]),
        "events": dict(EVENTS.get(name, {})),
        "source": {
            "warehouse": "duckdb:///w.duckdb",
            "query": "sql/conversions.sql",
            "cursor": "updated_at",
            "key": "conversion_id",
            "start": "all",
        },
    }
    for key, value in changes.items():
        *parents, last = key.split("__")
        target = base
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    return base


def on_paper(name: str, **changes: Any) -> Destination:
    """A destination that nothing is ever sent to."""
    text = yaml.safe_dump(
        {
            "type": "dagster_project.components.CapiDestination",
            "attributes": attributes(name, **changes),
        },
        sort_keys=False,
    )
    return build(strict_yaml.load(text, "defs.yaml"), Path("/"), None)


def everything(name: str) -> list[str]:
    """All identifiers of a platform, also those that leave readable."""
    return list(platforms.load(name).identifiers)


def on_receiver(
    project: Project,
    receiver: Receiver,
    rows: Sequence[Mapping[str, Any]],
    name: str,
    **changes: Any,
) -> Destination:
    """A destination of a platform that goes from a warehouse with these rows to the receiver."""
    url = fill(project, rows)
    endpoint = f"{receiver.url}/signal/v1/conversion" if name == "capi" else receiver.url
    wanted = {"auth__bearer": None, **{f"auth__{key}": value for key, value in AUTH[name].items()}}
    if name in TOKEN_PATHS:
        wanted["overrides__auth__token_url"] = f"{receiver.url}{TOKEN_PATHS[name]}"
    wanted |= {
        "platform": name,
        "account": dict(ACCOUNTS[name]),
        "events": dict(EVENTS.get(name, {})),
        "source__lag": "0s",
        "source__lookback": "0s",
    }
    project.write(url, endpoint, **{**wanted, **changes})
    return project.load()


def fill(project: Project, rows: Sequence[Mapping[str, Any]]) -> str:
    """Put rows into a warehouse of their own; its address. Every row gets a key and a cursor."""
    path = project.root / "conversions.duckdb"
    start = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    keyed = [
        {
            "conversion_id": f"c{number:06d}",
            "updated_at": start + dt.timedelta(milliseconds=number),
            **row,
        }
        for number, row in enumerate(rows)
    ]
    names = list(dict.fromkeys(name for row in keyed for name in row))
    table = pa.table(
        {
            name: pa.array(
                [row.get(name) for row in keyed],
                pa.timestamp("us", "UTC") if name in TIMES else None,
            )
            for name in names
        }
    )
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", table)
        connection.execute("create or replace table conversions as select * from given")
    return f"duckdb:///{path}"


TIMES = ("updated_at", "event_time")


def quarantined(project: Project) -> list[dict[str, Any]]:
    """The quarantine: reason, field, code and message of every row in it."""
    store = Store.open(state_url(project.root))
    try:
        with store.read() as connection:
            return [dict(row) for row in connection.execute(quarantine.select()).mappings()]
    finally:
        store.close()


CHROME = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36"
)


def full(**changes: Any) -> dict[str, Any]:
    """A conversion with a value in every canonical column."""
    row: dict[str, Any] = {
        "event_name": "Purchase",
        "event_time": "2026-05-31T10:00:00.123Z",
        "event_id": "order-1001",
        "order_id": "1001",
        "value": "99.99",
        "currency": "EUR",
        "email": " John_Smith+shop@gmail.com ",
        "email_2": None,
        "email_3": None,
        "phone": "+1 (650) 555-1212",
        "phone_2": None,
        "phone_3": None,
        "first_name": "Mary-Ann",
        "last_name": " Valéry ",
        "date_of_birth": "1997-02-16",
        "gender": "female",
        "street": "1 Main St",
        "city": "San Francisco",
        "state": "California",
        "postal_code": "94105-1234",
        "country": "United States",
        "guid": "85B04DED-09DD-4015-AD30-581E45452DD9",
        "first_party_id": "customer_12345",
        "external_id": "u-77",
        "external_id_2": None,
        "external_id_3": None,
        "mobile_ad_id": "6D92078A-8246-4BA4-AE5B-76104861E7DC",
        "mobile_os": "iOS",
        "idfa": None,
        "gaid": None,
        "email_sha256": "A" * 64,
        "phone_sha256": "B" * 64,
        "phone_e164_sha256": "C" * 64,
        "first_name_sha256": "D" * 64,
        "last_name_sha256": "E" * 64,
        "external_id_sha256": "F" * 64,
        "client_ip": "8.8.4.4",
        "user_agent": CHROME,
        "event_source_url": "https://shop.example/thanks?token=secret#top",
        "action_source": "website",
        "gclid": "Cj0KCQjw",
        "gbraid": "0AAAAAo",
        "wbraid": "Cl8KCQ",
        "fbc": "fb.1.1554763741205.AbCdEf",
        "fbp": "fb.1.1558571054389.1098115397",
        "fbclid": "IwAR0abc",
        "ttclid": "E.C.P.abc",
        "ttp": "94e2a4j9",
        "sc_click_id": "c5b2a1",
        "sc_cookie": "65a6a8",
        "epik": "dj0yJnU9",
        "rdt_cid": "38299",
        "li_fat_id": "85b04ded-09dd",
        "msclkid": "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
        "twclid": "23opevjt",
        "aref": "b3f1a7c2",
        "tblci": "GiDxLZcEVjwEqkGfKQMQndUYMIeZXFHmZ0DrHIJhGS6kKiDzkGUos9GzkpqG",
        "ttd_impression_id": "7e5c1a90-0b5d-4d0e-9f43-2f6a1f0c9d11",
        "tdid": "9a3c1f52-7f4e-4a3c-8d39-0c6f5a2b1e77",
        "uid2": "AKaNkgRC4TYxQ2oLx0eT1mbH8nD3sVfW5pYcKuJiZrE=",
        "contents": [
            {
                "id": "sku-1",
                "quantity": 2,
                "price": "9.5",
                "name": "Tea, green",
                "category": "Drinks",
                "brand": "Acme",
                "group_id": "tea",
            },
            {"id": "sku-2", "quantity": 1, "price": "80.99"},
        ],
        "content_ids": ["sku-1", "sku-2"],
        "num_items": 3,
        "predicted_ltv": "420.50",
        "lead_id": "1234567890123456",
        "subscription_id": "sub-1234567",
        "ga_client_id": "1234567890.1700000000",
        "ga_app_instance_id": "8a9e8c0d4c3f4b1e9d2a7f6b5c4d3e2f",
        "page_title": "Thank you",
        "page_type": "purchase",
        "page_category": "tea",
        "page_keywords": "tea, green tea",
        "page_load_id": "3F2B6F0E-7F0B-4A55-9D0C-0A5B1F6F6C11",
        "description": "spring sale",
        "messaging_channel": "WhatsApp",
        "device_brand": "Apple",
        "device_type": "phone",
        "device_carrier": "Acme Mobile",
        "screen_width": 1179,
        "screen_height": 2556,
        "wifi": True,
        "ad_callback": "E.C.P.callback",
        "campaign_id": "1771234567890",
        "ad_id": "1779876543210",
        "creative_id": "1775555555555",
        "attributed": True,
        "retargeting": False,
        "attribution_type": "click_through",
        "attribution_provider": "AppsFlyer",
        "impression_id": "imp_0b1c2d",
        "match_id": "match_77",
        "session_attributes": "CAESBgoE",
        "ctwa_clid": "ARAkLkA8rmlF",
        "event_parameters": '{"session_id": "17", "engagement_time_msec": 100}',
        "custom_variables": '{"tier": "gold"}',
        "hotel_id": "h-123",
        "check_in": "2026-07-01",
        "check_out": "2026-07-05T10:00:00Z",
        "nights": 4,
        "hotel_price": "640.00",
        "hotel_base_price": "560.00",
        "booking_url": "https://hotel.example/b?token=secret",
        "company": "Acme Ltd",
        "job_title": "Engineer",
        "referrer_url": "https://shop.example/cart?token=secret",
        "lead_source": "HubSpot",
        "app_id": "com.shop.example",
        "app_name": "Shop",
        "app_version": "4.2.1",
        "os_version": "17.5",
        "device_model": "iPhone15,2",
        "locale": "en_US",
        "ad_tracking": True,
        "dclid": "CJqzq5vZ",
        "click_id": "kc_8f2a",
        "browser_id": "kb_77",
        "oppref": "op_abc",
        "obref": "ob_abc",
        "rdt_uuid": "1677712978045.b8f7d2c1",
        "consent": True,
        "opt_out": False,
        "limited_data_use": False,
    }
    assert row.keys() == COLUMNS.keys()
    return {**row, **changes}


def recent(row: Mapping[str, Any], **age: float) -> dict[str, Any]:
    """The same conversion, some time before now, with its lists as a warehouse keeps them."""
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(**(age or {"hours": 2}))
    texts = {
        name: orjson.dumps(value).decode() for name, value in row.items() if isinstance(value, list)
    }
    return {**row, **texts, "event_time": moment}


MINIMAL: dict[str, dict[str, Any]] = {
    "capi": {"guid": "85b04ded-09dd-4015-ad30-581e45452dd9"},
    "amazon": {"email": "jane@shop.example", "country": "US", "action_source": "email"},
    "google": {"gclid": "Cj0KCQjw"},
    "linkedin": {"li_fat_id": "85b04ded-09dd"},
    "meta": {
        "fbp": "fb.1.1558571054389.1098115397",
        "action_source": "email",
        "value": "1",
        "currency": "USD",
    },
    "microsoft": {"msclkid": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"},
    "openai": {"email": "jane@shop.example", "action_source": "email"},
    "pinterest": {"email": "jane@shop.example", "action_source": "email"},
    "reddit": {"rdt_cid": "38299", "action_source": "email"},
    "snapchat": {
        "email": "jane@shop.example",
        "action_source": "email",
        "value": "1",
        "currency": "USD",
    },
    "taboola": {"tblci": "GiDxLZcEVjwEqkGfKQMQndUYMIeZXFHmZ0DrHIJhGS6kKiDzkGUos9GzkpqG"},
    "thetradedesk": {
        "tdid": "9a3c1f52-7f4e-4a3c-8d39-0c6f5a2b1e77",
        "value": "1",
        "currency": "USD",
    },
    "thetradedesk_offline": {
        "tdid": "9a3c1f52-7f4e-4a3c-8d39-0c6f5a2b1e77",
        "value": "1",
        "currency": "USD",
    },
    "tiktok": {
        "ttclid": "E.C.P.abc",
        "event_source_url": "https://shop.example/",
        "value": "1",
        "currency": "USD",
    },
    "x": {"twclid": "23opevjt"},
}
"""The least that each platform takes of a Purchase, beside its name and time."""


def minimal(name: str, **changes: Any) -> dict[str, Any]:
    """The least conversion that a platform takes."""
    return {
        "conversion_id": "c1",
        "event_name": "Purchase",
        "event_time": "2026-05-31T10:00:00Z",
        **MINIMAL[name],
        **changes,
    }
