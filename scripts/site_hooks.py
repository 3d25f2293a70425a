"""Hooks of the documentation's site (mkdocs): its navigation, and links that leave `docs/`."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

_LINK = re.compile(r"(?<!!)\[(?P<words>[^\]]+)\]\((?P<target>[^)\s]+)(?P<title> \"[^\"]*\")?\)")

_ROW = re.compile(r"^\|.*$", re.M)
_CODE = re.compile(r"`[^`\n]+`")


def on_config(config: Any) -> None:
    """List the pages of a folder where the navigation has `folder/*`."""
    config["nav"] = _expanded(config["nav"], Path(config["docs_dir"]))


def _expanded(entries: list[Any], docs: Path) -> list[Any]:
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            found += [
                {title: _expanded(below, docs) if isinstance(below, list) else below}
                for title, below in entry.items()
            ]
        elif entry.endswith("/*"):
            pages = sorted((docs / entry.removesuffix("/*")).glob("*.md"))
            first = ("index.md", "README.md")
            found += [
                page.relative_to(docs).as_posix()
                for page in sorted(pages, key=lambda page: page.name not in first)
            ]
        else:
            found.append(entry)
    return found


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Replace links to files beside `docs/` by words and the file's name.

    The pages are read in the repository as well, where such links lead to code and tests, and where
    a `|` in a table's code needs a backslash; here it would be shown.
    """
    folder = PurePosixPath(page.file.src_uri).parent
    text = _LINK.sub(lambda link: _inside(link, folder, Path(config["docs_dir"])), markdown)
    return _ROW.sub(lambda row: _CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0]), text)


def _inside(link: re.Match[str], folder: PurePosixPath, docs: Path) -> str:
    target = link["target"].partition("#")[0]
    if not target or "://" in target:
        return link[0]
    found = (docs / folder / target).resolve()
    if found.is_relative_to(docs):
        return link[0]
    words, name = link["words"], found.relative_to(docs.parent).as_posix()
    test = (link["title"] or "").strip(' "')
    if test:
        return f'<span title="{name}: {test}">{words}</span>'
    return words if words.strip("`") == name else f"{words} (`{name}`)"
