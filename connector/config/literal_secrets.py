"""Finds secrets that stand in a YAML file themselves, and characters that could change a request.

A secret belongs into `auth`, as a reference: what stands in the file lands in version control, and
in all that is printed of a request.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from connector.config.models import DestinationModel
from connector.config.secrets import is_reference
from connector.platforms.model import Platform

_NAMES = re.compile(
    r"authori[sz]ation|token|secret|passw|pwd|signature|credential|cookie|private[-_]?key"
    r"|(?:api|access|account|auth|sas|subscription)[-_]?key",
    re.IGNORECASE,
)
"""Of headers and parameters that carry secrets."""

_PREFIXES = re.compile(
    r"\b(?:[sr]k_(?:live|test)_|xox[abeprs]-|gh[pousr]_|AKIA[0-9A-Z]{12}|EAA[A-Za-z0-9]{10}"
    r"|eyJ[A-Za-z0-9_-]{10})"
)
"""Stripe, Slack, GitHub, AWS, Meta, JSON Web Tokens."""

_RANDOM = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{20,}")
"""Letters and digits without a pause: a digest or a token, and no word."""

_USER_AND_PASSWORD = re.compile(r"\A[^:]*://[^:/@]*:[^@]+@")

_PASSWORD_NAMES = re.compile(rf"{_NAMES.pattern}|credentials_(?:base64|info|json)", re.IGNORECASE)

_HARMLESS = re.compile(r"credentials?_?path|private_key_(?:file|path)|key_?file", re.IGNORECASE)
"""Parameters that name a file with a secret in it."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_OF_REQUESTS = ("headers", "query", "params", "path", "auth", "endpoint", "test_mode")
"""Keys of a platform file whose values stand in the address or the headers of a request."""


def literal_secrets(
    model: DestinationModel, platform: Platform
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields secrets in headers and parameters: keys of the YAML, and a sentence.

    They may stand in the YAML, or in a platform file of the user's own.
    """
    for section, values in (("headers", platform.headers), ("query", platform.query)):
        overridden = model.overrides.get(section)
        for name, value in values.items():
            named = is_secret_name(name) and "{" not in value
            if not (named or _looks_secret(value) or is_reference(value)):
                continue
            ours = isinstance(overridden, dict) and name in overridden
            yield (
                ("overrides", section, name) if ours else ("platform",),
                (
                    f"{section}.{name} holds what looks like a secret, and is sent as it stands;"
                    " give it as env:NAME or file:PATH under auth (auth.api_key travels in the"
                    " header that auth.header names)"
                ),
            )
    for keys in _control_characters(model.overrides):
        yield (
            ("overrides", *keys),
            (
                f"overrides.{'.'.join(keys)} holds a line break or another control character, which"
                " would change the request"
            ),
        )


def is_secret_name(name: str) -> bool:
    """Whether a header or a parameter is one that carries secrets."""
    return bool(_NAMES.search(name))


def _looks_secret(text: str) -> bool:
    """Whether a value has the form of a token; `{name}` in it is filled in later."""
    plain = re.sub(r"\{\w+\}", "", text)
    return bool(_PREFIXES.search(plain) or _RANDOM.search(plain))


def secret_in_path(url: str) -> bool:
    """Whether a part of an address's path has the form of a token."""
    path = url.partition("://")[2].partition("/")[2]
    return any(_looks_secret(urllib.parse.unquote(part)) for part in path.split("/"))


def password_in_url(url: str) -> bool:
    """Whether a SQLAlchemy URL has a password, before the host or among its parameters."""
    if _USER_AND_PASSWORD.search(url):
        return True
    parameters = urllib.parse.parse_qsl(url.partition("?")[2].partition("#")[0])
    return any(
        value and _PASSWORD_NAMES.search(name) and not _HARMLESS.search(name)
        for name, value in parameters
    )


def _control_characters(overrides: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yields the keys of overrides that would put a line break or the like into a request."""
    for name in _OF_REQUESTS:
        yield from _with_control((name,), overrides.get(name))


def _with_control(keys: tuple[str, ...], value: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if _CONTROL.search(str(name)):
                yield keys
            else:
                yield from _with_control((*keys, str(name)), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _with_control(keys, inner)
    elif isinstance(value, str) and _CONTROL.search(value):
        yield keys
