"""A project of drt-core, and the command that runs it.

What was chosen, and why:

- Its own `meta_conversions` destination, because its documentation says to use the specific
  destination where there is one: it normalises, hashes, and sends at most 1,000 events a request.
  (`rest_api` with `body_mode: batch` and a template was measured to be as fast, within a tenth.)
- `batch_size: 1000` in place of its default of 100, so that a request holds what Meta allows.
- `mode: incremental` with a cursor and its local state, which is how it is run on a schedule.
- `rate_limit`: its default of 10 requests a second is 10,000 rows a second at most. Both are run,
  the default (where it is reached) and no pacing.
- Its address of Meta is a constant in its code, so `drt_meta.py` sets that before it starts drt.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.processes import Command

HERE = Path(__file__).parent
UNPACED = "rate_limit: {requests_per_second: 0}"

SYNC = """\
name: meta
model: ref('conversions')
destination:
  type: meta_conversions
  pixel_id: "123456789012345"
  access_token_env: META_TOKEN
  action_source: website
  event_name_field: event_name
  event_time_field: event_time
  event_id_field: conversion_id
  event_source_url_field: event_source_url
  email_field: email
  phone_field: phone
  client_user_agent_field: user_agent
  value_field: value
sync:
  mode: incremental
  cursor_field: updated_at
  batch_size: 1000
"""


def drt(python: Path, *, paced: bool) -> Contender:
    """drt-core. paced: with its default limit of requests a second."""

    def prepare(root: Path, warehouse: Path, url: str) -> Command:
        profile = f"default:\n  type: duckdb\n  database: {warehouse}\n"
        _write(root / "home" / ".drt" / "profiles.yml", profile)
        _write(root / "drt_project.yml", "name: bench\nprofile: default\n")
        _write(root / "syncs" / "meta.yml", SYNC if paced else f"{SYNC}  {UNPACED}\n")
        models = root / "syncs" / "models"
        models.mkdir()
        shutil.copy(HERE / "query.sql", models / "conversions.sql")
        command = (str(python), str(HERE / "drt_meta.py"), url, "run", "--select", "meta")
        environment = {
            "HOME": str(root / "home"),
            "META_TOKEN": "token",
            "DO_NOT_TRACK": "1",
        }
        return Command(command, root, environment)

    pacing = "its default rate_limit" if paced else UNPACED
    return Contender("drt-core 1.2.1", f"meta_conversions, batch_size: 1000, {pacing}", prepare)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
