"""What each column that a query does not have would add, on the platform at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.config.destination import Destination
from connector.platforms.columns import COLUMNS
from connector.platforms.expression import parse
from connector.platforms.model import Platform


def would_add(
    destination: Destination, usable: Iterable[str], given: set[str]
) -> Iterator[tuple[str, str]]:
    """(column, sentence) for columns that the platform can use and nothing gives. usable: in the order to tell them.

    given: canonical columns of the query. Digest columns are left out: the plain column says the same.
    """
    platform = destination.platform
    for name in usable:
        if name in given or name in destination.model.constants or name.endswith("_sha256"):
            continue
        keys = [
            each for each in destination.identifiers if name in platform.identifiers[each].columns
        ]
        said = [f"match key {key}, {_weight(destination, key)}" for key in keys] or [
            COLUMNS[name].rule
        ]
        yield name, "; ".join([*said, *_required_where(platform, name)])


def _weight(destination: Destination, key: str) -> str:
    """What an identifier is worth to its platform."""
    identity = destination.platform.identity
    if not identity.any_of:
        thin = [group for group in identity.not_only if key in group]
        others = sorted({name for group in thin for name in group} - {key})
        return (
            f"not enough together with {', '.join(others)} alone" if thin else "enough on its own"
        )
    groups = [group for group in identity.any_of if key in group]
    if [key] in groups:
        return "enough on its own"
    beside = [
        " and ".join(name for name in group if name != key)
        for group in groups
        if set(group) <= set(destination.identifiers)
    ]
    return (
        f"enough together with {' or with '.join(beside)}"
        if beside
        else "helps beside a stronger one"
    )


def _required_where(platform: Platform, column: str) -> Iterator[str]:
    if column in _columns(platform, platform.required):
        yield "required"
    for rule in platform.required_when:
        if column in _columns(platform, rule.need):
            yield f"required where {rule.column} is {' or '.join(rule.values)}"


def _columns(platform: Platform, names: Iterable[str]) -> set[str]:
    """Canonical columns behind names of columns, fields, and the identifiers that fields read."""
    found: set[str] = set()
    for name in names:
        for pipeline in parse(platform.fields.get(name, name)).pipelines:
            found |= (
                platform.identifiers[pipeline.name].columns
                if pipeline.space == "identifier"
                else {pipeline.name}
            )
    return found
