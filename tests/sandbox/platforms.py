"""Every platform as a careful client would call it: a full event, its envelope, its credentials.

Written by hand from the documents.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import requests

from connector.sandbox.server import Receiver

TOKEN = "sandbox-token"
Json = dict[str, Any]

_http = requests.Session()
_http.trust_env = False
_nonces = itertools.count(1)


class Answer(NamedTuple):
    """What the receiver said. body: its JSON, or its text where it is none."""

    status: int
    body: Any
    headers: Any


def call(
    method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, **more: Any
) -> Answer:
    """One request. body: sent as JSON."""
    answer = _http.request(
        method, url, json=body, headers=headers, timeout=10, allow_redirects=False, **more
    )
    try:
        said = answer.json()
    except requests.JSONDecodeError:
        said = answer.text
    return Answer(answer.status_code, said, answer.headers)


def control(receiver: Receiver, **wanted: Any) -> Answer:
    """Tell the receiver how to behave."""
    return call("POST", f"{receiver.url}/control", wanted)


def ids(receiver: Receiver) -> dict[str, list[int]]:
    """What arrived: `platform/account/event id` -> copies and conflicts."""
    found: dict[str, list[int]] = call("GET", f"{receiver.url}/received?ids=1").body["ids"]
    return found


def now(**earlier: float) -> int:
    """Unix seconds, earlier by a span."""
    return int(time.time() - dt.timedelta(**earlier).total_seconds())


ABSENT: Any = object()


def changed(event: Json, /, **changes: Any) -> Json:
    """An event with other values.

    changes: `user_data__em` reaches inside; ABSENT takes a field away.
    """
    copy = json.loads(json.dumps(event))
    for name, value in changes.items():
        *parents, last = name.split("__")
        holder = copy
        for parent in parents:
            holder = holder.setdefault(parent, {})
        if value is ABSENT:
            holder.pop(last)
        else:
            holder[last] = value
    return copy


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def base64_sha(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@dataclass(frozen=True)
class Platform:
    """A platform as its clients see it.

    event: a full, good event by its number. wrap: the body of a request with events. most: how
    many it may hold. bad: what makes an event one that is refused. headers: of a request to a URL,
    with a token. partial: good events pass beside bad ones. taken: status of the answer to good
    events. denied: of the answer to a wrong token; None where there are no credentials.
    """

    name: str
    path: str
    event: Callable[[int], Json]
    wrap: Callable[[list[Any]], Any]
    most: int
    bad: Json
    headers: Callable[[str, str], dict[str, str]] = lambda _url, token: {
        "Authorization": f"Bearer {token}"
    }
    partial: bool = False
    taken: int = 200
    denied: int | None = 401

    def send(
        self,
        receiver: Receiver,
        *events: Any,
        token: str = TOKEN,
        path: str | None = None,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> Answer:
        """Send events. body: more fields of the envelope."""
        return self.post(
            receiver, {**self.wrap(list(events)), **body}, token=token, path=path, headers=headers
        )

    def post(
        self,
        receiver: Receiver,
        body: Any,
        token: str = TOKEN,
        path: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a body as it is."""
        url = receiver.url + (path or self.path).replace("{token}", token)
        return call("POST", url, body, self.headers(url, token) if headers is None else headers)

    def good(self, count: int) -> list[Json]:
        """Good events."""
        return [self.event(number) for number in range(count)]

    def spoiled(self, number: int) -> Json:
        """An event that is refused."""
        return {**self.event(number), **self.bad}


def capi_event(number: int) -> Json:
    return {
        "advertiser_id": 12,
        "conversion_type": "Purchase",
        "data_source_key": "abc123def456",
        "event_id": sha(f"event {number}"),
        "ids": [
            {"name": "Guid", "id": "85b04ded-09dd-4015-ad30-581e45452dd9"},
            {"name": "Email", "id": f"person{number}@example.org"},
            {"name": "HashedEmail", "id": sha(f"person{number}@example.org")},
            {"name": "Phone", "id": "14155552671"},
            {"name": "HashedPhone", "id": sha("14155552671")},
            {"name": "FirstPartyId", "id": "customer_12345"},
        ],
        "order_id": "t1GFlDxuBVNbgMylYUoJ3aaTZ0ymGWZ4W2V1BLNBfJU=",
        "user_agent": {"browser": "Chrome", "operating_system": "Mac OS X"},
        "timestamp": "2026-04-13T14:30:00Z",
        "value": 99.99,
        "currency": "USD",
    }


