"""Keys of a destination's YAML that are for Dagster, and Dagster's rules for the rest of it.

The connector finds this module by its entry point. `capi` reads it too, so Dagster is imported only
where its own validation is asked for.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from connector.config.destination import Destination
from connector.config.host import Host, Inconsistency
from connector.config.models import DestinationModel, OptionalSection, Section
from connector.syntax.units import Duration, Period

TYPE = "dagster_project.components.CapiDestination"

CRON = r"^(@[a-z]+|[-0-9A-Za-z*,/]+( [-0-9A-Za-z*,/]+){4})$"
"""The form of a schedule; whether it ever comes due is for Dagster to say."""


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


class Asset(Section):
    """How the asset looks."""

    owners: list[Owner] = Field([], description="people and teams, as Dagster shows them")
    tags: dict[TagKey, TagValue] = Field({}, description="tags of the asset")
    group: str | None = Field(None, pattern=r"^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$")
    description: str | None = None
    freshness: OptionalSection[Freshness] = None


class CapiDestinationModel(DestinationModel):
    """The attributes of a `CapiDestination`."""

    schedule: Cron | None = Field(None, description="cron expression")
    poll: Period | None = Field(
        None, description="look for new rows this often, for near-real-time delivery"
    )
    asset: Asset = Asset()


def attributes(destination: Destination) -> CapiDestinationModel:
    """What the YAML of a destination says, with the keys of this module."""
    model = destination.model
    assert isinstance(model, CapiDestinationModel)
    return model


def word(text: str) -> str:
    """A text as Dagster allows it for names of ops, jobs, schedules, sensors and groups."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def problems(destination: Destination) -> Iterator[Inconsistency]:
    """Yields what is wrong with a destination for Dagster, as far as it can be told without it."""
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
    for message in _namesakes(destination.file):
        yield (), message


def schedule_problems(destination: Destination) -> Iterator[Inconsistency]:
    """Yields what Dagster itself says of the schedule."""
    cron = attributes(destination).schedule
    if cron is None:
        return
    import dagster as dg  # late: it takes longer than everything else that `capi check` does

    try:
        dg.ScheduleDefinition(name="schedule", job_name="job", cron_schedule=cron)
    except dg.DagsterInvalidDefinitionError:
        yield (
            ("schedule",),
            f"schedule: '{cron}' is no cron expression of five fields that ever comes due",
        )


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


def _namesakes(path: Path | None) -> Iterator[str]:
    """Yields a sentence for each other destination below the same `defs` with the same name here.

    `a-b` and `a_b` are one name: those of schedules, sensors and jobs have underscores alone.

    Args:
        path: The destination's defs.yaml.
    """
    if path is None or path.name != "defs.yaml":
        return
    folder = path.resolve().parent
    for top in [each for each in folder.parents if each.name == "defs"][:1]:
        for other in sorted(top.rglob("defs.yaml")):
            if (
                other.parent != folder
                and word(other.parent.name) == word(folder.name)
                and _is_destination(other)
            ):
                ours, theirs = (each.relative_to(top.parent) for each in (folder, other.parent))
                yield (
                    f"the folders {ours} and {theirs} would have the same names in Dagster; rename"
                    " one of them"
                )


def _is_destination(path: Path) -> bool:
    try:
        return "CapiDestination" in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


HOST = Host(TYPE, CapiDestinationModel, problems, schedule_problems)
"""What the entry point names."""
