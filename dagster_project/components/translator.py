"""What a destination is called in Dagster, and how its asset looks."""

from __future__ import annotations

import dagster as dg

from connector.config.destination import Destination
from dagster_project.model import attributes, word


def asset_key(destination: Destination) -> dg.AssetKey:
    """`[<platform>, <destination>]`."""
    return dg.AssetKey([destination.platform_name, destination.name])


def name_of(destination: Destination) -> str:
    """The destination's name, as ops, jobs, schedules and sensors may be called."""
    return word(destination.name)


def node_name(destination: Destination) -> str:
    """The name of the asset's graph, which run configuration is keyed by."""
    return word(f"{destination.platform_name}__{destination.name}")


def asset_spec(destination: Destination) -> dg.AssetSpec:
    """The asset as `asset:` of the YAML describes it."""
    looks = attributes(destination).asset
    fresh = looks.freshness
    return dg.AssetSpec(
        asset_key(destination),
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