def meta_event(number: int) -> Json:
    return {
        "event_name": "Purchase",
        "event_time": now(hours=1),
        "event_id": f"e{number}",
        "action_source": "website",
        "event_source_url": "https://shop.example.com/thanks",
        "opt_out": False,
        "data_processing_options": ["LDU"],
        "data_processing_options_country": 1,
        "data_processing_options_state": 1000,
        "user_data": {
            "em": [sha("person@example.org")],
            "ph": sha("16505551212"),
            "external_id": ["customer-1"],
            "client_ip_address": "203.0.113.9",
            "client_user_agent": "Mozilla/5.0",
            "fbc": "fb.1.1554763741205.AbCdEf",
            "fbp": "fb.1.1558571054389.1098115397",
        },
        "custom_data": {
            "value": 12.5,
            "currency": "EUR",
            "contents": [{"id": "sku", "quantity": 1, "item_price": 12.5}],
            "num_items": 1,
            "order_id": "o1",
        },
    }


def tiktok_event(number: int) -> Json:
    return {
        "event": "Purchase",
        "event_time": now(hours=1),
        "event_id": f"e{number}",
        "user": {
            "email": sha("person@example.org"),
            "phone": [sha("+16505551212")],
            "external_id": [sha("c1")],
            "ttclid": "E.C.P.x",
            "ip": "203.0.113.9",
            "user_agent": "Mozilla/5.0",
        },
        "page": {"url": "https://shop.example.com/thanks"},
        "properties": {
            "value": 12.5,
            "currency": "EUR",
            "order_id": "o1",
            "contents": [{"content_id": "sku", "price": 12.5, "quantity": 1}],
        },
        "limited_data_use": False,
    }


def snapchat_event(number: int) -> Json:
    return {
        "event_name": "PURCHASE",
        "event_time": now(hours=1),
        "event_id": f"e{number}",
        "action_source": "WEB",
        "event_source_url": "https://shop.example.com/thanks",
        "user_data": {
            "em": [sha("person@example.org")],
            "ph": [sha("16505551212")],
            "client_ip_address": "203.0.113.9",
            "client_user_agent": "Mozilla/5.0",
        },
        "custom_data": {
            "value": 12.5,
            "currency": "EUR",
            "order_id": "o1",
            "num_items": 1,
            "content_ids": ["sku"],
        },
        "data_processing_options": ["LMU"],
    }


def pinterest_event(number: int) -> Json:
    return {
        "event_name": "checkout",
        "action_source": "web",
        "event_time": now(hours=1),
        "event_id": f"e{number}",
        "event_source_url": "https://shop.example.com/thanks",
        "opt_out": False,
        "user_data": {
            "em": [sha("person@example.org")],
            "ph": [sha("16505551212")],
            "client_ip_address": "203.0.113.9",
            "client_user_agent": "Mozilla/5.0",
        },
        "custom_data": {
            "value": "12.50",
            "currency": "EUR",
            "order_id": "o1",
            "num_items": 1,
            "contents": [{"id": "sku", "item_price": "12.50", "quantity": 1}],
        },
    }


def reddit_event(number: int) -> Json:
    return {
        "event_at": now(hours=1) * 1000,
        "action_source": "WEBSITE",
        "event_source_url": "https://shop.example.com/thanks",
        "click_id": "abc",
        "type": {"tracking_type": "PURCHASE"},
        "user": {
            "email": sha("person@example.org"),
            "ip_address": "203.0.113.9",
            "user_agent": "Mozilla/5.0",
        },
        "metadata": {
            "conversion_id": f"e{number}",
            "currency": "EUR",
            "value": 12.5,
            "item_count": 1,
            "products": [{"id": "sku", "quantity": 1}],
        },
    }


