"""Named places where the chaos tests may end the process. Without CAPI_FAILPOINT in the environment nothing happens.

`CAPI_FAILPOINT=before_commit:3` ends the process, as `kill -9` would, the third time `before_commit` is reached.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

NAMES = ("before_intent", "before_send", "after_send", "before_commit", "inside_commit", "after_commit", "after_plan", "before_settle")

_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Say that execution has come to a failpoint."""
    wanted = os.environ.get("CAPI_FAILPOINT")
    if not wanted:
        return
    at, _, times = wanted.partition(":")
    if at == name:
        _reached[name] += 1
        if _reached[name] == int(times or 1):
            os.kill(os.getpid(), signal.SIGKILL)
