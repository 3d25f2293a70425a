"""IP addresses, browsers and pages."""

from __future__ import annotations

import orjson
import pyarrow as pa

from connector.arrow.dictionary import map_distinct, remembered
from connector.identifiers import ip, web
from connector.platforms.functions.registry import (
    Context,
    Json,
    Values,
    function,
    register_columnwise,
)

register_columnwise(
    ip.public_ip,
    ip.public_ipv4,
    web.user_agent_text,
    web.user_agent_start,
    web.url_page,
    web.url_origin,
)


@function("browser_and_system", last=True)
def browser_and_system(agents: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A User-Agent header as `{"browser": family, "operating_system": family}`; null if unknown."""
    return Json(map_distinct(web.user_agent_text(agents), _families))


@remembered(4096, longest=1000)
def _families(agent: str) -> str | None:
    import ua_parser  # late, for start-up speed

    seen = ua_parser.parse(agent)
    families = {
        "browser": seen.user_agent.family if seen.user_agent else None,
        "operating_system": seen.os.family if seen.os else None,
    }
    known = {name: family for name, family in families.items() if family and family != "Other"}
    return orjson.dumps(known).decode() if known else None
