"""One module a platform; `all_dialects` lists them."""

from __future__ import annotations

from connector.sandbox.dialect import Dialect
from connector.sandbox.dialects import (
    amazon,
    capi,
    google,
    linkedin,
    meta,
    microsoft,
    openai,
    pinterest,
    reddit,
    snapchat,
    taboola,
    thetradedesk,
    thetradedesk_offline,
    tiktok,
    x,
)


def all_dialects() -> list[Dialect]:
    """Every platform that the receiver can stand in for."""
    return [
        module.DIALECT
        for module in (
            amazon,
            capi,
            google,
            linkedin,
            meta,
            microsoft,
            openai,
            pinterest,
            reddit,
            snapchat,
            taboola,
            thetradedesk,
            thetradedesk_offline,
            tiktok,
            x,
        )
    ]
