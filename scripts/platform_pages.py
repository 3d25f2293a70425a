"""A page of documentation for each platform, made from its file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from connector.commands.platforms import PlatformFacts, platform_facts
from connector.platforms import loader
from connector.platforms.leaves import leaves
from connector.platforms.model import Platform

_MEANS = {
    "retry": "tried again with backoff",
    "ambiguous": "may have been taken: the same bytes are sent again",
    "auth": "credentials: the run stops (exit 3)",
    "halt": "the run stops, no row is blamed (exit 3)",
    "refused": "the row is quarantined",
    "delivered": "counts as delivered",
}

_CONSENT = {"send": "sent, marked as such", "suppress": "`suppressed`: the platform has no field"}


def platform_pages() -> dict[str, str]:
    """Name of a platform -> its page in Markdown."""
    return {facts.name: _page(facts, loader.load(facts.name)) for facts in platform_facts()}


def index_page(table: str) -> str:
    """The page that lists them.

    Args:
        table: Of the platforms, in Markdown.
    """
    names = "\n".join(
        f"- [{facts.title}]({facts.name}.md)" for facts in sorted(platform_facts(), key=_title)
    )
    return (
        "# Platforms\n\n"
        "Each page below is made from the platform's own file, `connector/platforms/NAME.yaml`, the"
        " one that runs read.\n`capi platforms NAME` shows the same, also for a platform file of"
        f" your own.\n\n{names}\n\n{table}\n\n"
        "An account key with `?` may be left out. A platform of your own:"
        " [add a platform](../add-a-platform.md).\n"
    )


def _title(facts: PlatformFacts) -> str:
    return facts.title


def _page(facts: PlatformFacts, platform: Platform) -> str:
    parts = [
        f"# {facts.title}",
        "<!-- made by `make docs` from the platform's file -->",
        _example(facts),
        f"Facts are from: {facts.docs}",
        "## Limits and windows",
        _table(("what", "value"), _limits(facts)),
        "## Identifiers",
        _identity(facts),
        _table(("identifier", "made from", "is sent"), _identifiers(facts, platform)),
        "## Fields",
        _required(facts, platform),
        _table(("field of a record", "from"), _fields(platform.event)),
        "## Events and consent",
        _events(platform),
        _consent(facts),
        "## Answers",
        _answers(facts, platform),
        _table(
            ("code", "what happens", "what to do"),
            (
                (f"`{_cell(code)}`", _MEANS[known.means], _cell(known.remedy))
                for code, known in platform.answers.codes.known.items()
            ),
        ),
        "## Test mode",
        _test_mode(platform),
        "## What its documents leave open",
        _open_facts(facts),
        *_variants(facts, platform),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _example(facts: PlatformFacts) -> str:
    account = ", ".join(
        f"{key}: ..."
        for key, field in facts.account.items()
        if not (field.get("optional") or field.get("default"))
    )
    lines = [f"platform: {facts.name}"]
    lines += ["endpoint: https://...          # each destination gives its own"] * (
        facts.endpoint is None
    )
    lines += [f"account: {{{account}}}"] if account else []
    block = "\n".join(lines)
    return f"```yaml\n{block}\n```"


def _limits(facts: PlatformFacts) -> Iterator[tuple[str, str]]:
    if facts.version:
        ends = f", retires on {facts.version_end}" if facts.version_end else ""
        yield "version of the API", f"`{facts.version}`{ends}"
    yield "records of a request", f"{facts.max_events:,}"
    yield "bytes of a request", f"{facts.max_bytes:,}"
    rate = facts.requests_per_second
    yield "requests a second", "none is published" if rate is None else f"{rate:g}"
    yield "oldest conversion", _span(facts.max_age) if facts.max_age else "no limit"
    for source, age in facts.max_age_by.items():
        yield f"oldest conversion, `{source}`", _span(age)
    yield "ahead of time", _span(facts.max_future)
    yield (
        "recognises an event id for",
        _span(facts.dedupe_window) if facts.dedupe_window else "never",
    )


def _identity(facts: PlatformFacts) -> str:
    if not facts.identity:
        return "A row needs one of these, whichever."
    return _identity_of(facts.identity)


def _identity_of(groups: Iterable[Iterable[str]]) -> str:
    alternatives = " or ".join(" with ".join(f"`{name}`" for name in group) for group in groups)
    return f"A row needs {alternatives}."


def _identifiers(facts: PlatformFacts, platform: Platform) -> Iterator[tuple[str, ...]]:
    for name, about in facts.identifiers.items():
        columns = ", ".join(f"`{column}`" for column in about["columns"])
        value = platform.identifiers[name].value
        sent = "hashed (SHA-256)" if "sha256" in value else "in plain"
        if about["plain"]:
            sent += ", only where `identifiers` lists it"
        yield f"`{name}`", columns, sent


def _required(facts: PlatformFacts, platform: Platform) -> str:
    sentences = []
    if facts.required:
        names = ", ".join(f"`{name}`" for name in facts.required)
        sentences.append(f"Without these a row is rejected: {names}.")
    for rule in platform.required_when:
        need = ", ".join(f"`{name}`" for name in rule.need)
        values = " or ".join(f"`{value}`" for value in rule.values or ["any value"])
        sentences.append(f"Where `{rule.column}` is {values}: {need}.")
    return " ".join(sentences)


def _fields(template: Any) -> Iterator[tuple[str, str]]:
    """The places of a template, and the expressions that fill each."""
    found: dict[str, list[str]] = {}
    for leaf in leaves(template):
        entry = f" of each of `{leaf.entry_of}`" if leaf.entry_of else ""
        found.setdefault(leaf.place, []).append(f"`{_cell(str(leaf.value))}`{entry}")
    for place, expressions in found.items():
        yield f"`{place}`", "; ".join(dict.fromkeys(expressions))


def _events(platform: Platform) -> str:
    names = platform.event_names
    said = {
        "optional": "Event names are sent as they are unless `events` maps them.",
        "listed": "Event names must be the platform's, or mapped to them by `events`.",
        "required": "Every event name must be mapped by `events`.",
    }[names.mapping]
    if names.longest:
        said += f" At most {names.longest} characters."
    if names.known:
        said += f"\n\nThe platform's names: {', '.join(f'`{name}`' for name in names.known)}."
    return said


def _consent(facts: PlatformFacts) -> str:
    denied = "possible" if facts.consent else "refused, there is no field for it"
    return (
        f"`opt_out`: {_CONSENT[facts.opt_out]}. `limited_data_use`:"
        f" {_CONSENT[facts.limited_data_use]}. `consent: {{denied: send}}`: {denied}."
    )


def _answers(facts: PlatformFacts, platform: Platform) -> str:
    how = (
        "Refused records are named by the answer."
        if facts.refusals == "named"
        else "The answer names no record: a refused batch is halved until the bad row stands alone."
    )
    rest = (
        " The good ones of the same request count as delivered."
        if facts.partial
        else " The good ones are sent again without them."
    )
    poll = " The final result is asked for later." if platform.answers.poll else ""
    return how + rest + poll


def _test_mode(platform: Platform) -> str:
    test = platform.test_mode
    if test is None:
        return "It has none; rehearse against `capi sandbox`."
    given = "`test_mode: true`" if test.value is not None else "`test_mode: CODE`"
    how = {
        "body": f"adds `{test.name}` to the body",
        "query": f"adds `{test.name}` to the address",
        "path": "uses another path",
    }[test.method]
    counts = " Test events are counted all the same." if test.counts else ""
    return f"{given} {how}.{counts}"


def _open_facts(facts: PlatformFacts) -> str:
    lines = [f"- Not proven: {each}." for each in facts.unproven]
    for fact in facts.open_facts:
        lines.append(f"- {fact.says}")
        lines += [f"  `{override}`" for override in fact.overrides]
    return "\n".join(lines) or "Nothing."


def _variants(facts: PlatformFacts, platform: Platform) -> Iterator[str]:
    """What differs for destinations with one value of an account key."""
    for key, choices in platform.variants.items():
        for choice in choices:
            other = loader.load(facts.name, account={key: choice})
            groups = other.identity.any_of
            same = set(_fields(platform.event))
            age = other.windows.max_age
            yield f"## With `account: {{{key}: {choice}}}`"
            if groups != platform.identity.any_of:
                yield _identity_of(groups)
            if age is not None and age != platform.windows.max_age:
                yield f"Oldest conversion: {_span(age.total_seconds())}."
            if other.event_names != platform.event_names:
                yield _events(other)
            yield "\n".join(f"Not proven: {each}." for each in other.unproven)
            yield _table(
                ("field of a record", "from"),
                (field for field in _fields(other.event) if field not in same),
            )


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    names = tuple(head)
    found = list(rows)
    if not found:
        return ""
    lines = [names, ("---",) * len(names), *found]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _span(seconds: float | None) -> str:
    span = dt.timedelta(seconds=seconds or 0)
    if span.days and not span.seconds:
        return f"{span.days} days"
    if span.total_seconds() % 3600 == 0:
        return f"{int(span.total_seconds() // 3600)} hours"
    return f"{span.total_seconds() / 60:g} minutes"
