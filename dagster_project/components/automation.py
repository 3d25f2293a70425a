"""When a destination runs: its schedule, its polling sensor, its weekly reconciliation; alerts."""

import json
import time
from typing import NamedTuple

import dagster as dg

from connector.commands.alerts import Standing, post, standing
from connector.config.destination import Destination
from connector.engine.backlog import LOOK_BACK_SECONDS, anything_waits, run_at_work
from connector.errors import ConnectorError
from dagster_project.components.translator import name_of
from dagster_project.model import attributes
from dagster_project.resources import CapiResource

IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


class Reconcile(NamedTuple):
    """The job that looks for rows without a record, and its schedule, off until switched on."""

    job: dg.JobDefinition
    schedule: dg.ScheduleDefinition


def build_schedule(
    destination: Destination, asset: dg.AssetsDefinition
) -> dg.ScheduleDefinition | None:
    """`schedule: "*/15 * * * *"`: a run, unless another one is in progress."""
    cron = attributes(destination).schedule
    if cron is None:
        return None

    def run(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if _is_under_way(context, asset.key):
            return dg.SkipReason("a run is still in progress")
        return dg.RunRequest(tags={"capi/destination": destination.name})

    return dg.ScheduleDefinition(
        name=f"{name_of(destination)}_schedule",
        target=asset,
        cron_schedule=cron,
        execution_fn=run,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


def build_sensor(destination: Destination, key: dg.AssetKey) -> dg.SensorDefinition | None:
    """`poll: 30s`: a run as soon as rows wait, one at a time."""
    every = attributes(destination).poll
    if every is None:
        return None

    @dg.sensor(
        name=f"{name_of(destination)}_poll",
        target=dg.AssetSelection.assets(key),
        minimum_interval_seconds=max(1, int(every.total_seconds())),
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def poll(
        context: dg.SensorEvaluationContext, capi: CapiResource
    ) -> dg.SensorResult | dg.SkipReason:
        if _is_under_way(context, key):
            return dg.SkipReason("a run is still in progress")
        late = time.time() - float(context.cursor or 0) >= LOOK_BACK_SECONDS
        try:
            with capi.session(destination) as session:
                other = run_at_work(session)
                waits = other is None and anything_waits(session, late=late)
        except ConnectorError as error:
            return dg.SkipReason(str(error))
        if other is not None:
            return dg.SkipReason(f"run {other} is still at work")
        if late:
            context.update_cursor(str(time.time()))
        if not waits:
            return dg.SkipReason("no rows wait")
        return dg.SensorResult(
            run_requests=[dg.RunRequest(tags={"capi/destination": destination.name})]
        )

    return poll


def build_automation(destination: Destination, spec: dg.AssetSpec) -> dg.SensorDefinition | None:
    """`asset.automation_condition`: what evaluates it, on from the first start as a schedule is."""
    if spec.automation_condition is None:
        return None
    return dg.AutomationConditionSensorDefinition(
        name=f"{name_of(destination)}_automation",
        target=dg.AssetSelection.assets(spec.key),
        run_tags={"capi/destination": destination.name},
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def _is_under_way(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext, key: dg.AssetKey
) -> bool:
    """Whether a run that materializes an asset is in progress, whoever asked for it."""
    try:
        running = context.instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS))
    except dg.DagsterInvariantViolationError:  # a tick without an instance, as in a unit test
        return False
    jobs = (
        {job.name: job for job in context.repository_def.get_all_jobs()}
        if context.repository_def is not None
        else {}
    )
    for run in running:
        whole = jobs[run.job_name].asset_layer.executable_asset_keys if run.job_name in jobs else ()
        if key in (whole if run.asset_selection is None else run.asset_selection):
            return True
    return False


def build_reconcile(destination: Destination) -> Reconcile:
    """A job over the whole age window."""
    name = f"{name_of(destination)}_reconcile"

    @dg.op(
        name=f"{name}_op",
        config_schema={
            "send": dg.Field(bool, default_value=True, description="deliver what is missing")
        },
    )
    def compare(context: dg.OpExecutionContext, capi: CapiResource) -> None:
        """Compare every row behind the watermark with the ledger."""
        message = ""
        try:
            found = capi.reconcile(
                destination, send=context.op_config["send"], run_id=context.run_id
            )
            context.add_output_metadata(
                {
                    "rows": found.rows,
                    "missing": found.missing,
                    "sent": 0 if found.report is None else found.report.delivered,
                }
            )
            if found.missing:
                context.log.warning(f"{found.missing} of {found.rows} rows had no record")
            message = (
                found.report.failure.message
                if found.report is not None and found.report.failure is not None
                else ""
            )
        except ConnectorError as error:
            message = str(error)
        if message:
            raise dg.Failure(message, allow_retries=False)

    @dg.job(
        name=name,
        description=f"Looks for rows of {destination.name} that have no record, and delivers them.",
    )
    def job() -> None:
        compare.alias("reconcile")()

    return Reconcile(
        job, dg.ScheduleDefinition(name=f"{name}_weekly", job=job, cron_schedule="0 4 * * 0")
    )


def build_alerts(destination: Destination) -> dg.SensorDefinition | None:
    """`alerts: {webhook: env:SLACK}`: a message when a destination begins to fail or recovers."""
    alerts = destination.model.alerts
    if alerts is None:
        return None

    @dg.sensor(
        name=f"{name_of(destination)}_alerts",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def tell(context: dg.SensorEvaluationContext, capi: CapiResource) -> dg.SkipReason:
        before = Standing(**json.loads(context.cursor)) if context.cursor else None
        now = _standing(capi, destination, before)
        try:
            if (
                now is None
                or (before is not None and now.kind == before.kind)
                or (before is None and now.kind == "healthy")
            ):
                reason = "nothing changed"
            else:
                post(destination, now)
                reason = f"reported: {now.kind}"
        except ConnectorError as error:
            return dg.SkipReason(str(error))
        if now is not None:
            context.update_cursor(json.dumps(now._asdict()))
        return dg.SkipReason(reason)

    return tell


def _standing(
    capi: CapiResource, destination: Destination, before: Standing | None
) -> Standing | None:
    """How a destination stands.

    A state that cannot be read, or does not know the destination any more, is a failure of one that
    was seen before.
    """
    lost = None if before is None else Standing("failing", "none", 0, 0)
    try:
        with capi.session(destination) as session:
            return standing(session) or lost
    except ConnectorError:
        return lost
