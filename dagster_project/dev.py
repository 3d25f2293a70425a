"""`make dev`: the Dagster UI on the demo, with its receiver and its schedules running."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from connector.errors import ConnectorError
from connector.sandbox.server import Settings, running
from dagster_project.demo import ROOT, build_warehouse, port, prepare

UI_PORT = os.environ.get("DAGSTER_PORT", "3000")
"""Where the UI is; `make dev DAGSTER_PORT=3001` where that port is taken."""


def main() -> int:
    """Run until interrupted."""
    token = prepare()
    build_warehouse()
    try:
        with running(Settings(port=port(), token=token)) as receiver:
            sys.stdout.write(f"receiver: {receiver.url}\nDagster:  http://127.0.0.1:{UI_PORT}\n")
            sys.stdout.flush()
            command = [
                sys.executable,
                "-m",
                "dagster",
                "dev",
                "-m",
                "dagster_project.definitions",
                "-h",
                "127.0.0.1",
                "-p",
                UI_PORT,
            ]
            with contextlib.suppress(KeyboardInterrupt):
                return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603  our own interpreter
            return 0
    except ConnectorError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
