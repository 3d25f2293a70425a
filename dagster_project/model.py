"""Keys of a destination's YAML that are for Dagster, and Dagster's rules for the rest of it.

The connector finds this module by its entry point. `capi` reads it too, so Dagster is imported only
where its own validation is asked for.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from connector.config.destination import Destination
from connector.config.documents import FILE, destinations_in
from connector.config.host import Host, Inconsistency
from connector.config.models import DestinationModel, OptionalSection, Section
from connector.syntax.units import Duration, Period
from dagster_project.project import PACKAGE, find_project, hides_component
from dagster_project.templates import KEY, render_with

TYPE = "dagster_project.components.CapiDestination"

CRON = r"^(@[a-z]+|[-0-9A-Za-z*,/]+( [-0-9A-Za-z*,/]+){4})$"
"""The form of a schedule; whether it ever comes due is for Dagster to say."""


CONDITIONS = ("eager", "any_deps_updated", "on_missing")
"""Words of `asset.automation_condition` beside `on_cron(...)`."""


def _cron(text: str) -> str:
    if not re.match(CRON, text):
        raise ValueError(
            "a schedule is a cron expression of five fields such as */15 * * * *, or @hourly,"
            " @daily, @weekly or @monthly"
        )
    return text


Cron = Annotated[
    str,
    AfterValidator(_cron),
    WithJsonSchema({"type": "string", "pattern": CRON, "examples": ["*/15 * * * *", "@hourly"]}),
]
Owner = Annotated[
    str,
    Field(
        pattern=r"^(team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})$",
        description="an e-mail address, or team:NAME",
    ),
]
TagKey = Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63}$")]
TagValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,63}$")]


class Freshness(Section):
    """How old the last materialization may be."""

    fail_after: Duration
    warn_after: Duration | None = None


def _condition(text: str) -> str:
    cron = cron_of(text)
    if cron is not None:
        _cron(cron)
    elif text not in CONDITIONS:
        raise ValueError(f"a condition is {', '.join(CONDITIONS)}, or on_cron(0 4 * * *)")
    return text


Condition = Annotated[
    str,
    AfterValidator(_condition),
    WithJsonSchema({"type": "string", "examples": [*CONDITIONS, "on_cron(@daily)"]}),
]
Key = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
        description="an asset's key, its parts joined by slashes",
        examples=["shop/orders"],
    ),
]


class Asset(Section):
    """How the asset looks, what it depends on, and when that makes it run."""

    owners: list[Owner] = Field([], description="people and teams, as Dagster shows them")
    tags: dict[TagKey, TagValue] = Field({}, description="tags of the asset")
    group: str | None = Field(None, pattern=r"^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$")
    description: str | None = None
    freshness: OptionalSection[Freshness] = None
    key: Key | None = Field(None, description="key of the asset; default: PLATFORM/DESTINATION")
    deps: list[Key] = Field([], description="assets that the query reads, such as dbt models")
    automation_condition: Condition | None = Field(
        None, description="run by itself: eager, any_deps_updated, on_missing, on_cron(0 4 * * *)"
    )
    code_version: str | None = Field(None, description="version of the query, as Dagster shows it")


class Reconciling(Section):
    """The job that compares every row behind the watermark with the ledger."""

    schedule: Cron = Field("0 4 * * 0", description="when it runs; default: weekly")
    send: bool = Field(False, description="deliver what is missing, in place of a report alone")


class CapiDestinationModel(DestinationModel):
    """The attributes of a `CapiDestination`."""

    schedule: Cron | None = Field(None, description="cron expression")
    poll: Period | None = Field(
        None, description="look for new rows this often, for near-real-time delivery"
    )
    asset: Asset = Asset()
    reconcile: Reconciling = Reconciling()


def attributes(destination: Destination) -> CapiDestinationModel:
    """What the YAML of a destination says, with the keys of this module."""
    model = destination.model
    assert isinstance(model, CapiDestinationModel)
    return model


def word(text: str) -> str:
    """A text as Dagster allows it for names of ops, jobs, schedules, sensors and groups."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def problems(destination: Destination) -> Iterator[Inconsistency]:
    """Yields what is wrong with a destination for Dagster, as far as it shows without Dagster."""
    for name, keys in ((destination.name, ()), (destination.platform_name, ("platform",))):
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", name):
            yield (
                keys,
                (
                    f"'{name}' cannot be a name in Dagster; name the file or its folder with"
                    " letters, digits, dashes, dots and underscores alone"
                ),
            )
    yield from _freshness_problems(attributes(destination).asset.freshness)
    if hides_component(destination.root):
        yield (
            (),
            (
                f"the project in {destination.root} has a package of its own called"
                f" {PACKAGE}, which hides the connector's component of that name; rename the"
                " package, and root_module in pyproject.toml"
            ),
        )
    for message in _namesakes(destination):
        yield (), message


