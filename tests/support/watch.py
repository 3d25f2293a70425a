"""Keeps every file that appears in some folders, also one that is gone a moment later.

inotify tells of a new file, and a hard link to it outlives its name.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import threading
from collections.abc import Iterable
from pathlib import Path

_CREATE, _MOVED_TO, _IS_FOLDER = 0x100, 0x80, 0x40000000
_EVENT = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Follows what appears below some folders, in a thread of its own.

    kept: folder with a link to each file, on the same disk.
    """

    def __init__(self, folders: Iterable[Path], kept: Path) -> None:
        self.kept, self._names = kept, dict[int, Path]()
        self.names: dict[str, str] = {}
        self._inotify = _libc.inotify_init1(os.O_CLOEXEC)
        assert self._inotify >= 0, os.strerror(ctypes.get_errno())
        self._wake, self._stop = os.pipe()
        self._ended = False
        kept.mkdir()
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            self._follow(folder)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still follows."""
        return self._thread.is_alive()

    def stop(self) -> dict[str, bytes]:
        """End; returns all that appeared, and what stood in it last: its path -> content."""
        if not self._ended:
            self._ended = True
            os.close(self._stop)
            self._thread.join()
            os.close(self._wake)
            os.close(self._inotify)
        return {
            f"{self.names[link.name]} ({link.name})": link.read_bytes()
            for link in self.kept.iterdir()
        }

    def _follow(self, folder: Path) -> None:
        number = _libc.inotify_add_watch(self._inotify, os.fsencode(folder), _CREATE | _MOVED_TO)
        if number < 0:
            return  # it is gone already
        self._names[number] = folder
        with contextlib.suppress(OSError):  # what came before the watch
            for path in folder.iterdir():
                self._appeared(path, is_folder=path.is_dir() and not path.is_symlink())

    def _appeared(self, path: Path, *, is_folder: bool) -> None:
        if is_folder:
            self._follow(path)
            return
        with contextlib.suppress(OSError):
            name = f"{os.lstat(path).st_ino}"
            os.link(path, self.kept / name, follow_symlinks=False)
            self.names[name] = str(path)

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._inotify, self._wake], [], [])
            if self._inotify in ready:
                octets = os.read(self._inotify, 1 << 16)
                while octets:
                    number, mask, _, length = _EVENT.unpack_from(octets)
                    name = octets[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
                    octets = octets[_EVENT.size + length :]
                    if number in self._names:
                        path = self._names[number] / os.fsdecode(name)
                        self._appeared(path, is_folder=bool(mask & _IS_FOLDER))
            elif self._wake in ready:
                return
