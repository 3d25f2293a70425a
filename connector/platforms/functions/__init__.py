"""The functions that platform files may name, one module a family. Importing this registers all."""

from connector.platforms.functions import (
    choices,
    click_ids,
    devices,
    digests,
    emails,
    ids,
    lists,
    money,
    people,
    phones,
    places,
    texts,
    times,
    typed,
)
from connector.platforms.functions.registry import (
    FUNCTIONS,
    NORMALISERS,
    TAKES,
    Context,
    Json,
    Values,
)

__all__ = [
    "FUNCTIONS",
    "NORMALISERS",
    "TAKES",
    "Context",
    "Json",
    "Values",
    "choices",
    "click_ids",
    "devices",
    "digests",
    "emails",
    "ids",
    "lists",
    "money",
    "people",
    "phones",
    "places",
    "texts",
    "times",
    "typed",
]
