"""A project folder as a user has it: a query, destinations, secrets, state."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import yaml

from connector.config.destination import Destination
from connector.config.loader import load
from tests.support import commands

REPOSITORY = Path(__file__).parents[2]
TOKEN = "sandbox-token"
QUERY = "select * from conversions"


class Project:
    """A folder with `sql/` and `dagster_project/defs/`, and a home of its own for state."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sql").mkdir(parents=True)
        (root / "dagster_project" / "defs").mkdir(parents=True)
        self.query(QUERY)

    def query(self, sql: str, name: str = "conversions") -> None:
        """Write `sql/<name>.sql`."""
        (self.root / "sql" / f"{name}.sql").write_text(sql, encoding="utf-8")

    def path(self, name: str = "acme") -> Path:
        """Where a destination's YAML is."""
        return self.root / "dagster_project" / "defs" / name / "defs.yaml"

    def write(self, warehouse: str, endpoint: str, name: str = "acme", **changes: Any) -> Path:
        """Write a destination. changes: attributes; `source__lag="0s"` reaches inside."""
        attributes: dict[str, Any] = {
            "platform": "capi",
            "endpoint": endpoint,
            "account": {"advertiser_id": 12, "data_source_key": "abc123def456"},
            "auth": {"bearer": "env:ACME_TOKEN"},
            "source": {
                "warehouse": warehouse,
                "query": "sql/conversions.sql",
                "cursor": "updated_at",
                "key": "conversion_id",
                "start": "all",
                "time_zone": "UTC",
            },
        }
        for key, value in changes.items():
            *parents, last = key.split("__")
            target = attributes
            for parent in parents:
                target = target.setdefault(parent, {})
            if value is None:
                target.pop(last, None)
            else:
                target[last] = value
        return self.write_text(
            yaml.safe_dump(
                {"type": "dagster_project.components.CapiDestination", "attributes": attributes},
                sort_keys=False,
            ),
            name,
        )

    def write_text(self, text: str, name: str = "acme") -> Path:
        """Write a destination's YAML as it is."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, name: str = "acme") -> Destination:
        """Read a destination."""
        return load(self.path(name), self.root)

    def capi(self, *arguments: str, check: bool = False, **environment: str) -> Finished:
        """Run the command line in a process of its own, which begins with all that it imports."""
        given = {**os.environ, **environment}
        job = commands.launcher().start(
            "capi", *arguments, cwd=self.root, environment=given, alone=True
        )
        code = job.wait()
        finished = Finished(
            code, job.out.read_text(encoding="utf-8"), job.err.read_text(encoding="utf-8")
        )
        assert not check or finished.code == 0, finished
        return finished

    def capi_anew(self, *arguments: str, check: bool = False, **environment: str) -> Finished:
        """As `capi`, in a new interpreter, where it matters what is imported and when."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        finished = Finished(process.returncode, out.decode(), err.decode())
        assert not check or finished.code == 0, finished
        return finished

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start the command line and go on."""
        return subprocess.Popen(
            [sys.executable, "-c", "from connector.cli.app import main; main()", *arguments],
            cwd=self.root,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def checkout(folder: Path, destinations: Path | None = None) -> Path:
    """This project as a clone has it.

    destinations: what to have under `defs/` in place of the demo's.
    """
    for name in ("connector", "dagster_project", "sql", "pyproject.toml"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copyfile
        folder.mkdir(parents=True, exist_ok=True)
        copy(REPOSITORY / name, folder / name)
    if destinations is not None:
        shutil.rmtree(folder / "dagster_project" / "defs")
        shutil.copytree(destinations, folder / "dagster_project" / "defs")
    return folder


class Finished:
    """What a command left. code: its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"

    def json(self) -> Any:
        """Its one JSON document."""
        return orjson.loads(self.out)

    def lines(self) -> list[Any]:
        """Its JSON Lines."""
        return [orjson.loads(line) for line in self.out.splitlines()]
