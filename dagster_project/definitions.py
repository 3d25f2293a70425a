"""What Dagster loads of the demo: every destination under `defs/`.

Steps run in this process, if `CAPI_EXECUTOR` does not say otherwise.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """All definitions of this project."""
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    if loaded.executor is not None:
        return loaded
    return dg.Definitions.merge(loaded, dg.Definitions(executor=dg.in_process_executor))
