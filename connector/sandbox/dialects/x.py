"""X Conversion API: requests signed with OAuth 1.0a.

One bad event refuses the whole batch, and the answer does not say which.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from connector.sandbox.dialect import (
    Dialect,
    Judged,
    Received,
    Reply,
    Violation,
    listed,
    remember,
    same,
)
from connector.sandbox.dialects.shapes import (
    Rule,
    address,
    currency,
    decimal_text,
    digest,
    each,
    either,
    integer,
    number,
    pattern,
    text,
    thing,
    zoned,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("x")

_MOST = 500
_SKEW = 300
_IDENTIFIERS: dict[str, Rule] = {
    "twclid": text,
    "hashed_email": digest,
    "hashed_phone_number": digest,
    "ip_address": address,
    "user_agent": text,
}
_PLACES = {"ip_address", "user_agent"}
_SAID = {
    "hashed_email": "Hashed_email is not a valid SHA-256 hash",
    "hashed_phone_number": "Hashed_phone_number is not a valid SHA-256 hash",
}
_CONTENT: dict[str, Rule] = {
    **dict.fromkeys(("content_id", "content_group_id", "content_name", "content_type"), text),
    "content_price": either(number, decimal_text),
    "num_items": integer,
}
_event = thing(
    {
        "conversion_time": zoned(),
        "event_id": pattern("[a-z0-9]+|tw-[a-z0-9]+-[a-z0-9]+", "is not a single event tag (SET)"),
        "identifiers": each(thing(_IDENTIFIERS, others="refuse")),
        **dict.fromkeys(("conversion_id", "description", "search_string"), text),
        "value": either(number, decimal_text),
        "price_currency": currency,
        "number_items": integer,
        "contents": each(thing(_CONTENT)),
    },
    required=("conversion_time", "event_id", "identifiers"),
)


def _refuse(*errors: tuple[str, str]) -> Reply:
    return _answers.reply("refused", error=[{"code": code, "said": said} for code, said in errors])


def _escaped(value: str) -> str:
    return quote(value, safe="-._~")


def _authenticate(received: Received) -> Reply | None:
    by_pixel = same(received.headers.get("x-pixel-token"), received.state.secrets.token)
    return None if by_pixel or _signed(received) else _answers.reply("wrong_token")


def _signed(received: Received) -> bool:
    """Whether the request has an OAuth 1.0a signature that nobody used before. RFC 5849."""
    secrets = received.state.secrets
    scheme, _, rest = received.headers.get("authorization", "").partition(" ")
    given = {
        name.strip(): unquote(value.strip().strip('"'))
        for name, _, value in (part.partition("=") for part in rest.split(","))
    }
    expected = {
        "oauth_consumer_key": secrets.consumer_key,
        "oauth_token": secrets.token,
        "oauth_signature_method": "HMAC-SHA1",
    }
    if (
        scheme.lower() != "oauth"
        or any(given.get(name) != value for name, value in expected.items())
        or given.get("oauth_version", "1.0") != "1.0"
    ):
        return False
    stamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
    if (
        not stamp.isdecimal()
        or abs(time.time() - int(stamp)) > _SKEW
        or not nonce
        or nonce in received.state.nonces
    ):
        return False
    if not same(given.pop("oauth_signature", ""), _signature(received, given)):
        return False
    remember(received.state.nonces, nonce, float(stamp))
    return True


def _signature(received: Received, given: dict[str, str]) -> str:
    """HMAC-SHA1 over method, address, and the parameters of query and header, without the body."""
    url = urlsplit(received.url)
    default = {"http": ":80", "https": ":443"}[url.scheme]
    where = f"{url.scheme}://{url.netloc.lower().removesuffix(default)}{url.path}"
    parameters = [
        (name, value)
        for name, value in (*given.items(), *received.query.items())
        if name != "realm"
    ]
    pairs = "&".join(
        "=".join(pair)
        for pair in sorted((_escaped(name), _escaped(value)) for name, value in parameters)
    )
    base = "&".join(map(_escaped, (received.method, where, pairs)))
    secrets = received.state.secrets
    key = f"{_escaped(secrets.consumer_secret)}&{_escaped(secrets.token_secret)}"
    return base64.b64encode(hmac.digest(key.encode(), base.encode(), "sha1")).decode()


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    conversions = received.body.get("conversions") if isinstance(received.body, dict) else None
    if isinstance(conversions, list) and len(conversions) > _MOST:
        return _refuse(("INVALID_PARAMETER", f"Conversion count limit is {_MOST}"))
    return listed(
        received, "conversions", _MOST, lambda message: _refuse(("MISSING_PARAMETER", message))
    )


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = _event("", event)
    if not violations and not {name for entry in event["identifiers"] for name in entry} - _PLACES:
        return [
            Violation("identifiers", "At least one user identifier must be provided", "identity")
        ]
    return violations


def _said(violation: Violation) -> tuple[str, str]:
    name = violation.field.rpartition(".")[2]
    if violation.code == "identity":
        return "MISSING_PARAMETER", violation.message
    if violation.code == "digest":
        return "INVALID_PARAMETER", _SAID[name]
    return (
        "MISSING_PARAMETER" if violation.code == "missing" else "INVALID_PARAMETER",
        f"{name.capitalize()} {violation.message}".strip(),
    )


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    errors = {_said(each_one.refused) for each_one in judged if each_one.refused}
    if errors:
        return _refuse(*sorted(errors))
    return _answers.reply("taken", count=len(judged))


DIALECT = Dialect(
    name="x",
    routes=("/12/measurement/conversions/{pixel}",),
    authenticate=_authenticate,
    events=_events,
    check=_check,
    event_id=lambda event: str(event.get("conversion_id", "")),
    account=lambda event, received: f"{received.path['pixel']}/{event['event_id']}",
    reply=_reply,
    answers=_answers,
)
