"""`CAPI_EXECUTOR`: where the steps of a run are executed, for all jobs of a code location.

    CAPI_EXECUTOR=in_process
    CAPI_EXECUTOR='multiprocess: {max_concurrent: 4}'
    CAPI_EXECUTOR='celery: {broker: redis://broker/0, backend: redis://broker/0}'
    CAPI_EXECUTOR=mycompany.dagster:executor

Without it, the executor is what the project's own definitions say.
"""

import functools
import importlib
import os

import dagster as dg
import yaml

from connector.config.destination import Destination
from connector.errors import ConfigError
from connector.state.store import state_url
from connector.syntax.spelling import suggest

SETTING = "CAPI_EXECUTOR"

PLACES = {
    "in_process": "dagster:in_process_executor",
    "multiprocess": "dagster:multiprocess_executor",
    "celery": "dagster_celery:celery_executor",
    "celery_docker": "dagster_celery_docker:celery_docker_executor",
    "celery_k8s": "dagster_celery_k8s:celery_k8s_job_executor",
    "docker": "dagster_docker:docker_executor",
    "k8s": "dagster_k8s:k8s_job_executor",
    "dask": "dagster_dask:dask_executor",
}
"""Name -> module and attribute of the executor."""

ON_THIS_MACHINE = (
    "in_process",
    "multiprocess",
    "multi_or_in_process_executor",
    "execute_in_process_executor",
)
"""Names of executors whose steps all see the same files; the last one is `dg.materialize`."""


def chosen_executor() -> dg.ExecutorDefinition | None:
    """What the setting says; None where it is not set.

    Raises:
        DagsterInvalidDefinitionError: It names no executor, or one whose package is missing.
    """
    text = os.environ.get(SETTING, "").strip()
    return _executor(text) if text else None


@functools.cache
def _executor(text: str) -> dg.ExecutorDefinition:
    """One object for all destinations, or Dagster would say that they have different ones."""
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError:
        parsed = None
    if isinstance(parsed, str):
        name, config = parsed, None
    elif isinstance(parsed, dict) and len(parsed) == 1:
        [(name, config)] = parsed.items()
    else:
        # Not shown: a broker's address may hold a password.
        raise dg.DagsterInvalidDefinitionError(
            f"{SETTING} is the name of an executor ({', '.join(PLACES)}), or a name with its"
            " configuration, such as 'multiprocess: {max_concurrent: 4}'"
        )
    found = _imported(str(name))
    return found if config is None else found.configured(config)


def _imported(name: str) -> dg.ExecutorDefinition:
    place = PLACES.get(name, name)
    module, _, attribute = place.partition(":")
    if not attribute:
        raise dg.DagsterInvalidDefinitionError(
            f"{SETTING}: there is no executor '{name}'{suggest(name, PLACES)}; the names are"
            f" {', '.join(PLACES)}, and package.module:attribute for any other one"
        )
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        package = module.partition(".")[0].replace("_", "-")
        message = f"{SETTING}: {name} needs the package {package} ({type(error).__name__})"
    else:
        if isinstance(found, dg.ExecutorDefinition):
            return found
        message = f"{SETTING}: {place} is no executor of Dagster"
    raise dg.DagsterInvalidDefinitionError(message)


def refuse_local_state(destination: Destination, executor: str, state: str | None) -> None:
    """Refuse to record in a file of this machine what other machines do.

    Args:
        destination: Whose run it is.
        executor: Name of the executor that runs its steps.
        state: URL of the state; None: the default.

    Raises:
        ConfigError: Each machine would have a state of its own.
    """
    url = state_url(destination.root, state)
    if executor not in ON_THIS_MACHINE and url.get_backend_name() == "sqlite":
        raise ConfigError(
            f"{destination.name}: the executor {executor} may run the steps of a run on several"
            " machines, and the state is a SQLite file, of which each would have its own: steps"
            " would know nothing of each other, and rows would be sent twice. Set CAPI_STATE_URL to"
            f" a PostgreSQL that all of them reach, or {SETTING} to in_process or multiprocess"
        )
