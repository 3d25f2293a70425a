"""`make dev`: the Dagster UI on the demo, with its receiver and its schedules running."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from connector.errors import ConnectorError
from connector.sandbox.server import Settings, running
from dagster_project.demo import PORT, ROOT, build_warehouse, prepare

UI_PORT = 3000


def main() -> int:
    """Run until interrupted."""
    token = prepare()
    build_warehouse()
    try:
        with running(Settings(port=PORT, token=token)) as receiver:
            sys.stdout.write(f"receiver: {receiver.url}\nDagster:  http://127.0.0.1:{UI_PORT}\n")
            sys.stdout.flush()
            command = [sys.executable, "-m", "dagster", "dev", "-m", "dagster_project.definitions", "-h", "127.0.0.1", "-p", str(UI_PORT)]
            with contextlib.suppress(KeyboardInterrupt):
                return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603  our own interpreter
            return 0
    except ConnectorError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
