"""Named places where the chaos tests may end the process. Without CAPI_FAILPOINT in the environment nothing happens.

`CAPI_FAILPOINT=before_commit:3` ends the process, as `kill -9` would, the third time `before_commit` is reached.
`CAPI_FAILPOINT=after_send:1:stop` puts it to sleep instead, as SIGSTOP would, until somebody wakes it.
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
    at, times, action = (*wanted.split(":"), "", "")[:3]
    if at == name:
        _reached[name] += 1
        if _reached[name] == int(times or 1):
            os.kill(os.getpid(), signal.SIGSTOP if action == "stop" else signal.SIGKILL)
