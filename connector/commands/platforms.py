"""What each platform can do, its limits, and what its documents leave open."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from connector.errors import DestinationError, Problem
from connector.platforms import loader
from connector.platforms.linter import template_columns
from connector.platforms.loader import PlatformError
from connector.platforms.model import Platform
from connector.platforms.open_facts import OpenFact, open_facts


@dataclass(frozen=True)
class PlatformFacts:
    """One platform as its file describes it.

    Attributes:
        name: What a destination writes under `platform`.
        title: The name that people know.
        docs: Where its documents are, or who the facts are from.
        endpoint: Base address; None where each destination gives its own.
        version: Of the API; None where it has none.
        version_end: The day on which that version retires, where it is known.
        account: Keys that a destination gives, each with what is said of it.
        auth: The scheme of its credentials.
        max_events: Records of one request.
        max_bytes: Of one request.
        requests_per_second: None where the platform publishes no rate.
        max_age: Seconds after which a conversion is too old; None without an end.
        max_age_by: The same for single action sources.
        max_future: Seconds that a conversion may lie ahead.
        dedupe_window: Seconds for which it recognises an event id; 0 where it recognises none.
        identifiers: What people are matched by, each with the columns it is made from, and whether
            it leaves readable, so that a destination must list it.
        identity: Groups of identifiers, one of which must be complete; empty: any will do.
        required: Columns and fields without which a row is rejected.
        event_names: Whether names must be mapped: optional, listed or required.
        test_mode: How it is asked to validate alone; None where it cannot.
        opt_out, limited_data_use: `send` where it has a field for that, otherwise `suppress`.
        consent: Whether it has a field for a person's consent.
        refusals: How a refused record is found: `named`, or by `halving` the batch.
        partial: Whether good records of a request with bad ones are taken.
        variants: Account key -> its choices for which the file says something else.
        unproven: What delivery depends on and no document settles.
        open_facts: What its documents leave open, and the overrides that choose otherwise.
    """

    name: str
    title: str
    docs: str
    endpoint: str | None
    version: str | None
    version_end: dt.date | None
    account: dict[str, dict[str, Any]]
    auth: str
    max_events: int
    max_bytes: int
    requests_per_second: float | None
    max_age: float | None
    max_age_by: dict[str, float]
    max_future: float
    dedupe_window: float
    identifiers: dict[str, dict[str, Any]]
    identity: list[list[str]]
    required: list[str]
    event_names: str
    test_mode: str | None
    opt_out: str
    limited_data_use: str
    consent: bool
    refusals: str
    partial: bool
    variants: dict[str, list[str]]
    unproven: list[str]
    open_facts: list[OpenFact]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        ends = None if self.version_end is None else self.version_end.isoformat()
        facts = [fact._asdict() for fact in self.open_facts]
        return {**asdict(self), "version_end": ends, "open_facts": facts}


def platform_facts(name: str | None = None, *, root: Path | None = None) -> list[PlatformFacts]:
    """Describe the platforms that come with the connector, or one of them.

    Args:
        name: Of a platform, or the path of a platform file; default: all that come along.
        root: Folder that a relative path starts from; default: the working directory.

    Raises:
        DestinationError: There is no such platform, or its file is wrong.
    """
    try:
        return [
            _facts(each, loader.load(each, root))
            for each in (loader.names() if name is None else [name])
        ]
    except PlatformError as error:
        raise DestinationError([Problem(str(error))]) from None


def _facts(name: str, platform: Platform) -> PlatformFacts:
    limits, windows, answers = platform.limits, platform.windows, platform.answers
    test = platform.test_mode
    named = answers.located.path or answers.located.text
    in_order = answers.located.path and answers.located.ok and not answers.located.index
    return PlatformFacts(
        name=name,
        title=platform.title,
        docs=platform.docs,
        endpoint=platform.endpoint,
        version=platform.version,
        version_end=platform.version_end,
        account={
            key: field.model_dump(exclude_defaults=True) for key, field in platform.account.items()
        },
        auth=platform.auth.method,
        max_events=limits.max_events,
        max_bytes=limits.max_bytes,
        requests_per_second=limits.rate,
        max_age=_seconds(windows.max_age),
        max_age_by={key: age.total_seconds() for key, age in windows.max_age_by.items()},
        max_future=windows.max_future.total_seconds(),
        dedupe_window=platform.dedupe_window.total_seconds(),
        identifiers={
            key: {"columns": sorted(spec.columns), "plain": spec.plain}
            for key, spec in platform.identifiers.items()
        },
        identity=platform.identity.any_of,
        required=platform.required,
        event_names=platform.event_names.mapping,
        test_mode=None if test is None else f"{test.method}{', counts' if test.counts else ''}",
        opt_out=platform.consent.opt_out,
        limited_data_use=platform.consent.limited_data_use,
        consent="consent" in template_columns(platform.event),
        refusals="named" if named else "halving",
        partial=bool(answers.partial or answers.located.taken or in_order),
        variants={key: list(choices) for key, choices in platform.variants.items()},
        unproven=platform.unproven,
        open_facts=open_facts(name),
    )


def _seconds(span: dt.timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
