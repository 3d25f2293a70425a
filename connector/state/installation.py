"""The installation's key, under which row keys are hashed."""

from __future__ import annotations

import hashlib
import os
import secrets

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.errors import ConfigError, StateMismatch
from connector.state import tables


def installation_key(connection: Connection) -> bytes:
    """The key, made at first use. CAPI_INSTALLATION_KEY is used in place of a stored one.

    Raises:
        ConfigError: CAPI_INSTALLATION_KEY is too short, or no hex digits.
        StateMismatch: The state was made with another key.
    """
    given = os.environ.get("CAPI_INSTALLATION_KEY")
    row = connection.execute(sa.select(tables.installation)).one_or_none()
    if row is None:
        key = _parse_key(given) if given else secrets.token_bytes(32)
        values = {
            "id": 1,
            "key_hex": None if given else key.hex(),
            "fingerprint": _fingerprint(key),
        }
        connection.execute(tables.installation.insert().values(values))
        return key
    stored = bytes.fromhex(row.key_hex) if row.key_hex else None
    key_now = _parse_key(given) if given else stored
    if key_now is None or _fingerprint(key_now) != row.fingerprint:
        raise StateMismatch(
            "CAPI_INSTALLATION_KEY is not the key that this state was made with, so delivered rows"
            " would not be recognised; set the old key again"
        )
    return key_now


def _parse_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 16:
        raise ConfigError(
            "CAPI_INSTALLATION_KEY must be at least 32 hex digits; make one with:"
            " openssl rand -hex 32"
        )
    return key


def _fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"capi installation key" + key).hexdigest()[:16]
