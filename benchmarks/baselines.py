"""What people write for this, as honestly and idiomatically as we can: pandas, a row at a time, a platform's own SDK."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pandas as pd
import phonenumbers
import sqlalchemy as sa


def read_sql(url: str, query: str, chunk: int = 20_000) -> int:
    """`pandas.read_sql` in chunks, through SQLAlchemy with a server-side cursor; returns the rows."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.connect().execution_options(stream_results=True) as connection:
            return sum(
                len(frame) for frame in pd.read_sql(sa.text(query), connection, chunksize=chunk)
            )
    finally:
        engine.dispose()


def _hashed(text: str | None) -> str | None:
    return hashlib.sha256(text.encode()).hexdigest() if text else None


def _text(value: object) -> str | None:
    return None if value is None or pd.isna(value) else str(value)


def _email(value: object) -> str | None:
    text = _text(value)
    return _hashed(text.strip().lower()) if text else None


def _phone(value: object) -> str | None:
    text = _text(value)
    if not text:
        return None
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return _hashed(
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    )


def _name(value: object) -> str | None:
    text = _text(value)
    return _hashed(re.sub(r"[^\w\s]", "", text.strip().lower())) if text else None


def _city(value: object) -> str | None:
    text = _text(value)
    return _hashed(re.sub(r"[^\w]", "", text.strip().lower())) if text else None


def _postal_code(value: object) -> str | None:
    text = _text(value)
    return _hashed(re.sub(r"[\s-]", "", text.lower())) if text else None


def _country(value: object) -> str | None:
    text = _text(value)
    return (
        _hashed({"united states": "us"}.get(text.strip().lower(), text.strip().lower())[:2])
        if text
        else None
    )


RULES = {
    "email": _email,
    "phone": _phone,
    "first_name": _name,
    "last_name": _name,
    "city": _city,
    "postal_code": _postal_code,
    "country": _country,
}
"""Column -> normalise and hash one value, as a script does."""


def apply_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """`DataFrame.apply(axis=1)` with one function that normalises and hashes a row's identifiers."""
    return frame.apply(
        lambda row: pd.Series({name: rule(row[name]) for name, rule in RULES.items()}), axis=1
    )


class UserData:
    """An event's identifiers in the style of a platform's SDK: one object an event, normalised when it is turned into a dict."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def normalize(self) -> dict[str, str]:
        """Normalised and hashed, without what is empty."""
        hashed = {name: RULES[name](value) for name, value in self.values.items()}
        return {name: value for name, value in hashed.items() if value is not None}


def sdk_events(records: list[dict[str, Any]]) -> list[dict[str, str]]:
    """One `UserData` a row."""
    return [UserData(**record).normalize() for record in records]


def hashed(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame with its identifiers normalised and hashed in place, one `Series.map` a column."""
    return frame.assign(**{name: frame[name].map(rule) for name, rule in RULES.items()})


def to_dict_dumps(frame: pd.DataFrame, platform: str) -> list[bytes]:
    """`to_dict('records')` of hashed rows, nested as the platform wants it, and `json.dumps` of each."""
    return [json.dumps(RECORDS[platform](row)).encode() for row in frame.to_dict("records")]


def iterrows_dumps(frame: pd.DataFrame, platform: str) -> list[bytes]:
    """The same with `iterrows`."""
    return [json.dumps(RECORDS[platform](row.to_dict())).encode() for _, row in frame.iterrows()]


def _capi(row: dict[str, Any]) -> dict[str, Any]:
    names = (
        ("guid", "Guid"),
        ("email", "HashedEmail"),
        ("phone", "HashedPhone"),
        ("first_party_id", "FirstPartyId"),
    )
    return {
        "advertiser_id": 12,
        "conversion_type": row["event_name"],
        "data_source_key": "abc123def456",
        "event_id": row["event_id"],
        "ids": [
            {"id": str(row[column]), "name": name}
            for column, name in names
            if not pd.isna(row[column])
        ],
        "order_id": row["order_id"],
        "user_agent": {"browser": "Chrome", "operating_system": "Mac OS X"},
        "timestamp": row["event_time"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "value": float(row["value"]),
        "currency": row["currency"].upper(),
    }


def _meta(row: dict[str, Any]) -> dict[str, Any]:
    names = {
        "em": "email",
        "ph": "phone",
        "fn": "first_name",
        "ln": "last_name",
        "ct": "city",
        "zp": "postal_code",
        "country": "country",
    }
    return {
        "event_name": row["event_name"],
        "event_time": int(row["event_time"].timestamp()),
        "event_id": row["event_id"],
        "action_source": row["action_source"],
        "event_source_url": row["event_source_url"].split("?")[0],
        "user_data": {
            **{name: [row[column]] for name, column in names.items() if not pd.isna(row[column])},
            "client_ip_address": row["client_ip"],
            "client_user_agent": row["user_agent"],
        },
        "custom_data": {
            "value": float(row["value"]),
            "currency": row["currency"].upper(),
            "order_id": row["order_id"],
        },
    }


RECORDS = {"capi": _capi, "meta": _meta}
