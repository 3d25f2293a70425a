"""One `defs.yaml` gives an asset with its checks, a schedule, sensors and a job."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from connector.commands.check import check
from connector.errors import DestinationError
from connector.platforms import loader as platforms
from tests.conftest import Make
from tests.dagster_project.test_automation import begin_run
from tests.support.dagster import CHECKS, load_definitions
from tests.support.projects import Project

KEY = dg.AssetKey(["capi", "acme"])
TABLE = dg.AssetKey(["warehouse", "conversions"])
"""What the query reads, as an external asset."""


def asset_of(definitions: dg.Definitions, key: dg.AssetKey = KEY) -> dg.AssetSpec:
    [spec] = [each for each in definitions.resolve_all_asset_specs() if each.key == key]
    return spec


def test_the_asset_is_named_after_platform_and_destination(duck_destination: Make) -> None:
    assert {
        spec.key for spec in load_definitions(duck_destination()).resolve_all_asset_specs()
    } == {KEY, TABLE}


def test_the_asset_looks_as_its_yaml_says(duck_destination: Make) -> None:
    looks = {
        "owners": ["team:growth", "ada@example.org"],
        "tags": {"tier": "gold"},
        "group": "ads",
        "description": "All orders.",
        "freshness": {"fail_after": "2h", "warn_after": "90m"},
    }
    asset = asset_of(load_definitions(duck_destination(asset=looks)))
    assert (list(asset.owners), asset.group_name, asset.description) == (
        ["team:growth", "ada@example.org"],
        "ads",
        "All orders.",
    )
    assert asset.tags["tier"] == "gold"
    assert asset.kinds == {"python", "capi"}
    policy = asset.freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(
        fail_window=dt.timedelta(hours=2), warn_window=dt.timedelta(minutes=90)
    )


def test_without_an_asset_section_the_asset_still_says_what_it_is(duck_destination: Make) -> None:
    asset = asset_of(load_definitions(duck_destination()))
    assert (asset.group_name, asset.description) == (
        "capi",
        "Conversions delivered to Base Conversions API.",
    )
    assert (list(asset.owners), asset.freshness_policy) == ([], None)
    assert asset.metadata["query"] == "sql/conversions.sql"


def test_the_asset_has_its_five_checks_and_each_says_what_it_looks_at(
    duck_destination: Make,
) -> None:
    asset = load_definitions(duck_destination()).resolve_assets_def(KEY)
    assert {spec.name for spec in asset.check_specs} == CHECKS
    assert all(spec.description and spec.asset_key == KEY for spec in asset.check_specs)


def test_slices_are_delivered_in_a_concurrency_pool_of_the_destination(
    duck_destination: Make,
) -> None:
    assert load_definitions(duck_destination()).resolve_asset_graph().get(KEY).pools == {
        "capi/acme"
    }


@pytest.mark.parametrize("cron", ["*/15 * * * *", "@hourly"])
def test_the_schedule_of_the_yaml_runs_from_the_first_start_on(
    duck_destination: Make, lasting_instance: dg.DagsterInstance, cron: str
) -> None:
    definitions = load_definitions(duck_destination(schedule=cron))
    schedule = definitions.resolve_schedule_def("acme_schedule")
    assert (schedule.cron_schedule, schedule.default_status) == (
        cron,
        dg.DefaultScheduleStatus.RUNNING,
    )
    repository = definitions.get_repository_def()
    tick = schedule.evaluate_tick(
        dg.build_schedule_context(
            lasting_instance,
            repository_def=repository,
            scheduled_execution_time=dt.datetime.now(dt.UTC),
        )
    )
    assert len(tick.run_requests or []) == 1
    begin_run(duck_destination(schedule=cron), lasting_instance, {}, dg.DagsterRunStatus.STARTED)
    tick = schedule.evaluate_tick(
        dg.build_schedule_context(
            lasting_instance,
            repository_def=repository,
            scheduled_execution_time=dt.datetime.now(dt.UTC),
        )
    )
    assert (tick.run_requests, tick.skip_message) == ([], "a run is still in progress")
    assert repository.get_job(schedule.job_name).asset_layer.executable_asset_keys == {KEY}


def test_where_the_yaml_asks_for_nothing_the_weekly_report_alone_runs_by_itself(
    duck_destination: Make,
) -> None:
    definitions = load_definitions(duck_destination())
    assert not definitions.sensors
    [weekly] = definitions.schedules or []
    assert isinstance(weekly, dg.ScheduleDefinition)
    assert (weekly.name, weekly.job_name, weekly.default_status) == (
        "acme_reconcile_weekly",
        "acme_reconcile",
        dg.DefaultScheduleStatus.RUNNING,
    )
    assert weekly.cron_schedule == "0 4 * * 0"


def test_polling_and_alerts_are_sensors_that_run_from_the_first_start_on(
    duck_destination: Make,
) -> None:
    definitions = load_definitions(
        duck_destination(poll="30s", alerts={"webhook": "env:SLACK_WEBHOOK"})
    )
    poll, alerts = (definitions.resolve_sensor_def(name) for name in ("acme_poll", "acme_alerts"))
    assert poll.minimum_interval_seconds == 30
    assert {poll.default_status, alerts.default_status} == {dg.DefaultSensorStatus.RUNNING}
    assert definitions.get_repository_def().get_job(
        poll.job_name
    ).asset_layer.executable_asset_keys == {KEY}


def test_two_destinations_share_a_project(project: Project, duck_destination: Make) -> None:
    first = duck_destination(schedule="@hourly", poll="1m")
    project.write(
        "env:WAREHOUSE_URL",
        "https://px.dsp.example/conversion",
        "other",
        schedule="@daily",
        poll="1m",
    )
    both = dg.Definitions.merge(load_definitions(first), load_definitions(project.load("other")))
    assert set(both.resolve_all_asset_keys()) == {
        KEY,
        dg.AssetKey(["capi", "other"]),
        TABLE,
    }
    dg.Definitions.validate_loadable(both)


def test_a_platform_file_of_the_users_own_names_the_first_part_of_the_key(
    project: Project, duck_destination: Make
) -> None:
    (project.root / "house_dsp.yaml").write_bytes((platforms.FOLDER / "capi.yaml").read_bytes())
    asset = asset_of(
        load_definitions(duck_destination(platform="house_dsp.yaml")),
        dg.AssetKey(["house_dsp", "acme"]),
    )
    assert (asset.group_name, asset.kinds) == ("house_dsp", {"python", "house_dsp"})


def test_a_destination_may_have_a_dash_in_its_name(project: Project) -> None:
    """`capi sync acme-dsp` works, so Dagster must show it too."""
    project.write(
        "duckdb:///warehouse.duckdb",
        "https://px.dsp.example/conversion",
        "acme-dsp",
        schedule="@hourly",
        poll="1m",
    )
    definitions = load_definitions(project.load("acme-dsp"))
    assert asset_of(definitions, dg.AssetKey(["capi", "acme-dsp"])).group_name == "capi"


def test_the_asset_says_what_it_depends_on_and_when_that_makes_it_run(
    duck_destination: Make,
) -> None:
    """Lineage from a model upstream, a key of one's own, and the version of the query."""
    options = {
        "key": "marketing/acme_conversions",
        "deps": ["shop/orders", "customers"],
        "automation_condition": "eager",
        "code_version": "7",
    }
    definitions = load_definitions(duck_destination(asset=options))
    key = dg.AssetKey(["marketing", "acme_conversions"])
    node = definitions.resolve_asset_graph().get(key)
    assert node.parent_keys == {dg.AssetKey(["shop", "orders"]), dg.AssetKey("customers")}
    assert (node.code_version, node.automation_condition) == ("7", dg.AutomationCondition.eager())
    assert {each.asset_key for each in node.check_keys} == {key}
    sensor = definitions.resolve_sensor_def("acme_automation")
    assert isinstance(sensor, dg.AutomationConditionSensorDefinition)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.asset_selection.resolve(definitions.resolve_asset_graph()) == {key}


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("on_missing", dg.AutomationCondition.on_missing()),
        ("on_cron(@daily)", dg.AutomationCondition.on_cron("@daily")),
        ("on_cron(0 4 * * *)", dg.AutomationCondition.on_cron("0 4 * * *")),
        ("on_cron('0 4 * * *')", dg.AutomationCondition.on_cron("0 4 * * *")),
    ],
)
def test_a_condition_is_the_one_that_dagster_calls_so(
    duck_destination: Make, text: str, condition: dg.AutomationCondition[dg.AssetKey]
) -> None:
    asset = asset_of(load_definitions(duck_destination(asset={"automation_condition": text})))
    assert asset.automation_condition == condition


@pytest.mark.parametrize(
    "wrong",
    [
        {"automation_condition": "eagr"},
        {"automation_condition": "on_cron()"},
        {"automation_condition": "on_cron(often)"},
        {"deps": ["shop orders"]},
        {"deps": ["/orders"]},
        {"key": ""},
    ],
)
def test_an_option_of_the_asset_that_dagster_would_not_know_is_refused(
    project: Project, duck_destination: Make, wrong: dict[str, object]
) -> None:
    with pytest.raises(DestinationError, match=f"asset.{next(iter(wrong))}"):
        duck_destination(asset=wrong)


def test_an_on_cron_that_never_comes_due_is_found_by_check(duck_destination: Make) -> None:
    made = duck_destination(asset={"automation_condition": "on_cron(0 0 30 2 *)"})
    (problem,) = [each for each in check(made).errors if "cron" in each.message]
    assert problem.message.startswith("asset.automation_condition: '0 0 30 2 *' is no cron")
