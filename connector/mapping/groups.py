"""Which records may share a request: those whose request fields have the same values.

Request fields are the platform file's `request`, and columns that a destination adds to the body
under `request_extra`. The latter stand under their path with `extra.` before it, as JSON.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from connector.arrow.dictionary import map_distinct
from connector.arrow.text import text_array
from connector.config.destination import Destination
from connector.mapping.bindings import RowBindings
from connector.mapping.render import render
from connector.mapping.template import Value
from connector.platforms.columns import EXTRA
from connector.platforms.expression import parse


class Grouper:
    """Groups records by the platform file's `request`, and by the event names that fit into one."""

    def __init__(self, destination: Destination) -> None:
        platform = destination.platform
        self._request = {name: parse(text) for name, text in platform.request.items()}
        self._extras = {
            EXTRA + path: Value(parse(EXTRA + field.expression))
            for path, field in destination.model.request_extra_fields.items()
            if field.column is not None
        }
        most = platform.event_names.most
        names = sorted(set(destination.model.events.values()))
        self._block = {name: str(rank // most) for rank, name in enumerate(names)} if most else {}

    def group(
        self, rows: RowBindings, send: np.ndarray
    ) -> tuple[np.ndarray, list[dict[str, str | None]]]:
        """Group the rows to send.

        Args:
            rows: All rows.
            send: Positions of those to send, shape (records,).

        Returns:
            For each record its index into the list, shape (records,); and the request fields of
            each group.
        """
        if not self._request and not self._extras and len(set(self._block.values())) < 2:
            return np.zeros(len(send), np.int32), [{}]
        columns = [
            text_array(rows.text(expression)).take(pa.array(send))
            for expression in self._request.values()
        ]
        columns += [render(value, rows).take(pa.array(send)) for value in self._extras.values()]
        if self._block:
            names = text_array(rows.text(parse("event_name"))).take(pa.array(send))
            columns.append(map_distinct(names, self._block.get))
        seen: dict[tuple[str | None, ...], int] = {}
        groups = [
            seen.setdefault(values, len(seen))
            for values in zip(*(column.to_pylist() for column in columns), strict=True)
        ]
        return np.array(groups, np.int32), [
            dict(zip((*self._request, *self._extras), values, strict=False)) for values in seen
        ]
