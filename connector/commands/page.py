"""The sheet of all destinations as one HTML page that asks nothing of anybody.

Charts are SVG that pygal draws; each stands above the table of its numbers, so nothing depends on
colour, or on seeing the chart at all.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pygal
from markupsafe import Markup
from pygal.style import Style

from connector.commands.report import ReportLine
from connector.commands.sheet import DAYS, MatchLine, Sheet, sheets
from connector.state.clock import utc_now

_SCRIPT = re.compile(r"<script.*?</script>", re.DOTALL)
"""pygal writes its settings into the picture, for a script that is not there."""

_STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground="currentColor",
    foreground_strong="currentColor",
    foreground_subtle="currentColor",
    guide_stroke_color="currentColor",
    major_guide_stroke_color="currentColor",
    opacity="1",
    # From dark to light, so that they differ in grey as well.
    colors=("#1f4e79", "#d35400", "#7f9db9", "#c9d6e2"),
    font_family="system-ui, sans-serif",
    label_font_size=13,
    major_label_font_size=13,
    legend_font_size=14,
)

_DASHES = ("", "8, 4", "2, 4", "12, 4, 2, 4", "4, 8")
"""How lines differ."""

_STACK = ("delivered", "rejected", "not to be sent", "open")


def dashboard(folder: Path | None = None, *, since: dt.datetime | None = None) -> str:
    """All destinations of a project on one page of HTML; reads the key of every row since then.

    Args:
        folder: Any folder of the project; default: the working directory.
        since: From when on; default: 30 days ago.
    """
    now = utc_now()
    start = since or now - dt.timedelta(days=DAYS)
    return _render(sheets(folder, start), now, start)


def _render(found: Sequence[Sheet], made_at: dt.datetime, since: dt.datetime) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("connector.commands", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("dashboard.html").render(
        sheets=found,
        made_at=f"{made_at:%Y-%m-%d %H:%M} UTC",
        since=f"{since:%Y-%m-%d}",
        days_chart=_days_chart,
        matches_chart=_matches_chart,
        verdict=_verdict,
        number=lambda value: "" if value is None else f"{value:,}",
        span=_span,
    )


def _verdict(sheet: Sheet) -> str:
    """How a destination stands, in a word or two."""
    if sheet.status is None:
        return "cannot be read"
    last = sheet.status.runs[0] if sheet.status.runs else None
    if last is None:
        return "never ran"
    if last["status"] != "complete":
        return f"last run {last['status']}"
    if sheet.error or sheet.status.warning:
        return "look below"
    return "in order"


def _span(seconds: float | None) -> str:
    return "" if seconds is None else str(dt.timedelta(seconds=round(seconds)))


def _days_chart(days: Sequence[ReportLine]) -> Markup:
    """Rows by day, stacked up to the warehouse's own count."""
    chart = _chart(pygal.StackedBar, x_label_rotation=45)
    chart.x_labels = [line.group for line in days]
    values = [
        [line.delivered for line in days],
        [line.rejected for line in days],
        [line.expired + line.suppressed for line in days],
        [line.difference for line in days],
    ]
    for name, rows in zip(_STACK, values, strict=True):
        chart.add(name, rows)
    return _svg(chart, "rows by day, stacked up to the warehouse's count")


def _matches_chart(matches: Sequence[MatchLine]) -> Markup:
    """Share of rows with each identifier, by run."""
    chart = _chart(
        pygal.Line,
        range=(0, 100),
        x_label_rotation=45,
        show_minor_x_labels=False,
        x_labels_major_count=8,
    )
    chart.x_labels = [line.at.replace("T", " ").rstrip("Z") for line in matches]
    for place, name in enumerate(sorted({name for line in matches for name in line.shares})):
        chart.add(
            name,
            [_percent(line.shares.get(name)) for line in matches],
            stroke_style={"width": 2, "dasharray": _DASHES[place % len(_DASHES)]},
        )
    return _svg(chart, "percent of rows with each identifier, by run")


def _percent(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 1)


def _chart(kind: Any, **options: Any) -> Any:
    return kind(
        style=_STYLE,
        js=[],
        disable_xml_declaration=True,
        width=900,
        height=340,
        legend_at_bottom=True,
        legend_at_bottom_columns=4,
        **options,
    )


def _svg(chart: Any, title: str) -> Markup:
    """The picture, for people who see it and for those who do not."""
    drawn = _SCRIPT.sub("", chart.render(is_unicode=True))
    drawn = drawn.replace("<title>Pygal</title>", f"<title>{title}</title>", 1)
    return Markup(drawn.replace("<svg ", '<svg role="img" ', 1))  # noqa: S704  pygal escapes names
