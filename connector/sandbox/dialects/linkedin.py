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
    decimal_text,
    digest,
    each,
    moment,
    one_of,
    pattern,
    text,
    thing,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("linkedin")

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
    "lead": text,
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


def _batched(received: Received) -> bool:
    return received.headers.get("x-restli-method", "").upper() == "BATCH_CREATE"


def _authenticate(received: Received) -> Reply | None:
    token = bearer(received)
    if token is None:
        return _answers.reply("no_token")
    if not same(token, received.state.secrets.token):
        return _answers.reply("wrong_token")
    return None


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    version = received.headers.get("linkedin-version")
    if version is None:
        return _answers.reply("no_version")
    if not re.fullmatch(r"20\d\d(0[1-9]|1[0-2])", version) or version < _FIRST_ACTIVE:
        return _answers.reply("old_version", version=version)
    if received.headers.get("x-restli-protocol-version") != "2.0.0":
        said = "The header X-Restli-Protocol-Version must be 2.0.0"
        return _answers.reply("bad_request", said=said)
    if not _batched(received):
        return [received.body]
    events = listed(
        received, "elements", _MOST, lambda message: _answers.reply("bad_request", said=message)
    )
    if (
        isinstance(events, list)
        and len({str(event.get("conversion")) for event in events if isinstance(event, dict)})
        > _MOST_RULES
    ):
        said = f"a batch may have at most {_MOST_RULES} conversion rules"
        return _answers.reply("bad_request", said=said)
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


def _line(index: int, violation: Violation) -> dict[str, Any]:
    path = "/" + re.sub(r"[.\[]", "/", violation.field.replace("]", ""))
    return {"index": index, "path": path, "said": violation.message}


def _reply(received: Received, judged: Sequence[Judged]) -> Reply:
    batched = _batched(received)
    found = [
        (index, violation)
        for index, each_one in enumerate(judged)
        for violation in each_one.violations
    ]
    lines = [
        _line(index, violation)
        for index, violation in found
        if violation.code not in (*_TIMES, "unknown_rule")
    ]
    if lines:
        return _answers.reply("refused" if batched else "refused_single", violation=lines)
    late = sorted({index for index, violation in found if violation.code in _TIMES})
    if late:
        return _answers.reply("refused_time", indices=late)
    if found:
        return _answers.reply("no_rule")
    return (
        _answers.reply("taken", event=[{}] * len(judged))
        if batched
        else _answers.reply("taken_single")
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
    answers=_answers,
)
"""Rule 0 is one that nobody has: what LinkedIn says of it reads like a problem of the account."""
