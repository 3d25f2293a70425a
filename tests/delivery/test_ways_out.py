"""Nothing but the two transports speaks HTTP.

So no request goes without deadline, cap, pinned host and TLS floor.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPEAKERS = {"aiohttp", "http.client", "httpx", "pycurl", "requests", "urllib.request", "urllib3"}
TRANSPORTS = {
    Path("connector/delivery/transports/requests.py"),
    Path("connector/delivery/transports/libcurl.py"),
    Path("connector/delivery/transports/curl_handle.py"),
}
MODULES = sorted(
    path.relative_to(ROOT)
    for package in ("connector", "dagster_project")
    for path in (ROOT / package).rglob("*.py")
)


def imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def speaks_http(module: Path) -> bool:
    return any(
        name == speaker or name.startswith(f"{speaker}.")
        for name in imported(module)
        for speaker in SPEAKERS
    )


def test_the_transports_speak_http() -> None:
    assert {module for module in MODULES if speaks_http(module)} >= TRANSPORTS


def test_no_other_module_speaks_http() -> None:
    assert {module for module in MODULES if speaks_http(module)} <= TRANSPORTS
