"""Secrets by reference: `env:NAME` or `file:PATH`, read when they are needed and never shown."""

from __future__ import annotations

import os
import re
from pathlib import Path

REFERENCE = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"
"""What a reference looks like."""


def resolve(reference: str, root: Path) -> str:
    """The secret behind `env:NAME` or `file:PATH`.

    Args:
        reference: One of the two forms.
        root: Folder that PATH starts from.

    Raises:
        ValueError: It cannot be read. The message says what to do, and never what the secret is.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name, "")
        if not value:
            raise ValueError(f"the environment variable {name} is not set")
        return _printable(value, f"the environment variable {name}")
    path = root / name
    try:
        mode = path.stat().st_mode
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"the secret file {name} cannot be read") from None
    if mode & 0o022:
        raise ValueError(f"the secret file {name} is writable by others; run: chmod 600 {name}")
    if mode & 0o077 and mode & 0o222:
        # Kubernetes and Docker mount secrets read-only as 0440 or 0444, often owned by root, into a
        # container in which there is nobody else; no process there could give them another mode.
        raise ValueError(f"the secret file {name} is readable by others; run: chmod 600 {name}")
    if not value:
        raise ValueError(f"the secret file {name} is empty")
    return _printable(value, f"the secret file {name}")


def is_reference(text: str) -> bool:
    """True for env:NAME and file:PATH."""
    return bool(re.match(REFERENCE, text))


def _printable(value: str, where: str) -> str:
    """The secret, if it fits into a header.

    With a stray line break every request would fail, with the secret in the error.
    """
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"{where} holds a line break or another character that no token has")
    return value
