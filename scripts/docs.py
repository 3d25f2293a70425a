"""Write the pages and parts of the documentation that are made from the code, and two tables of it.

`--check` only says whether they are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from connector.config.host import json_schema
from connector.config.policy import policy_schema
from connector.platforms import loader as platforms
from connector.platforms.columns import column_table
from scripts.country_names import country_names
from scripts.module_index import module_index
from scripts.platform_pages import index_page, platform_pages
from scripts.python_page import python_page

ROOT = Path(__file__).parent.parent
OPEN_FACTS = ROOT / "connector" / "platforms" / "open_facts.json"


def platform_table() -> str:
    """The platforms that come with the connector, as a Markdown table."""
    lines = [
        "| `platform` | API | account keys | records a request | age window |",
        "|---|---|---|---|---|",
    ]
    for name in sorted(platforms.names(), key=lambda name: (name != "capi", name)):
        platform = platforms.load(name)
        keys = (
            ", ".join(
                f"`{key}`" + ("?" if field.optional or field.default else "")
                for key, field in platform.account.items()
            )
            or "none"
        )
        age = platform.windows.max_age
        lines.append(
            f"| `{name}` | {platform.title} | {keys} | {platform.limits.max_events:,} |"
            f" {f'{age.days} days' if age else 'none'} |"
        )
    return "\n".join(lines)


def open_facts() -> str:
    """The facts of `docs/uncertain-facts.md` by platform, as JSON."""
    page = (ROOT / "docs" / "uncertain-facts.md").read_text(encoding="utf-8")
    found: dict[str, list[dict[str, Any]]] = {}
    for section in page.split("\n## ")[1:]:
        name, _, text = section.partition("\n")
        facts = found.setdefault(name.strip(), [])
        for paragraph in filter(None, (each.strip("\n") for each in text.split("\n\n"))):
            lines = [line.strip() for line in paragraph.splitlines()]
            if paragraph.startswith("    "):
                facts[-1]["overrides"] += lines
            else:
                facts.append({"says": " ".join(lines), "overrides": []})
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def generated() -> dict[Path, str]:
    """File -> the text it should have."""
    docs = ROOT / "docs"
    readme, columns = ROOT / "README.md", docs / "columns.md"
    schema, policy = (
        orjson.dumps(each, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
        for each in (json_schema(), policy_schema())
    )
    platforms_of_docs = docs / "platforms"
    return {
        readme: _replace(readme.read_text(encoding="utf-8"), "platforms", platform_table()),
        columns: _replace(columns.read_text(encoding="utf-8"), "columns", column_table()),
        docs / "destination.schema.json": schema,
        docs / "modules.md": module_index(),
        docs / "policy.schema.json": policy,
        docs / "python.md": python_page(ROOT / "connector" / "__init__.pyi"),
        platforms_of_docs / "index.md": index_page(platform_table()),
        **{platforms_of_docs / f"{name}.md": page for name, page in platform_pages().items()},
        ROOT / "connector" / "identifiers" / "country_names.json": country_names(),
        OPEN_FACTS: open_facts(),
    }


def _replace(text: str, name: str, part: str) -> str:
    """Put a generated part between its two marks.

    Raises:
        ValueError: The marks are not there.
    """
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = text.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the marks of '{name}' are missing")
    return before + start + part + "\n" + end + after


def main() -> int:
    """Write, or with --check compare."""
    if "--check" not in sys.argv:
        OPEN_FACTS.write_text(open_facts(), encoding="utf-8")  # the platforms' pages read it
    stale = {
        path: text
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    if "--check" in sys.argv:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is out of date; run: make docs\n")
        return 1 if stale else 0
    for path, text in stale.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
