"""Reads platform files, one YAML each, strictly into `model.Platform`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from connector.errors import DestinationError
from connector.platforms.linter import undeclared
from connector.platforms.model import Platform
from connector.platforms.strict import StrictModel
from connector.syntax import yaml as strict_yaml
from connector.syntax.spelling import suggest

FOLDER = Path(__file__).parent


class PlatformError(Exception):
    """A platform that does not exist, or an override that does not fit.

    Attributes:
        keys: Path in the destination's YAML to what is wrong.
    """

    def __init__(self, message: str, keys: tuple[str, ...]) -> None:
        super().__init__(message)
        self.keys = keys


def names() -> list[str]:
    """Platforms that come with the connector."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(
    name: str,
    root: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    account: Mapping[str, Any] | None = None,
) -> Platform:
    """Load a platform for a destination.

    Args:
        name: Its name, or the path of its file.
        root: Folder that a relative path starts from.
        overrides: Keys to merge into the file.
        account: The destination's account keys, which choose among the file's `variants`. Without
            them the file is read as it stands, and each of its variants is checked.

    Raises:
        PlatformError: There is no such platform, or the file or an override is wrong.
    """
    if name.endswith((".yaml", ".yml")):
        path = (root or Path.cwd()) / name
    else:
        path = FOLDER / f"{name}.yaml"
        if name not in names():
            raise PlatformError(
                f"there is no platform '{name}'; there are {', '.join(names())}, or give the path "
                f"of a platform file{suggest(name, names())}",
                ("platform",),
            )
    try:
        values = _read(path, path.stat().st_mtime_ns)
    except OSError:
        raise PlatformError(f"there is no platform file {name}", ("platform",)) from None
    except DestinationError as error:
        raise PlatformError(str(error), ("platform",)) from None
    if "variants" in (overrides or {}):
        raise PlatformError(
            "overrides: variants cannot be overridden; override the keys that they replace",
            ("overrides", "variants"),
        )
    removable = set(values.get("identifiers", ()))
    file = _validated(values, path, removable)
    for key, choices in file.variants.items():
        default = file.account[key].default
        for choice, changes in choices.items():
            added = removable | set(changes.get("identifiers", ()))
            where = f"variants.{key}.{choice}."
            if account is None:
                _validated(_merged(values, changes), path, added, where)
            elif str(account.get(key, default)) == choice:
                values, removable = _merged(values, changes), added
                file = _validated(values, path, removable, where)
    if not overrides:
        return file
    return _validated(_merged(values, overrides), path, removable, overridden=True)


def _validated(
    values: dict[str, Any],
    path: Path,
    removable: set[str],
    where: str = "",
    *,
    overridden: bool = False,
) -> Platform:
    """A platform of these values, whose names are all declared.

    Args:
        values: The file's, with what is merged into it.
        path: The file.
        removable: Identifiers of the file and its variants, which null may take away.
        where: The part of it that was merged in, for messages.
        overridden: Whether the destination's overrides were.

    Raises:
        PlatformError: Something is wrong.
    """
    keys: tuple[str, ...]
    try:
        platform = Platform.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        keys = tuple(str(part) for part in first["loc"])
        message = (
            f"there is no such key{suggest(keys[-1], _keys_beside(keys))}"
            if first["type"] == "extra_forbidden"
            else str(first["msg"]).removeprefix("Value error, ")
        )
        at = f"{where}{'.'.join(keys)}".rstrip(".")
        raise PlatformError(
            ": ".join(filter(None, ("overrides" if overridden else str(path), at, message))),
            ("overrides", *keys) if overridden else ("platform",),
        ) from None
    _check_names(platform, removable, overridden, path, where)
    return platform


def _keys_beside(keys: tuple[str, ...]) -> list[str]:
    """The keys that a platform file may have where one stands that it does not know."""
    kind: Any = Platform
    for key in keys[:-1]:
        field = kind.model_fields.get(key)
        kind = field.annotation if field is not None else None
        kind = next((each for each in (kind, *get_args(kind)) if _is_model(each)), None)
        if kind is None:
            return []
    return list(kind.model_fields)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrictModel)


@functools.lru_cache(maxsize=64)
def _read(path: Path, _modified: int) -> dict[str, Any]:
    value = strict_yaml.load(path.read_text(encoding="utf-8"), str(path)).value
    return value if isinstance(value, dict) else {}


def _merged(base: Any, over: Any) -> Any:
    """Merge mappings key by key; null removes a key; everything else replaces."""
    if not (isinstance(base, dict) and isinstance(over, Mapping)):
        return over
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _check_names(
    platform: Platform, identifiers: set[str], overridden: bool, path: Path, where: str
) -> None:
    """Refuse an expression that does not parse, or names what is not declared.

    Args:
        platform: With the overrides of a destination.
        identifiers: Those of the file itself; an override may take some away.
        overridden: Whether there are overrides, which are then to blame.
        path: The platform file.
        where: The part of it that was merged in.
    """
    try:
        wrong = next(undeclared(platform, identifiers), None)
    except ValueError as error:
        wrong = str(error)
    if wrong is not None:
        raise PlatformError(
            f"{path.name}: {where}{wrong}", ("overrides",) if overridden else ("platform",)
        )
