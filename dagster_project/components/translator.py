"""What a destination is called in Dagster, and how its asset looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from connector.config.destination import Destination
from dagster_project.model import attributes, cron_of, word


def asset_key(destination: Destination) -> dg.AssetKey:
    """What `asset.key` says, or `[<platform>, <destination>]`."""
    key = attributes(destination).asset.key
    if key is not None:
        return dg.AssetKey.from_user_string(key)
    return dg.AssetKey([destination.platform_name, destination.name])


def name_of(destination: Destination) -> str:
    """The destination's name, as ops, jobs, schedules and sensors may be called."""
    return word(destination.name)


def source_key(destination: Destination) -> dg.AssetKey:
    """What the query reads, as an external asset: `[warehouse, <name of the query's file>]`."""
    return dg.AssetKey(["warehouse", word(Path(destination.model.source.query).stem)])


def with_source(spec: dg.AssetSpec, destination: Destination) -> dg.AssetSpec:
    """The asset below its warehouse table, where nothing else is named upstream.

    One that runs by a condition stays as it is: a condition asks whether upstream assets changed,
    and of this one nobody but the destination's own runs would know.
    """
    if spec.automation_condition is not None or list(spec.deps):
        return spec
    return spec.replace_attributes(deps=[source_key(destination)])


def asset_spec(destination: Destination) -> dg.AssetSpec:
    """The asset as `asset:` of the YAML describes it."""
    looks = attributes(destination).asset
    fresh = looks.freshness
    return dg.AssetSpec(
        asset_key(destination),
        deps=[dg.AssetKey.from_user_string(key) for key in looks.deps],
        automation_condition=condition_of(looks.automation_condition),
        code_version=looks.code_version,
        description=looks.description or f"Conversions delivered to {destination.platform.title}.",
        group_name=looks.group or word(destination.platform_name),
        owners=looks.owners,
        tags=looks.tags,
        kinds={"python", word(destination.platform_name)},
        metadata={
            "platform": destination.platform.title,
            "query": str(destination.model.source.query),
        },
        freshness_policy=None
        if fresh is None
        else dg.FreshnessPolicy.time_window(
            fail_window=fresh.fail_after, warn_window=fresh.warn_after
        ),
    )


def condition_of(text: str | None) -> dg.AutomationCondition[Any] | None:
    """What `asset.automation_condition` names."""
    if text is None:
        return None
    cron = cron_of(text)
    if cron is not None:
        return dg.AutomationCondition.on_cron(cron)
    if text == "any_deps_updated":
        updated = dg.AutomationCondition.any_deps_updated().since_last_handled()
        return updated & ~dg.AutomationCondition.in_progress()
    return {
        "eager": dg.AutomationCondition.eager,
        "on_missing": dg.AutomationCondition.on_missing,
    }[text]()
