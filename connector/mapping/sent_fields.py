"""What a destination sends, field by field: from which column, and hashed or plain."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from connector.config.destination import Destination
from connector.config.models import ExtraField
from connector.mapping.envelope import insert
from connector.platforms.columns import COLUMNS, EXTRA, numbered
from connector.platforms.expression import FunctionCall, Pipeline, parse
from connector.platforms.leaves import Leaf, leaves

Form = Literal["plain", "hashed", "constant"]

DIGESTS = ("sha256_hex", "sha256_b64", "prehashed_hex")
"""Functions of platform files after which nothing can be read."""


@dataclass(frozen=True)
class SentField:
    """One field of the platform's record, and one column that it is made from.

    Attributes:
        field: Place in the record, keys joined by dots; in a request's body around the records it
            begins with `body.`.
        column: Column of the query; None for a constant.
        group: What the column is about: identity, context, click ids, commerce, ...; `account` and
            `constant` where there is no column.
        form: How it leaves.
        made_by: Functions that it passes through on its way, in order.
    """

    field: str
    column: str | None
    group: str
    form: Form
    made_by: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `capi check --json` prints it."""
        return dict(vars(self))


def sent_fields(destination: Destination, given: Collection[str] | None = None) -> list[SentField]:
    """The fields that can be in a record, in the record's order.

    Args:
        destination: With its platform, identifiers, constants and extra fields.
        given: Canonical columns of the query; None where it is not known which there are. Fields of
            other columns are left out.
    """
    template = copy.deepcopy(destination.platform.event)
    for path, extra in destination.model.extra_fields.items():
        insert(template, path.split("."), _leaf_of(extra))
    columns = _Columns(destination, given)
    found = [field for leaf in leaves(template) for field in columns.of_leaf(leaf)]
    for leaf in leaves(destination.platform.body):
        if leaf.value in ("$event", "$events"):
            continue
        space, _, name = str(leaf.value).partition(".")
        value = destination.platform.request.get(name) if space == "request" else leaf.value
        if value is not None:
            found += columns.of_leaf(Leaf(f"body.{leaf.place}", value, None))
    for path, extra in destination.model.request_extra_fields.items():
        found += columns.of_leaf(Leaf(f"body.{path}", _leaf_of(extra), None))
    return list(dict.fromkeys(found))


def _leaf_of(extra: ExtraField) -> str | bool:
    """A field's expression; no text where it is a constant."""
    return True if extra.column is None else EXTRA + extra.expression


class _Columns:
    """Traces expressions back to columns."""

    def __init__(self, destination: Destination, given: Collection[str] | None) -> None:
        self._destination = destination
        self._given = given

    def of_leaf(self, leaf: Leaf) -> Iterator[SentField]:
        if not isinstance(leaf.value, str):
            yield SentField(leaf.place, None, "constant", "constant")
        elif leaf.entry_of is not None:
            for pipeline in parse(leaf.value).pipelines:
                if pipeline.space == "column":
                    pipeline = pipeline._replace(name=leaf.entry_of)
                yield from self._traced(leaf.place, pipeline)
        else:
            for pipeline in parse(leaf.value).pipelines:
                yield from self._traced(leaf.place, pipeline)

    def _traced(
        self, place: str, pipeline: Pipeline, after: tuple[FunctionCall, ...] = ()
    ) -> Iterator[SentField]:
        """Yields a field for each column that a pipeline begins with.

        Args:
            place: Of the field.
            pipeline: Where the value comes from.
            after: What its result is piped through.
        """
        platform, name, calls = self._destination.platform, pipeline.name, (*pipeline.calls, *after)
        if pipeline.space in ("literal", "param"):
            yield SentField(place, None, "constant", "constant")
        elif pipeline.space == "account":
            if name in self._destination.model.account or platform.account[name].default:
                yield SentField(place, None, "account", "constant")
        elif pipeline.space == "extra":
            yield SentField(place, name, "extra", _form(calls), _words(calls))
        elif pipeline.space == "column":
            yield from self._of_column(place, name, calls)
        elif pipeline.space == "identifier":
            if name in self._destination.identifiers:
                spec = platform.identifiers[name]
                for text in filter(None, (spec.value, spec.hashed)):
                    for inner in parse(text).pipelines:
                        yield from self._traced(place, inner, calls)
                        for further in numbered(inner.name)[: spec.several - 1]:
                            yield from self._traced(place, inner._replace(name=further), calls)
        else:
            for inner in parse(platform.fields[name]).pipelines:
                yield from self._traced(place, inner, calls)

    def _of_column(
        self, place: str, name: str, calls: tuple[FunctionCall, ...]
    ) -> Iterator[SentField]:
        model, platform = self._destination.model, self._destination.platform
        group, form, made_by = COLUMNS[name].group, _form(calls), _words(calls)
        given = self._given is None or name in self._given
        if name in model.constants:
            yield SentField(place, None, "constant", "constant")
        elif given:
            obscured = name == "order_id" and model.privacy.obscure_order_id
            yield SentField(
                place,
                model.columns.get(name, name),
                group,
                "hashed" if obscured else form,
                " | ".join(filter(None, ("sha512_b64" if obscured else "", made_by))),
            )
        elif name == "currency" and (model.source.default_currency or name in platform.columns):
            yield SentField(place, None, "constant", "constant")
        if name == "event_id" and name not in model.constants:
            recipe = platform.event_id
            by_key = recipe.recipe == "key_and_event_name"
            made_of = (
                (*model.source.keys, model.columns.get("event_name", "event_name"))
                if by_key
                else tuple(model.columns.get(each, each) for each in (recipe.user_id, "event_time"))
            )
            yield SentField(place, " + ".join(made_of), group, "hashed", "sha256_hex")


def _form(calls: tuple[FunctionCall, ...]) -> Form:
    return "hashed" if any(call.name in DIGESTS for call in calls) else "plain"


def _words(calls: tuple[FunctionCall, ...]) -> str:
    return " | ".join(call.name for call in calls)
