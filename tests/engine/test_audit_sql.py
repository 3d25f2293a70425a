"""The SQL of docs/audit.md runs, on the files that a run wrote."""

from __future__ import annotations

import re
from typing import Any

import duckdb

from connector.commands.replay import replay
from connector.commands.sync import sync
from tests.conftest import Make
from tests.support.projects import REPOSITORY, Project
from tests.support.warehouses import DuckDb, conversion

PAGE = (REPOSITORY / "docs" / "audit.md").read_text(encoding="utf-8")


def models() -> dict[str, str]:
    """Name -> SQL of each model of the page."""
    return dict(re.findall(r"`models/(\w+)\.sql`.*?```sql\n(.*?)```", PAGE, re.DOTALL))


def test_every_model_of_the_page_gives_what_it_says(
    project: Project, duck: DuckDb, duck_destination: Make
) -> None:
    duck.insert(conversion(1), conversion(2, email=None), conversion(3, email=None))
    made = duck_destination(audit={"path": "audit"})
    sync(made)
    duck.execute(
        "update conversions set email = 'a@shop.example.org' where conversion_id = 'c000002'"
    )
    replay(made)
    duck.insert(conversion(4))
    [view] = re.findall(r"^    (create view .*);$", PAGE, re.MULTILINE)
    connection = duckdb.connect(str(duck.path))
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(view.replace("audit/**", f"{project.root}/audit/**"))
    found: dict[str, list[dict[str, Any]]] = {}
    for name, sql in models().items():
        connection.execute(f"create view {name} as {sql}")
        found[name] = connection.sql(f"from {name}").arrow().read_all().to_pylist()
    fates = {row["key"]: row["state"] for row in found["capi_fates"]}
    assert fates == {"c000001": "delivered", "c000002": "delivered", "c000003": "rejected"}
    [day] = found["capi_delivery_rate_by_day"]
    assert (day["conversions"], day["delivered"], day["rejected"]) == (3, 2, 1)
    [error] = found["capi_errors_by_destination"]
    assert (error["reason"], error["conversions"]) == ("no_identity", 1)
    assert "capi lint-identifiers" in error["remedy"]
    [time] = found["capi_time_to_delivery"]
    assert 0 < time["median_seconds"] <= time["p95_seconds"]
    assert [row["conversion_id"] for row in found["capi_undelivered"]] == ["c000004"]
