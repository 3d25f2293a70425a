"""LinkedIn Conversions API: versioned, strict about fields; one bad event refuses the batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import (
    Dialect,
    Judged,
    Received,
    Reply,
    Violation,
    bearer,
    listed,
    same,
)
from connector.sandbox.dialects.shapes import (
    DAY,
    Rule,
    anything,
    decimal_text,
    digest,
    each,
    moment,
    one_of,
    pattern,
    text,
    thing,
)

_MOST, _MOST_RULES = 5000, 100
_FIRST_ACTIVE = "202512"
_TIMES = ("too_old", "future", "unit")
_RULE = "urn:lla:llaPartnerConversion:"

_ID_VALUES: dict[str, Rule] = {
    "SHA256_EMAIL": digest,
    "SHA256_IP_ADDRESS": digest,
    **dict.fromkeys(
        (
            "LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID",
            "ACXIOM_ID",
            "ORACLE_MOAT_ID",
            "PLAINTEXT_IP_ADDRESS",
            "GOOGLE_AID",
        ),
        text,
    ),
}
_shape_of_id = thing(
    {"idType": one_of(*_ID_VALUES), "idValue": text},
    required=("idType", "idValue"),
    others="refuse",
)


def _user_id(where: str, value: Any) -> Sequence[Violation]:
    return _shape_of_id(where, value) or _ID_VALUES[value["idType"]](
        f"{where}.idValue", value["idValue"]
    )


_USER: dict[str, Rule] = {
    "userIds": each(_user_id),
    "userInfo": thing(
        dict.fromkeys(("firstName", "lastName", "companyName", "title", "countryCode"), text),
        required=("firstName", "lastName"),
        others="refuse",
    ),
    "externalIds": each(text, most=1),
    "lead": anything,
}
_event = thing(
    {
        "conversion": pattern(rf"{_RULE}\d+", f"must be {_RULE}<rule id>"),
        "conversionHappenedAt": moment(1000, 90 * DAY, 0),
        "conversionValue": thing(
            {"currencyCode": text, "amount": decimal_text},
            required=("currencyCode", "amount"),
            others="refuse",
        ),
        "eventId": text,
        "user": thing(_USER, required=("userIds",), others="refuse"),
    },
    required=("conversion", "conversionHappenedAt", "user"),
    others="refuse",
)


def _error(status: int, message: str, **more: Any) -> Reply:
    return Reply(status, {"message": message, "status": status, **more})


def _batched(received: Received) -> bool:
    return received.headers.get("x-restli-method", "").upper() == "BATCH_CREATE"


def _authenticate(received: Received) -> Reply | None:
    token = bearer(received)
    if token is None:
        return _error(
            401, "Empty oauth2 access token", serviceErrorCode=65600, code="INVALID_ACCESS_TOKEN"
        )
    if not same(token, received.state.secrets.token):
        return _error(
            401, "Invalid access token", serviceErrorCode=65600, code="INVALID_ACCESS_TOKEN"
        )
    return None


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    version = received.headers.get("linkedin-version")
    if version is None:
        return _error(
            400,
            "A version must be present. Please specify a version by adding the LinkedIn-Version"
            " header.",
            code="VERSION_MISSING",
        )
    if not re.fullmatch(r"20\d\d(0[1-9]|1[0-2])", version) or version < _FIRST_ACTIVE:
        return _error(426, f"Requested version {version} is not active", code="NONEXISTENT_VERSION")
    if received.headers.get("x-restli-protocol-version") != "2.0.0":
        return _error(400, "The header X-Restli-Protocol-Version must be 2.0.0")
    if not _batched(received):
        return [received.body]
    events = listed(received, "elements", _MOST, lambda message: _error(400, message))
    if (
        isinstance(events, list)
        and len({str(event.get("conversion")) for event in events if isinstance(event, dict)})
        > _MOST_RULES
    ):
        return _error(400, f"a batch may have at most {_MOST_RULES} conversion rules")
    return events


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = _event("", event)
    if (
        not violations
        and not event["user"]["userIds"]
        and not event["user"].keys() & {"userInfo", "externalIds", "lead"}
    ):
        return [
            Violation(
                "user.userIds",
                "must have an identifier where the user has nothing else",
                "identity",
            )
        ]
    if not violations and event["conversion"] == f"{_RULE}0":
        return [Violation("conversion", "is not a rule that this receiver has", "unknown_rule")]
    return violations


def _line(index: int, violation: Violation, *, batched: bool) -> str:
    path = "/" + re.sub(r"[.\[]", "/", violation.field.replace("]", ""))
    return f"{f'Index: {index}, ' if batched else ''}ERROR :: {path} :: {violation.message}\n"


def _reply(received: Received, judged: Sequence[Judged]) -> Reply:
    batched = _batched(received)
    found = [
        (index, violation)
        for index, each_one in enumerate(judged)
        for violation in each_one.violations
    ]
    lines = [
        _line(index, violation, batched=batched)
        for index, violation in found
        if violation.code not in (*_TIMES, "unknown_rule")
    ]
    if lines:
        return _error(422, "".join(lines))
    late = sorted({index for index, violation in found if violation.code in _TIMES})
    if late:
        return _error(
            400,
            "Conversion time should be within 90 days and not exceed current time,"
            f" indices {late} (0-indexed).",
        )
    if found:
        return _error(403, "No ad accounts found")
    return (
        Reply(200, {"elements": [{"status": 201} for _ in judged]}) if batched else Reply(201, None)
    )


DIALECT = Dialect(
    name="linkedin",
    routes=("/rest/conversionEvents",),
    authenticate=_authenticate,
    events=_events,
    check=_check,
    event_id=lambda event: str(event.get("eventId", "")),
    account=lambda event, _received: event["conversion"].removeprefix(_RULE),
    reply=_reply,
    throttled=_error(
        429,
        "Resource level throttle APPLICATION DAY limit for calls to this resource is reached.",
        code="TOO_MANY_REQUESTS",
    ),
)
"""Rule 0 is one that nobody has: what LinkedIn says of it reads like a problem of the account."""
