"""When a destination runs: its schedule, its polling sensor, its weekly reconciliation; alerts."""

import time
from typing import NamedTuple

import dagster as dg

from connector.commands.alert import ToldAlert, tell, tell_lost_state
from connector.config.destination import Destination
from connector.engine.backlog import LOOK_BACK_SECONDS, anything_waits, run_at_work
from connector.errors import ConnectorError, StateError
from dagster_project.components.translator import name_of
from dagster_project.model import attributes
from dagster_project.resources import CapiResource

IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


KNOWN, LOST = "known", "lost"
"""Whether the state of a destination was there when alerts were last looked for."""


class Reconcile(NamedTuple):
    """The job that looks for rows without a record, and its schedule."""

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


def build_reconcile(destination: Destination, key: dg.AssetKey) -> Reconcile:
    """A job over the whole age window."""
    name, settings = f"{name_of(destination)}_reconcile", attributes(destination).reconcile

    @dg.op(
        name=f"{name}_op",
        config_schema={
            "send": dg.Field(
                bool, default_value=settings.send, description="deliver what is missing"
            )
        },
    )
    def compare(context: dg.OpExecutionContext, capi: CapiResource) -> None:
        """Compare every row behind the watermark with the ledger."""
        message = ""
        try:
            found = capi.reconcile(
                destination, send=context.op_config["send"], run_id=context.run_id
            )
            counts = {
                "rows": found.rows,
                "missing": found.missing,
                "sent": 0 if found.report is None else found.report.delivered,
            }
            context.add_output_metadata(counts)
            observed = {f"reconciled_{label}": number for label, number in counts.items()}
            context.log_event(dg.AssetObservation(asset_key=key, metadata=observed))
            if found.missing:
                context.log.warning(
                    f"{found.missing} of {found.rows} rows had no record"
                    + (
                        ""
                        if found.report is not None
                        else f"; `capi reconcile {destination.name} --send` delivers them"
                    )
                )
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
        description=f"Looks for rows of {destination.name} that have no record.",
    )
    def job() -> None:
        compare.alias("reconcile")()

    schedule = dg.ScheduleDefinition(
        name=f"{name}_weekly",
        job=job,
        cron_schedule=settings.schedule,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return Reconcile(job, schedule)


def build_preflight(destination: Destination) -> dg.JobDefinition:
    """A job that goes through the integration checklist; it fails where a step fails."""
    name = f"{name_of(destination)}_preflight"

    @dg.op(name=f"{name}_op")
    def look(context: dg.OpExecutionContext, capi: CapiResource) -> None:
        """Look at YAML, secrets, query, identifiers, TLS, token, a test conversion, retries."""
        found = capi.preflight(destination)
        columns = [dg.TableColumn(each) for each in ("step", "outcome", "detail", "remedy")]
        table = dg.MetadataValue.table(
            [
                dg.TableRecord(
                    {
                        "step": each.name,
                        "outcome": each.outcome.upper(),
                        "detail": each.detail,
                        "remedy": each.remedy,
                    }
                )
                for each in found
            ],
            dg.TableSchema(columns=columns),
        )
        failed = [each.name for each in found if each.outcome == "fail"]
        if failed:
            message = f"{destination.name}: {', '.join(failed)} failed"
            raise dg.Failure(message, metadata={"checklist": table}, allow_retries=False)
        context.add_output_metadata({"checklist": table})

    @dg.job(name=name, description=f"Goes through the integration checklist of {destination.name}.")
    def job() -> None:
        look.alias("preflight")()

    return job


def build_alerts(destination: Destination) -> dg.SensorDefinition | None:
    """`alerts: {webhook: env:SLACK}`: a message when something begins to be wrong, or is over."""
    if destination.model.alerts is None:
        return None

    @dg.sensor(
        name=f"{name_of(destination)}_alerts",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def tell_people(context: dg.SensorEvaluationContext, capi: CapiResource) -> dg.SkipReason:
        try:
            found, cause = _tell(capi, destination)
            if found is None and context.cursor == KNOWN:
                tell_lost_state(destination, cause)
            if found is not None and context.cursor == LOST:
                tell_lost_state(destination, "its state can be read again", over=True)
        except ConnectorError as error:
            return dg.SkipReason(str(error))
        if found is None and context.cursor is None:
            return dg.SkipReason("nothing has run yet")
        # What was told is kept in the state; that this is gone has to be remembered elsewhere.
        context.update_cursor(LOST if found is None else KNOWN)
        words = ", ".join(f"{each.kind}{' is over' if each.over else ''}" for each in found or ())
        return dg.SkipReason(f"reported: {words}" if words else "nothing changed")

    return tell_people


def _tell(capi: CapiResource, destination: Destination) -> tuple[list[ToldAlert] | None, str]:
    """Tell what changed; None where the state does not know the destination, and why."""
    try:
        with capi.session(destination) as session:
            if session.destination_id:
                return tell(session), ""
            return None, "the state knows nothing of it any more; restore the state database"
    except StateError as error:
        return None, str(error)
