"""The installation's key, under which row keys are hashed, and where it is kept."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.errors import ConfigError, StateMismatch
from connector.state import tables

GIVEN, PREVIOUS = "CAPI_INSTALLATION_KEY", "CAPI_PREVIOUS_INSTALLATION_KEY"
"""Environment variables: the key, and the one before it while it is changed."""


class KeyChange(NamedTuple):
    """The key that the state was made with, and the one that replaces it."""

    old: bytes
    new: bytes


def installation_key(connection: Connection) -> bytes:
    """The key, made at first use.

    CAPI_INSTALLATION_KEY is used in place of a stored one; a stored one then leaves the database.

    Raises:
        ConfigError: CAPI_INSTALLATION_KEY is too short, or no hex digits.
        StateMismatch: The state was made with another key.
    """
    given = _given(GIVEN)
    row = connection.execute(sa.select(tables.installation)).one_or_none()
    if row is None:
        key = given or secrets.token_bytes(32)
        values = {
            "id": 1,
            "key_hex": None if given else key.hex(),
            "fingerprint": _fingerprint(key),
        }
        connection.execute(tables.installation.insert().values(values))
        return key
    key_now = given or (bytes.fromhex(row.key_hex) if row.key_hex else None)
    if key_now is None or _fingerprint(key_now) != row.fingerprint:
        raise StateMismatch(
            f"{GIVEN} is not the key that this state was made with, so delivered rows would not be"
            " recognised; set the old key again, or, to change the key, run `capi rekey`"
        )
    if given and row.key_hex:
        connection.execute(tables.installation.update().values(key_hex=None))
    return key_now


def is_stored(connection: Connection) -> bool:
    """Whether the key lies in the database, beside what is hashed under it."""
    chosen = tables.installation.c.key_hex.is_not(None)
    return connection.execute(sa.select(tables.installation.c.id).where(chosen)).first() is not None


def key_change(connection: Connection) -> KeyChange:
    """The key of the state, and the one that is to replace it: a given one, or else a new one.

    Raises:
        ConfigError: One of them is not there, or both are the same.
        StateMismatch: The state was made with another key than the old one.
    """
    given, previous = _given(GIVEN), _given(PREVIOUS)
    row = connection.execute(sa.select(tables.installation)).one_or_none()
    if row is None:
        raise ConfigError("the state has no key yet, because nothing was delivered")
    if given is None and row.key_hex is None:
        raise ConfigError(f"set {GIVEN} to the new key, and {PREVIOUS} to the one of now")
    old = bytes.fromhex(row.key_hex) if row.key_hex else previous
    if old is None or _fingerprint(old) != row.fingerprint:
        if given is not None and _fingerprint(given) == row.fingerprint:
            raise ConfigError(
                f"{GIVEN} is the key that this state has already; set it to a new one (openssl"
                f" rand -hex 32), and {PREVIOUS} to the one of now"
            )
        raise StateMismatch(
            f"set {PREVIOUS} to the key that this state was made with; the one that is given is"
            " another one, or there is none"
        )
    new = given or secrets.token_bytes(32)
    if new == old:
        raise ConfigError(f"{GIVEN} is the key that this state has already; set it to a new one")
    return KeyChange(old, new)


def replace_key(connection: Connection, new: bytes) -> None:
    """Take another key for the one of the state; it is stored unless CAPI_INSTALLATION_KEY is."""
    values = {
        "key_hex": None if _given(GIVEN) else new.hex(),
        "fingerprint": _fingerprint(new),
    }
    connection.execute(tables.installation.update().values(values))


def _given(name: str) -> bytes | None:
    """The key in an environment variable; None where it is not set."""
    text = os.environ.get(name)
    if not text:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 16:
        raise ConfigError(
            f"{name} must be at least 32 hex digits; make one with: openssl rand -hex 32"
        )
    return key


def _fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"capi installation key" + key).hexdigest()[:16]
