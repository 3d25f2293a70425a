"""The folder in which this installation keeps what it knows: `.capi/`, closed to others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from connector.errors import ConfigError


def home(root: Path) -> Path:
    """The folder `.capi/`, or the one that CAPI_HOME names."""
    return Path(os.environ["CAPI_HOME"]) if os.environ.get("CAPI_HOME") else root / ".capi"


def refuse_shared(folder: Path) -> None:
    """Refuse a folder into which everybody on this machine may write.

    Whoever may write there can put another state in the place of ours, or read what it hands out.

    Args:
        folder: It need not exist yet.

    Raises:
        ConfigError: Everybody may write there.
    """
    try:
        mode = folder.stat().st_mode
    except OSError:
        return
    if mode & stat.S_IWOTH:
        raise ConfigError(
            f"everybody on this machine may write to {folder}, so the state is not safe there;"
            f" run: chmod o-w {folder}, or choose another folder (CAPI_HOME, CAPI_STATE_URL)"
        )
