"""What DuckDB writes to disk while it sorts lies in a folder of ours,
encrypted, and does not stay.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from connector.model import Range
from connector.source import spill
from connector.source.dialects import duckdb as duckdb_dialect
from connector.source.reader import SourceReader
from tests.conftest import Make
from tests.support.warehouses import DuckDb

ROWS = 400_000
ADDRESS = b"@zzcanary.example"
SORT_KEY = bytes(byte + 1 for byte in ADDRESS)
"""DuckDB's sort keys hold text with each byte + 1."""

CUT = """
import os, sys
from pathlib import Path
from connector.config.loader import load
from connector.model import Range
from connector.source.dialects.duckdb import DIALECT
from connector.source.reader import SourceReader

def stop_in_the_middle(connection, fetch):
    connection.exec_driver_sql("SET memory_limit = '24MB'")
    connection.exec_driver_sql("SET threads = 1")
    raw = connection.connection.driver_connection
    held = raw.execute(
        "select email, row_number() over (order by email, updated_at) from conversions")
    held.fetchone()
    print("spilled", flush=True)
    sys.stdin.read()

DIALECT.in_little_memory = stop_in_the_middle
made = load(Path(sys.argv[1]), Path(sys.argv[2]))
SourceReader(made, ["email"]).slice_ends(Range(), 1000)
"""
"""Another process that sorts, and is stopped while its files are on disk."""


@pytest.fixture
def addresses(duck: DuckDb) -> DuckDb:
    """More addresses than fit into little memory."""
    duck.execute(
        "insert into conversions (conversion_id, updated_at, event_name, email)"
        " select 'k' || i, timestamptz '2026-01-01 00:00:00Z' + to_seconds(i % 777), 'Purchase',"
        f" 'person' || hash(i) || '{ADDRESS.decode()}' from range({ROWS}) made(i)"
    )
    return duck


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def traces(folder: Path, warehouse: DuckDb) -> list[str]:
    """Files with a piece of an address, as it is or as a sort key has it."""
    return [
        path.name
        for path in files(folder)
        if path != warehouse.path
        and any(piece in path.read_bytes() for piece in (ADDRESS[1:9], SORT_KEY[1:9]))
    ]


@pytest.fixture
def killed(duck_destination: Make, addresses: DuckDb) -> Path:
    """A process was killed while it sorted; its home."""
    made = duck_destination(source__key="email")
    assert made.file is not None
    command = [sys.executable, "-c", CUT, str(made.file), str(made.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"spilled\n"
        home = Path(os.environ["CAPI_HOME"])
        other.send_signal(signal.SIGKILL)
        other.wait(60)
    return home


def test_what_a_killed_process_leaves_is_closed_encrypted_and_removed_by_the_next(
    killed: Path, duck_destination: Make, addresses: DuckDb, tmp_path: Path
) -> None:
    left = files(killed / "spill")
    assert sum(path.stat().st_size for path in left) > 1_000_000, "it wrote rows to disk"
    assert stat.S_IMODE((killed / "spill").stat().st_mode) == 0o700
    assert traces(tmp_path, addresses) == []
    with closing(SourceReader(duck_destination(source__key="email"), ["email"])) as reader:
        assert reader.survey(None).waiting == ROWS
        assert not any(path.exists() for path in left)
    assert not (killed / "spill").exists()


def test_the_search_finds_what_lies_open(tmp_path: Path, duck: DuckDb) -> None:
    """So the test before can fail."""
    (tmp_path / "plain").write_bytes(b"x person1" + ADDRESS)
    (tmp_path / "key").write_bytes(b"x" + SORT_KEY)
    assert sorted(traces(tmp_path, duck)) == ["key", "plain"]


def test_nothing_is_written_beside_the_warehouse(
    duck_destination: Make, addresses: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_dialect, "_SORTED", "24MB")
    with closing(SourceReader(duck_destination(source__key="email"), ["email"])) as reader:
        ends = reader.slice_ends(Range(), 100_000)
        with reader.warehouse.transaction() as connection:
            place, encrypted = connection.exec_driver_sql(
                "select current_setting('temp_directory'), current_setting('temp_file_encryption')"
            ).one()
    assert len(ends) == 3
    assert (Path(place).parent, encrypted) == (Path(os.environ["CAPI_HOME"]) / "spill", True)
    assert [path.name for path in addresses.path.parent.glob(f"{addresses.path.name}*")] == [
        addresses.path.name
    ]


def test_warehouses_of_a_process_share_a_folder_that_goes_with_the_last(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first, second = spill.acquire(home), spill.acquire(home)
    assert first is not None
    assert first == second
    spill.release(first)
    assert first.is_dir()
    spill.release(first)
    assert not home.exists(), "it was made for this alone"


def test_the_folder_of_a_living_process_stays(tmp_path: Path) -> None:
    hold = (
        "import sys; from pathlib import Path; from connector.source import spill;"
        f"print(spill.acquire(Path({str(tmp_path)!r})), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        ours = spill.acquire(tmp_path)
        assert ours is not None
        assert ours != theirs
        assert theirs.is_dir()
        spill.release(ours)
        assert theirs.is_dir()
        other.kill()
        other.wait(60)
    again = spill.acquire(tmp_path)
    assert again is not None
    assert not theirs.exists()
    spill.release(again)


def test_where_no_folder_can_be_made_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    assert spill.acquire(tmp_path / "home") is None