def linkedin_event(number: int) -> Json:
    return {
        "conversion": "urn:lla:llaPartnerConversion:104012",
        "conversionHappenedAt": now(hours=1) * 1000,
        "conversionValue": {"currencyCode": "EUR", "amount": "12.50"},
        "eventId": f"e{number}",
        "user": {
            "userIds": [
                {"idType": "SHA256_EMAIL", "idValue": sha("person@example.org")},
                {
                    "idType": "LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID",
                    "idValue": "df5gf5-gh6t7-ph4j7h-fgf6n1",
                },
            ],
            "userInfo": {"firstName": "Ada", "lastName": "Example", "countryCode": "GB"},
        },
    }


def google_event(number: int) -> Json:
    return {
        "eventTimestamp": dt.datetime.fromtimestamp(now(hours=1), dt.UTC).isoformat(),
        "transactionId": f"e{number}",
        "eventSource": "WEB",
        "conversionValue": 12.5,
        "currency": "EUR",
        "adIdentifiers": {"gclid": "Cj0KCQ"},
        "userData": {
            "userIdentifiers": [
                {"emailAddress": sha("person@example.org")},
                {"phoneNumber": sha("+16505551212")},
                {
                    "address": {
                        "givenName": sha("ada"),
                        "familyName": sha("example"),
                        "regionCode": "GB",
                        "postalCode": "EC1",
                    }
                },
            ]
        },
        "consent": {"adUserData": "CONSENT_GRANTED"},
    }


def microsoft_event(number: int) -> Json:
    return {
        "eventType": "custom",
        "eventName": "purchase",
        "eventTime": now(hours=1),
        "eventId": f"e{number}",
        "eventSourceUrl": "https://shop.example.com/thanks",
        "adStorageConsent": "G",
        "userData": {
            "em": sha("person@example.org"),
            "ph": sha("+16505551212"),
            "msclkid": "3d1eb6a0-4a1b-4bd5-9d1a-0f1e2d3c4b5a",
            "clientIpAddress": "203.0.113.9",
        },
        "customData": {
            "value": 12.5,
            "currency": "EUR",
            "transactionId": "o1",
            "items": [{"id": "sku", "price": 12.5, "quantity": 1}],
            "pageType": "purchase",
        },
    }


def openai_event(number: int) -> Json:
    return {
        "id": f"e{number}",
        "type": "order_created",
        "timestamp_ms": now(hours=1) * 1000,
        "oppref": "oppref_abc",
        "source_url": "https://shop.example.com/thanks",
        "action_source": "web",
        "user": {
            "emails_sha256": [sha("person@example.org")],
            "countries": ["GB"],
            "ip_address": "203.0.113.9",
        },
        "data": {
            "type": "contents",
            "amount": 1250,
            "currency": "EUR",
            "contents": [{"id": "sku", "quantity": 1, "amount": 1250, "currency": "EUR"}],
        },
    }


def x_event(number: int) -> Json:
    return {
        "conversion_time": dt.datetime.fromtimestamp(now(hours=1), dt.UTC).strftime(
            "%Y-%m-%dT%H:%M:%S.000Z"
        ),
        "event_id": "tw-o8z6j-o8z6k",
        "identifiers": [
            {"twclid": "23opevjt88psuo13lu8d020qkn"},
            {"hashed_email": sha("person@example.org")},
        ],
        "conversion_id": f"e{number}",
        "value": "12.50",
        "price_currency": "EUR",
        "number_items": 1,
        "contents": [{"content_id": "sku", "num_items": 1, "content_price": 12.5}],
    }


