"""Meta's Conversions API parameter builder for Python: the click and browser cookies."""

from __future__ import annotations

from typing import Any

from capi_param_builder import ParamBuilder

from tests.judges.ours import Fields
from tests.judges.rows import Row

PLATFORM = "meta"
OVERRIDES: dict[str, Any] = {}
HASHED = ()
_PARTS = 4
"""`fb.{index}.{milliseconds}.{payload}`, before an appendix."""


def ours(record: Any) -> Fields:
    """`fbc` and `fbp`; the time of a click that nobody noted is left out."""
    user = record["user_data"]
    return {name: user[name] for name in ("fbc", "fbp") if name in user}


def theirs(row: Row, record: Any) -> Fields:
    """What the builder makes of the same cookies, or of a click id in the page's address."""
    cookies = {f"_{name}": row[name] for name in ("fbc", "fbp") if row.get(name)}
    queries = {"fbclid": [row["fbclid"]]} if row.get("fbclid") else {}
    builder = ParamBuilder()
    builder.process_request("www.shop.example", queries, cookies)
    found = {}
    if cookies.get("_fbc") or queries:
        found["fbc"] = _without_own_appendix(builder.get_fbc(), cookies.get("_fbc"))
    if cookies.get("_fbp") and not _is_new(builder.get_fbp(), cookies["_fbp"]):
        found["fbp"] = _without_own_appendix(builder.get_fbp(), cookies["_fbp"])
    if queries and "fbc" in record["user_data"]:
        found["fbc"] = _with_time_of(record["user_data"]["fbc"], found["fbc"])
    return {name: value for name, value in found.items() if value is not None}


def _without_own_appendix(made: str | None, given: str | None) -> str | None:
    """The builder signs what had no signature."""
    return made if made is None or made == given else made.rpartition(".")[0]


def _is_new(made: str, given: str) -> bool:
    return made.split(".")[:_PARTS] != given.split(".")[:_PARTS]


def _with_time_of(cookie: str, made: str) -> str:
    """The builder takes now for the time of the click; here it is that of the other cookie."""
    prefix, index, _, payload = made.split(".", 3)
    return ".".join([prefix, index, cookie.split(".")[2], payload])
