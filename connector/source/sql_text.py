"""The user's SQL as one statement that can stand inside another.

A query file is text of the user's own database: its colons, percent signs and question marks mean
there what they mean, and nothing here takes them for parameters.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from connector.errors import ConfigError

_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<quoted> (?<![A-Za-z0-9_$])[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*'
        | "(?:[^"]|"")*" | `[^`]*` )
    | (?P<dollar> (?<![A-Za-z0-9_$])(?P<tag>\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$).*?(?P=tag) )
    | (?P<open> ['"`] | /\* )
    | (?P<sign> [;()] )
    | (?P<other> [^-/'"`$;()eE]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_BACKSLASH = re.compile(
    _TOKEN.pattern.replace("'(?:[^']|'')*'", r"'(?:[^'\\]|\\.|'')*'"), _TOKEN.flags
)


_TEMPLATE = re.compile(r"\{\{|\{%")
_QUOTED_TEMPLATE = re.compile(
    r"\{\{-?\s*[A-Za-z_]\w*\s*([(.|].*?)?-?\}\}|\{%-?\s*[a-z]+\b.*?%\}", re.DOTALL
)
"""What Jinja, and so dbt and Airflow, fill in. In quotes '{{1,2},{3,4}}' is an array, and '{%' a
pattern."""


class Raw(sa.TextClause):
    """SQL that is passed on as it is: a colon in it begins no parameter."""

    inherit_cache = True

    def __init__(self, text: str) -> None:
        super().__init__("")
        self.text = text


@compiles(Raw)
def _compile(element: Raw, compiler: Any, **_: Any) -> str:
    return str(compiler.post_process_text(element.text))


def fingerprint(sql: str) -> str:
    """16 hex digits of what a query says.

    The same whatever its comments, line breaks and last semicolon are; another one for any change
    inside quotes.
    """
    words = "".join(_word(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(sql))
    return hashlib.sha256(" ".join(words.split()).strip(" ;").encode()).hexdigest()[:16]


def _word(kind: str, text: str) -> str:
    """A token with its spaces, or what stands for it where spaces mean nothing or all."""
    if kind == "other":
        return text
    return {"comment": " ", "sign": f" {text} "}.get(kind, text.encode().hex())


def words(sql: str) -> dict[str, list[int]]:
    """Names and keywords of a query, in lower case -> the lines that they stand in.

    Words in comments and in quoted values do not count.
    """
    found: dict[str, list[int]] = {}
    code = "".join(
        match[0] if _is_code(match) else re.sub(r"[^\n]", " ", match[0])
        for match in _TOKEN.finditer(sql)
    )
    for number, line in enumerate(code.split("\n"), 1):
        for word in dict.fromkeys(re.findall(r"\w+", line.lower())):
            found.setdefault(word, []).append(number)
    return found


def _is_code(token: re.Match[str]) -> bool:
    return (
        token.lastgroup in ("other", "sign")
        or re.fullmatch(r"\"\w+\"|`[\w.]+`", token[0]) is not None
    )


def one_statement(sql: str, name: str, *, backslashes: bool = False) -> str:
    """The one statement of a text, without the semicolon and what follows it.

    Args:
        sql: what a person wrote.
        name: how messages call it.
        backslashes: whether a backslash hides the next character inside quotes.

    Raises:
        ConfigError: for no statement, for two, and for quotes, comments or parentheses that do not
            match: such text would end the subquery that it is put into.
    """

    def refuse(why: str) -> ConfigError:
        return ConfigError(f"{name} {why}", at=("source", "query"))

    start: int | None = None
    end: int | None = None
    depth = 0
    for match in (_BACKSLASH if backslashes else _TOKEN).finditer(sql):
        kind, text = match.lastgroup, match[0]
        templates = {"other": _TEMPLATE, "quoted": _QUOTED_TEMPLATE}.get(str(kind))
        template = None if templates is None else templates.search(text)
        if template is not None:
            line = sql.count("\n", 0, match.start() + template.start()) + 1
            raise refuse(
                f"has a template in line {line} ({template[0][:2]} ...), which nobody fills in"
                " here; write the SQL that it stands for, which dbt keeps under target/compiled"
            )
        if kind == "open" or (kind == "comment" and "/*" in text[2:]):
            raise refuse(
                "has a quote or a comment that is never closed, or a comment inside a comment"
            )
        if kind == "comment" or not text.strip():
            continue
        if text == ";":
            end = match.start() if end is None else end
            continue
        if start is not None and end is not None:
            raise refuse(
                "holds more than one statement; write one SELECT, with WITH where it takes steps"
            )
        start, end = match.start() if start is None else start, None
        depth += {"(": 1, ")": -1}.get(text, 0)
        if depth < 0:
            raise refuse("closes a parenthesis that it never opened")
    if depth:
        raise refuse("opens a parenthesis that it never closes")
    if start is None:
        raise refuse("is empty")
    return sql[start:end].rstrip()