def amazon_event(number: int) -> Json:
    return {
        "eventDescription": {
            "name": "Order",
            "conversionType": "OFF_AMAZON_PURCHASES",
            "eventSource": "WEBSITE",
            "eventIngestionMethod": "SERVER_TO_SERVER",
        },
        "countryCode": "US",
        "eventTime": dt.datetime.fromtimestamp(now(hours=1), dt.UTC).isoformat(),
        "eventId": f"e{number}",
        "value": 12.5,
        "currencyCode": "EUR",
        "unitsSold": 1,
        "matchKeys": [{"type": "EMAIL", "values": [sha("person@example.org")]}],
        "consent": {"amazonConsent": {"amznUserData": "GRANTED"}},
    }


def taboola_event(number: int) -> Json:
    return {
        "click-id": "GiDxLZcEVjwEqkGfKQMQndUYMIeZXFHmZ0DrHIJhGS6kKiDzkGUos9GzkpqG",
        "timestamp": now(hours=1) * 1000,
        "name": "purchase",
        "revenue": 12.5,
        "currency": "EUR",
        "quantity": 1,
        "orderid": f"e{number}",
    }


def thetradedesk_event(number: int) -> Json:
    return {
        "adv": "a1",
        "tracker_id": "t1",
        "event_name": "purchase",
        "value": "12.50",
        "currency": "EUR",
        "order_id": f"e{number}",
        "adid": "9a3c1f52-7f4e-4a3c-8d39-0c6f5a2b1e77",
        "adid_type": "TDID",
        "items": [{"item_code": "sku", "qty": "1", "price": "12.50"}],
    }


def thetradedesk_item(number: int) -> Json:
    return {
        "TrackingTagId": "t1",
        "TimestampUtc": "2026-11-27T10:00:00Z",
        "TDID": "9a3c1f52-7f4e-4a3c-8d39-0c6f5a2b1e77",
        "OrderId": f"e{number}",
        "Value": "12.50",
        "ValueCurrency": "EUR",
        "EventName": "purchase",
    }


def oauth1(
    method: str, url: str, consumer: tuple[str, str], token: tuple[str, str], nonce: str, stamp: str
) -> dict[str, str]:
    """A signed header. consumer, token: key and secret. RFC 5849, section 3.4."""

    def escaped(text: str) -> str:
        return quote(text, safe="~")

    where, _, query = url.partition("?")
    given = {
        "oauth_consumer_key": consumer[0],
        "oauth_nonce": nonce,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": stamp,
        "oauth_token": token[0],
        "oauth_version": "1.0",
    }
    pairs = [f"{escaped(name)}={escaped(value)}" for name, value in given.items()] + [
        pair for pair in query.split("&") if pair
    ]
    base = f"{method}&{escaped(where)}&{escaped('&'.join(sorted(pairs)))}"
    key = f"{escaped(consumer[1])}&{escaped(token[1])}"
    signature = base64.b64encode(
        hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()
    ).decode()
    parts = ", ".join(
        f'{name}="{escaped(value)}"'
        for name, value in {**given, "oauth_signature": signature}.items()
    )
    return {"Authorization": f"OAuth {parts}"}


def x_headers(url: str, token: str) -> dict[str, str]:
    consumer = ("sandbox-consumer-key", "sandbox-consumer-secret")
    return oauth1(
        "POST", url, consumer, (token, "sandbox-token-secret"), f"nonce{next(_nonces)}", str(now())
    )


def google_token(url: str, path: str = "/oauth2/token", **changes: str) -> Answer:
    """What the token endpoint says."""
    form = {
        "grant_type": "refresh_token",
        "client_id": "sandbox-client",
        "client_secret": "sandbox-client-secret",
        "refresh_token": "sandbox-refresh-token",
        **changes,
    }
    return call("POST", f"{'/'.join(url.split('/')[:3])}{path}", data=form)


def google_headers(url: str, token: str) -> dict[str, str]:
    access = google_token(url).body["access_token"] if token == TOKEN else token
    return {"Authorization": f"Bearer {access}"}


def amazon_headers(url: str, token: str) -> dict[str, str]:
    granted = google_token(url, "/auth/o2/token").body["access_token"] if token == TOKEN else token
    return {
        "Authorization": f"Bearer {granted}",
        "Amazon-Ads-ClientId": "sandbox-client",
        "Amazon-Ads-AccountId": "ENTITY1",
    }


