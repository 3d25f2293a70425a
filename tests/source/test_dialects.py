"""A database is one file: nothing else asks which one it is,
and a new one is added by adding a file.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import registry

from connector.model import Range
from connector.source import dialects
from connector.source.dialects import dialect_of
from connector.source.dialects.base import RowReader
from connector.source.reader import SourceReader
from tests.support.projects import REPOSITORY, Project
from tests.support.warehouses import Sqlite, conversion

ABOVE = ("source", "engine", "commands", "cli")

TOY = """
from connector.source.dialects.sqlite import Sqlite

class Toy(Sqlite):
    title = "toy"

    def clock(self, connection):
        return super().clock(connection).replace(year=2222)

DIALECT = Toy()
"""


def test_only_a_dialect_asks_which_database_it_is() -> None:
    asking = re.compile(r"dialect\.name\b|get_backend_name\(\)\s*(==|in\b)|dialect\.driver\b")
    found = [
        str(path)
        for name in ABOVE
        for path in (REPOSITORY / "connector" / name).rglob("*.py")
        if "dialects" not in path.parts and asking.search(path.read_text(encoding="utf-8"))
    ]
    assert not found


@pytest.fixture
def sqlite(project: Project, tmp_path: Path) -> Sqlite:
    """A SQLite file with two conversions, which other dialects of SQLAlchemy can open."""
    warehouse = Sqlite(tmp_path)
    warehouse.create()
    warehouse.insert(conversion(1, order_id="a"), conversion(2, order_id="b"))
    return warehouse


def source_at(project: Project, url: str) -> SourceReader:
    project.write(url, "http://127.0.0.1:9/")
    return SourceReader(project.load(), ["order_id"])


def test_a_database_is_added_by_adding_a_file(
    project: Project, sqlite: Sqlite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register("toy", "sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite")
    folder = tmp_path / "more dialects"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(dialects, "__path__", [*dialects.__path__, str(folder)])
    with closing(source_at(project, f"toy:///{sqlite.path}")) as source:
        assert source.now().year == 2222
        assert [rows.table["order_id"].to_pylist() for rows in source.read(Range(), 9)] == [
            ["a", "b"]
        ]


def test_any_other_database_of_sqlalchemy_is_read_through_its_driver(
    project: Project, sqlite: Sqlite
) -> None:
    """SQLite once more, under a name that no file here has:
    times are text, so numbers order rows.
    """
    registry.register("other", "sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite")
    project.query("select c.*, substr(conversion_id, 2) + 0 as number from conversions c")
    project.write(f"other:///{sqlite.path}", "http://127.0.0.1:9/", source__cursor="number")
    with closing(SourceReader(project.load(), ["order_id"])) as source:
        assert type(source.warehouse.dialect.reader(source.warehouse.engine)) is RowReader
        pages = list(source.read(Range(), 1))
        assert [page.table["order_id"].to_pylist() for page in pages] == [["a"], ["b"]]
        assert source.survey(pages[0].mark(0)).waiting == 1
        assert source.slice_ends(Range(), 1) == [pages[0].mark(0)]


@pytest.mark.parametrize("backend", ["mysql", "snowflake", "bigquery", "redshift", "no_such"])
def test_a_backend_without_a_file_has_the_generic_dialect(backend: str) -> None:
    assert dialect_of(backend).title == "database"


def test_a_url_without_a_driver_means_psycopg() -> None:
    postgresql = dialect_of("postgres")
    url = postgresql.address(sa.make_url("postgres://h/d"), Path("/"))
    assert url.drivername == "postgresql+psycopg"
