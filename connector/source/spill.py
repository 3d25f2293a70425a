"""A private folder for what an embedded database writes to disk while it sorts.

Rows lie there, keys of people among them. DuckDB would write beside the warehouse, readable by
everybody, and leave its files behind when the process is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

_FOLDER = "spill"

_lock = threading.Lock()


@dataclass
class _Held:
    """A folder of this process, locked as long as it is in use.

    Attributes:
        descriptor: The open folder, whose lock tells other processes that it is in use.
        users: How many warehouses write to it.
        made_home: Whether the home was made for it alone.
    """

    descriptor: int
    users: int
    made_home: bool


_held: dict[Path, _Held] = {}


def acquire(home: Path) -> Path | None:
    """A folder for this process below a home; what processes left that are gone is removed.

    All warehouses of a process share one, because DuckDB shares one instance of a file among them.

    Args:
        home: The folder of the installation, which is made if it is not there.

    Returns:
        The folder, to be given back by `release`; None where none can be made.
    """
    folder = home.absolute() / _FOLDER / f"process-{os.getpid()}"
    with _lock:
        held = _held.get(folder)
        if held is not None:
            held.users += 1
            return folder
        try:
            held = _make(folder)
        except OSError:
            return None
        _held[folder] = held
    return folder


def release(folder: Path) -> None:
    """Give a folder back; the last one who does removes it."""
    with _lock:
        held = _held[folder]
        held.users -= 1
        if held.users:
            return
        del _held[folder]
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held.descriptor)
        with contextlib.suppress(OSError):  # others may have a folder there
            folder.parent.rmdir()
            if held.made_home:
                folder.parent.parent.rmdir()


def _make(folder: Path) -> _Held:
    """Make and lock a folder, and remove what others left; OSError where that cannot be done."""
    home = folder.parent.parent
    made_home = not home.exists()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.parent.chmod(0o700)
    _remove_abandoned(folder.parent)
    folder.mkdir(mode=0o700)
    return _Held(_lock_folder(folder), 1, made_home)


def _lock_folder(folder: Path) -> int:
    """Raises OSError where another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not folder.exists():  # another process found it unlocked, and removed it
            raise FileNotFoundError(folder)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders that no living process has locked."""
    for folder in parent.iterdir():
        with contextlib.suppress(OSError):
            descriptor = _lock_folder(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)