def linkedin_headers(_url: str, token: str) -> dict[str, str]:
    versions = {
        "LinkedIn-Version": "202608",
        "X-Restli-Protocol-Version": "2.0.0",
        "X-RestLi-Method": "BATCH_CREATE",
    }
    return {"Authorization": f"Bearer {token}", **versions}


_google_account = {
    "operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": "1234567890"},
    "productDestinationId": "42",
}
_google = {"destinations": [_google_account], "encoding": "HEX"}

PLATFORMS = {
    each.name: each
    for each in (
        Platform(
            "meta",
            "/v25.0/1234567890/events?access_token={token}",
            meta_event,
            lambda events: {"data": events},
            1000,
            {"user_data": {}},
            lambda _url, _token: {},
        ),
        Platform(
            "tiktok",
            "/open_api/v1.3/event/track/",
            tiktok_event,
            lambda events: {"event_source": "web", "event_source_id": "PIXEL", "data": events},
            1000,
            {"user": {"email": "person@example.org"}},
            lambda _url, token: {"Access-Token": token},
            denied=200,
        ),
        Platform(
            "snapchat",
            "/v3/pixel-1/events?access_token={token}",
            snapchat_event,
            lambda events: {"data": events},
            2000,
            {"user_data": {}},
            lambda _url, _token: {},
        ),
        Platform(
            "pinterest",
            "/v5/ad_accounts/549755885175/events",
            pinterest_event,
            lambda events: {"data": events},
            1000,
            {"event_name": "subscription"},
            partial=True,
        ),
        Platform(
            "reddit",
            "/api/v3/pixels/a2_abc/conversion_events",
            reddit_event,
            lambda events: {"data": {"events": events}},
            1000,
            {"type": {"tracking_type": "Purchase"}},
        ),
        Platform(
            "linkedin",
            "/rest/conversionEvents",
            linkedin_event,
            lambda events: {"elements": events},
            5000,
            {"conversionValue": {"currencyCode": "EUR", "amount": 12.5}},
            linkedin_headers,
        ),
        Platform(
            "google",
            "/v1/events:ingest",
            google_event,
            lambda events: {**_google, "events": events},
            2000,
            {"currency": "eur"},
            google_headers,
        ),
        Platform(
            "microsoft",
            "/v1/tag-1/events",
            microsoft_event,
            lambda events: {"data": events, "continueOnValidationError": True},
            1000,
            {"userData": {}},
            partial=True,
        ),
        Platform(
            "openai",
            "/v1/events?pid=pixel-1",
            openai_event,
            lambda events: {"events": events},
            1000,
            {"data": {"type": "contents", "amount": 12.5}},
        ),
        Platform(
            "x",
            "/12/measurement/conversions/o8z6j",
            x_event,
            lambda events: {"conversions": events},
            500,
            {"identifiers": [{"hashed_email": "person@example.org"}]},
            x_headers,
        ),
        Platform(
            "amazon",
            "/adsApi/v1/create/events",
            amazon_event,
            lambda events: {"events": events},
            500,
            {"countryCode": "usa"},
            amazon_headers,
            partial=True,
            taken=207,
        ),
        Platform(
            "taboola",
            "/123/log/3/bulk-s2s-action",
            taboola_event,
            lambda events: {"actions": events},
            1000,
            {"click-id": "short"},
            lambda _url, _token: {},
            partial=True,
            taken=204,
            denied=None,
        ),
        Platform(
            "thetradedesk",
            "/track/realtimeconversion",
            thetradedesk_event,
            lambda events: {"data": events},
            100,
            {"value": 12.5},
            lambda _url, _token: {},
            denied=None,
        ),
        Platform(
            "thetradedesk_offline",
            "/providerapi/offlineconversion",
            thetradedesk_item,
            lambda events: {"DataProviderId": "p", "Items": events},
            1000,
            {"TimestampUtc": "yesterday"},
            lambda _url, token: {"TTD-Auth": token},
            partial=True,
            denied=403,
        ),
    )
}
