"""Which columns of the query a destination's YAML maps, and which of them it cannot do without."""

from __future__ import annotations

from collections.abc import Sequence

from connector.config.destination import Destination
from connector.platforms.expression import parse


def canonical_columns(
    destination: Destination, names: Sequence[str], wanted: Sequence[str]
) -> dict[str, str]:
    """Canonical column -> column of the query, for those that are wanted and there."""
    return {
        name: column
        for name in wanted
        if (column := destination.model.columns.get(name, name)) in names
    }


def extra_columns(destination: Destination) -> list[str]:
    """Columns of the query that are sent beside the canonical ones."""
    model = destination.model
    fields = (*model.extra_fields.values(), *model.request_extra_fields.values())
    return list(dict.fromkeys(field.column for field in fields if field.column is not None))


def missing_columns(
    destination: Destination, names: Sequence[str]
) -> dict[str, tuple[str | int, ...]]:
    """Columns that the query lacks -> the keys of the YAML that name them."""
    model, source = destination.model, destination.model.source
    named: list[tuple[str, tuple[str | int, ...]]] = [(source.cursor, ("source", "cursor"))]
    named += [
        (name, ("source", "key", *([] if isinstance(source.key, str) else [index])))
        for index, name in enumerate(source.keys)
    ]
    named += [(column, ("columns", name)) for name, column in model.columns.items()]
    named += [
        (field.column, (section, path))
        for section, fields in (
            ("extra", model.extra_fields),
            ("request_extra", model.request_extra_fields),
        )
        for path, field in fields.items()
        if field.column is not None
    ]
    missing: dict[str, tuple[str | int, ...]] = {}
    for name, where in named:
        if name not in names:
            missing.setdefault(name, where)
    return missing


def required_columns(destination: Destination) -> list[str]:
    """Canonical columns without which every row is rejected; those that are constants left out.

    None where a transform may add any of them.
    """
    if destination.model.transform is not None:
        return []
    platform = destination.platform
    required = [
        column
        for name in platform.required
        for column in (parse(platform.fields[name]).always if name in platform.fields else [name])
    ]
    needed = dict.fromkeys(
        ["event_name", *required, *(["event_time"] if platform.missing_time == "reject" else [])]
    )
    return [name for name in needed if name not in destination.model.constants]
