"""Source event names -> the platform's names."""

from __future__ import annotations

import re

import pyarrow.compute as pc

from connector.arrow.dictionary import map_distinct
from connector.arrow.masks import mask, present
from connector.config.destination import Destination
from connector.mapping.conversions import Conversions


class EventNameMapper:
    """Maps names by the destination's `events` and the platform's `event_names`."""

    def __init__(self, destination: Destination) -> None:
        model, self._rule = destination.model, destination.platform.event_names
        self._names = {**self._rule.names, **model.events}
        self._known = {*self._rule.known, *self._names.values()}
        self._optional = bool(self._rule.unless and self._rule.unless in model.account)

    def apply(self, conversions: Conversions) -> None:
        """Replace `event_name`; reject rows whose name the platform does not take."""
        names = conversions.table["event_name"].combine_chunks()
        mapped = map_distinct(names, self._mapped)
        conversions.reject(present(names) & ~present(mapped), "unknown_event_name", "event_name")
        if self._rule.longest is not None:
            too_long = mask(pc.greater(pc.utf8_length(mapped), self._rule.longest))
            conversions.reject(too_long, "long_event_name", "event_name")
        conversions.replace("event_name", mapped)

    def _mapped(self, name: str) -> str | None:
        rule = self._rule
        if rule.mapping == "optional":
            passes = rule.pattern is None or re.fullmatch(rule.pattern, name) is not None
        else:
            passes = self._optional or (rule.mapping == "listed" and name in self._known)
        return self._names.get(name) or (name if passes else None)
