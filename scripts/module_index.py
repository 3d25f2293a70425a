"""The page `docs/modules.md`: every module, and the sentence at its head."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("connector", "dagster_project")
HEAD = """# Modules

Every file and what it is for, as its first sentence says. `make docs` writes this page from the
code; where to begin is in [architecture.md](architecture.md).
"""


def module_index() -> str:
    """The page as Markdown: a section for each package, a line for each module."""
    lines = [HEAD]
    for folder in _packages():
        lines += [f"## `{folder.relative_to(ROOT)}/`", "", _summary(folder / "__init__.py"), ""]
        for path in sorted(folder.glob("*.py")):
            if path.stem != "__init__":
                lines.append(f"- [`{path.name}`](../{path.relative_to(ROOT)}): {_summary(path)}")
        lines.append("")
    return "\n".join(lines)


def _packages() -> list[Path]:
    """The folders that hold modules."""
    found = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("__init__.py")}
    return sorted(found)


def _summary(path: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())
