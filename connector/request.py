"""The call that carries a batch: address, headers and body, without credentials."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping, Sequence

from connector.delivery.transport import Call
from connector.destination import Destination
from connector.encode import Encoder


class Requests:
    """Builds the calls of one destination; everything but the records is worked out once."""

    def __init__(self, destination: Destination, encoder: Encoder) -> None:
        self._encoder = encoder
        platform, model = destination.platform, destination.model
        values = {**platform.params, **{name: str(value) for name, value in model.account.items()}}
        path, query = platform.path, dict(platform.query)
        if model.test_mode and platform.test_mode is not None:
            code = None if isinstance(model.test_mode, bool) else model.test_mode.code
            if platform.test_mode.method == "path":
                path = str(platform.test_mode.value)
            elif platform.test_mode.method == "query":
                query[platform.test_mode.name] = code or str(platform.test_mode.value)
        base = (model.endpoint or platform.endpoint or "").rstrip("/") if path else (model.endpoint or platform.endpoint or "")
        filled = {name: _filled(text, values) for name, text in query.items()}
        self.url = base + _filled(path, values, quote=True) + (f"?{urllib.parse.urlencode(filled)}" if filled else "")
        self._headers = {"Content-Type": "application/json", **{name: _filled(text, values) for name, text in platform.headers.items()}}

    def call(self, records: Sequence[bytes], group: Mapping[str, str | None]) -> Call:
        """records: JSON of each. group: the request fields they share."""
        return Call("POST", self.url, self._headers, self._encoder.body(list(records), group))


def _filled(text: str, values: Mapping[str, str], *, quote: bool = False) -> str:
    """`{name}` replaced by its value."""

    def value(match: re.Match[str]) -> str:
        found = values[match.group(1)]
        return urllib.parse.quote(found, safe="") if quote else found

    return re.sub(r"\{(\w+)\}", value, text)
