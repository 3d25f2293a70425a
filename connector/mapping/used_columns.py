"""Which columns of its source a destination can use."""

from __future__ import annotations

from connector.config.destination import Destination
from connector.platforms.columns import COLUMNS
from connector.platforms.declared import template_columns
from connector.platforms.expression import parse


def usable_columns(destination: Destination) -> list[str]:
    """Canonical columns that this destination can use, in canonical order; nothing else is read."""
    platform, model = destination.platform, destination.model
    used = {
        "event_name",
        "event_time",
        "event_id",
        "consent",
        "opt_out",
        "limited_data_use",
        *(name for name in platform.required if name in COLUMNS),
        *template_columns(platform.event),
    }
    used |= {
        name
        for rule in platform.required_when
        for name in (rule.column, *rule.need)
        if name in COLUMNS
    }
    used |= {
        name
        for text in (*platform.request.values(), *platform.fields.values())
        for name in parse(text).columns
    }
    for name in destination.identifiers:
        used |= platform.identifiers[name].columns
    used |= {"action_source"} if platform.windows.max_age_by else set()
    used |= (
        {platform.event_id.user_id}
        if platform.event_id.recipe == "user_id_and_timestamp"
        else set()
    )
    used |= {"currency"} if "value" in used else set()
    used |= {"country"} if "postal_code" in used else set()
    used -= set(model.constants)
    return [name for name in COLUMNS if name in used]