def schedule_problems(destination: Destination) -> Iterator[Inconsistency]:
    """Yields what Dagster itself says of the schedule and of `on_cron`."""
    condition = attributes(destination).asset.automation_condition
    crons = {
        ("schedule",): attributes(destination).schedule,
        ("asset", "automation_condition"): None if condition is None else cron_of(condition),
    }
    if not any(crons.values()):
        return
    import dagster as dg  # late: it takes longer than everything else that `capi check` does

    for keys, cron in crons.items():
        try:
            if cron is not None:
                dg.ScheduleDefinition(name="schedule", job_name="job", cron_schedule=cron)
        except dg.DagsterInvalidDefinitionError:
            where = ".".join(keys)
            yield (
                keys,
                f"{where}: '{cron}' is no cron expression of five fields that ever comes due",
            )


TICKS = 400
"""Of a schedule that are looked at for its longest interval: more than a year of a daily one."""


def longest_interval(destination: Destination) -> dt.timedelta | None:
    """The longest time between two ticks of what starts runs by itself; None where nothing does."""
    model = attributes(destination)
    condition = model.asset.automation_condition
    cron = model.schedule or (None if condition is None else cron_of(condition))
    return model.poll if cron is None else _longest_gap(cron)


@functools.cache
def _longest_gap(cron: str) -> dt.timedelta | None:
    # Late: only checks and alerts ask.
    from croniter import croniter  # type: ignore[import-untyped]

    begin = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    ticks = itertools.islice(croniter(cron, begin).all_next(dt.datetime), TICKS)
    return max((later - tick for tick, later in itertools.pairwise(ticks)), default=None)


def cron_of(condition: str) -> str | None:
    """The cron expression of `on_cron(...)`; None for any other condition."""
    found = re.fullmatch(r"on_cron\((.*)\)", condition)
    return None if found is None else found.group(1).strip("'\" ")


def _freshness_problems(freshness: Freshness | None) -> Iterator[Inconsistency]:
    """Dagster looks at freshness once a minute."""
    if freshness is None:
        return
    if freshness.fail_after < dt.timedelta(minutes=1):
        yield ("asset", "freshness", "fail_after"), "asset.freshness.fail_after must be at least 1m"
    if freshness.warn_after is not None and freshness.warn_after >= freshness.fail_after:
        yield (
            ("asset", "freshness", "warn_after"),
            "asset.freshness.warn_after must be shorter than fail_after",
        )


def _namesakes(destination: Destination) -> Iterator[str]:
    """Yields a sentence for each other destination below the same `defs` with the same name here.

    `a-b` and `a_b` are one name: those of schedules, sensors and jobs have underscores alone.

    Args:
        destination: The one that must be told from all others.
    """
    path = destination.file
    if path is None or path.name != FILE:
        return
    file = path.resolve()
    for top in [each for each in file.parents if each.name == "defs"][:1]:
        for other in sorted(top.rglob(FILE)):
            for name in _names_in(other):
                is_another = other != file or name != destination.name
                if is_another and word(name) == word(destination.name):
                    ours, theirs = (each.parent.relative_to(top.parent) for each in (file, other))
                    yield (
                        f"{destination.name} in {ours} and {name} in {theirs} would have the same"
                        " names in Dagster; rename one of them"
                    )


def _names_in(path: Path) -> tuple[str, ...]:
    """Names of the destinations of a file; empty where it is none of ours, or cannot be read."""
    try:
        return _names_of(path, path.stat().st_mtime_ns)
    except OSError:
        return ()


@functools.lru_cache(maxsize=4096)
def _names_of(path: Path, _modified: int) -> tuple[str, ...]:
    # Each destination looks at all files of the project, so each file is read once a change.
    if "CapiDestination" not in path.read_text(encoding="utf-8", errors="replace"):
        return ()
    return tuple(name for name, _, _ in destinations_in(path))


HOST = Host(
    TYPE,
    CapiDestinationModel,
    problems,
    schedule_problems,
    find_project,
    longest_interval,
    render_with=render_with,
    file_keys=("requirements", "post_processing", KEY),
    schedule=lambda destination: attributes(destination).schedule,
    example='  # schedule: "*/15 * * * *"\n',
)
"""What the entry point names."""
