"""The user's SQL inside ours: one statement,
and every sign in it means what it means in the database.
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.arrow.convert import to_frame
from connector.commands.check import check
from connector.commands.resolve import accept_changes
from connector.commands.status import status
from connector.commands.sync import sync
from connector.engine.plan import Options
from connector.errors import ConfigError, StateMismatch, WarehouseError
from connector.model import Range
from connector.source.sql_text import Raw, fingerprint, one_statement
from tests.conftest import Make
from tests.source.test_reader import opened
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, TestWarehouse, conversion

COLUMNS = "conversion_id, updated_at, event_name, email"


def taken(sql: str, *, backslashes: bool = False) -> str | None:
    """The statement; None where it is refused."""
    try:
        return one_statement(sql, "the query", backslashes=backslashes)
    except ConfigError:
        return None


@pytest.mark.parametrize(
    "query",
    [
        "select * from conversions;",
        "select * from conversions ; ;\n",
        ";select * from conversions",
        "select * from conversions -- the end",
        "select * from conversions; -- the end",
        "select * from conversions /* the end */ ;",
        "-- what it's for; really\nselect * from conversions",
        "/* don't; (count */ select * from conversions",
        "with recent as (select * from conversions) select * from recent",
        "select * from conversions order by updated_at desc",
        (
            "select * from conversions where event_name <> ';' and event_name <> '(' and "
            "event_name <> ')' and event_name <> '--'"
        ),
    ],
)
def test_a_statement_may_end_as_people_end_it(
    project: Project, destination: Make, warehouse: TestWarehouse, query: str
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    project.query(query)
    assert sync(destination(), options=Options(dry_run=True)).rows_read == 2


TEMPLATES = [
    "select * from {{ ref('orders') }}",
    "select *\nfrom {{source('shop', 'orders')}}",
    "select * from conversions\n{% if is_incremental() %} where 1 = 1 {% endif %}",
    "select * from conversions where updated_at > '{{ ds }}'",
    "select * from conversions where updated_at > '{{ var(\"start\") }}'",
    'select * from "{{ target.schema }}"."conversions"',
]


@pytest.mark.parametrize("query", TEMPLATES)
def test_a_template_that_nobody_fills_in_is_told_by_check(
    project: Project, duck_destination: Make, duck: DuckDb, query: str
) -> None:
    project.query(query)
    (problem,) = check(duck_destination()).errors
    line = 2 if "\n" in query else 1
    assert f"has a template in line {line} (" in problem.message
    assert "target/compiled" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "select '{{1,2},{3,4}}'::int[]",
        "select '{{a,b}}'",
        "select * from c where x like '{%' or x like '%}'",
        "select {'a': {'b': 1}}",
        """select '{"a": {"b": 1}}'""",
        "select 1 -- {{ ref('orders') }}",
    ],
)
def test_braces_that_are_no_template_stay(text: str) -> None:
    assert taken(text) == text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select * from conversions; select * from conversions", "holds more than one statement"),
        ("select * from conversions; delete from conversions", "holds more than one statement"),
        (
            (
                "select * from conversions) q; delete from conversions; select * from (select * "
                "from conversions"
            ),
            "closes a parenthesis that it never opened",
        ),
        ("select * from (select * from conversions", "opens a parenthesis that it never closes"),
        (
            "select * from conversions where email = 'x",
            "has a quote or a comment that is never closed",
        ),
        ('select * from "conversions', "has a quote or a comment that is never closed"),
        ("select * from conversions /* the end", "has a quote or a comment that is never closed"),
        ("select * from conversions /* a /* b */ */", "a comment inside a comment"),
        ("", "is empty"),
        (" ;\n-- nothing\n", "is empty"),
    ],
)
def test_a_text_that_is_not_one_statement_is_refused(
    project: Project, destination: Make, warehouse: TestWarehouse, query: str, message: str
) -> None:
    warehouse.insert(conversion(1))
    project.query(query)
    with pytest.raises(ConfigError, match=message):
        sync(destination(), options=Options(dry_run=True))
    project.query("select * from conversions")
    assert sync(destination(), options=Options(dry_run=True)).rows_read == 1, "nothing was deleted"


@pytest.mark.parametrize(
    "query",
    [
        "delete from conversions",
        "delete from conversions returning *",
        "drop table conversions",
        "insert into conversions select * from conversions",
    ],
)
def test_a_statement_that_writes_is_refused(
    project: Project, destination: Make, warehouse: TestWarehouse, query: str
) -> None:
    warehouse.insert(conversion(1))
    project.query(query)
    with pytest.raises(Exception, match="the warehouse refused the query"):
        sync(destination(), options=Options(dry_run=True))
    project.query("select * from conversions")
    assert sync(destination(), options=Options(dry_run=True)).rows_read == 1


@pytest.mark.parametrize(
    ("query", "blamed"),
    [
        (
            f"select {COLUMNS},\n  nocolumn\nfrom conversions",
            "it does not know 'nocolumn' in line 2",
        ),
        (f"select {COLUMNS}, x.value\nfrom conversions c", "it does not know 'x"),
        (f"select {COLUMNS} from convarsions", "it does not know 'convarsions' in line 1"),
        (
            f"select {COLUMNS}, uper(email) as upper\nfrom conversions",
            "it does not know 'uper' in line 1",
        ),
        (
            f"select {COLUMNS} from conversions\nwhere value is is null",
            "it stopped at 'is' in line 2",
        ),
        (
            f"select {COLUMNS} from conversions where",
            (
                "; try the query in a SQL client with the address of source.warehouse "
                "(env:WAREHOUSE_URL)"
            ),
        ),
    ],
)
def test_what_the_database_does_not_understand_is_named(
    project: Project, destination: Make, query: str, blamed: str
) -> None:
    project.query(query)
    with pytest.raises(
        WarehouseError, match=r"acme: the warehouse refused the query sql/conversions.sql \(.*\)"
    ) as told:
        sync(destination(), options=Options(dry_run=True))
    assert blamed in str(told.value)


@pytest.mark.parametrize(
    "value",
    ["jane", "no such column: jane", 'column "jane" does not exist', "no such column: email"],
)
def test_a_value_that_the_database_complains_of_is_not_shown(
    project: Project, destination: Make, warehouse: TestWarehouse, value: str
) -> None:
    warehouse.insert(conversion(1, email=value))
    cast = {
        "duckdb": "cast(email as date)",
        "postgresql": "cast(email as date)",
        "sqlite": "json_extract(email, '$')",
    }[warehouse.kind]
    project.query(f"select conversion_id, {cast} as updated_at, event_name from conversions")
    with pytest.raises(WarehouseError) as told:
        sync(destination(), options=Options(dry_run=True))
    assert "jane" not in str(told.value)


@pytest.mark.parametrize(
    "query",
    [
        f"select {COLUMNS} from conversions; select 1",
        f"select {COLUMNS}, nocolumn from conversions",
        "select email, updated_at from conversions",
        "select conversion_id, updated_at, email from conversions",
    ],
)
def test_a_changed_query_is_seen_to_run_before_anybody_is_asked_whether_the_mark_means_the_same(
    project: Project, destination: Make, warehouse: TestWarehouse, query: str
) -> None:
    warehouse.insert(conversion(1))
    assert sync(destination()).rows_read == 1
    project.query(query)
    made = destination()
    for look in (sync, accept_changes):
        with pytest.raises(
            (ConfigError, WarehouseError),
            match="more than one statement|'nocolumn'|has no column (conversion_id|event_name)",
        ) as told:
            look(made)
        assert not isinstance(told.value, StateMismatch)
    assert status(made).runs[0]["status"] == "refused"
    project.query(f"select {COLUMNS} from conversions where event_name is not null")
    with pytest.raises(StateMismatch, match="--accept-change"):
        sync(destination())
    assert accept_changes(destination()) == ["the query"]
    assert sync(destination()).rows_read == 0


LITERALS = [
    ":name",
    "::x",
    "\\:x",
    "\\",
    "%",
    "%%",
    "%s",
    "%(a)s",
    "?",
    "??",
    "$1",
    "{x}",
    "a;b",
    "--",
    "/*",
    "*/",
    '"',
    "`",
    "é",
    "'",
    "((",
    "\\'",
]


def test_text_in_quotes_survives_whatever_it_is(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    """Parameters, formats and comments of every driver there is,
    as values and as names of columns.
    """
    warehouse.insert(conversion(1))
    columns = ", ".join(
        "'" + text.replace("'", "''") + f"' as l{number}" for number, text in enumerate(LITERALS)
    )
    project.query(
        f"select {COLUMNS}, {columns} from conversions where event_name <> ':name %' and "
        "updated_at is not null"
    )
    extra = {f"custom.l{number}": f"l{number}" for number in range(len(LITERALS))}
    with opened(destination(extra=extra)) as source:
        (read,) = source.read(Range(), 10)
        assert [
            to_frame(read.table)[f"extra.l{number}"][0] for number in range(len(LITERALS))
        ] == LITERALS
        assert len(source.read_by_key([("c000001",)])) == 1


OPERATORS = {
    "postgresql": [
        """('{"a": {"b": 1}}'::jsonb -> 'a' ->> 'b')""",
        """('{"a": 1}'::jsonb @> '{"a": 1}' and '{"a": 1}'::jsonb ? 'a'
            and '{"a": 1}'::jsonb ?| array['a'])::int::text""",
        """('{"a": {"b": 1}}'::jsonb #>> '{a,b}')""",
        """(7 % 3)::text""",
        """(case when 'abc' like '%b%' then '1' end)""",
        """(case when '17:05' ~ '^\\d+:\\d+$' then '1' end)""",
        """array_to_string((array['1', '2'])[1:1], '')""",
        """$$1$$""",
        """substr($x$;'1$x$, 3)""",
        """(case when E'it\\'s' = 'it''s' then '1' end)""",
    ],
    "duckdb": [
        """('{"a": {"b": 1}}'::json -> 'a' ->> 'b')""",
        """(7 % 3)::varchar""",
        """(case when 'abc' like '%b%' then '1' end)""",
        """(case when regexp_matches('17:05', '^\\d+:\\d+$') then '1' end)""",
        """(['1', '2'])[1:1][1]""",
        """({'a': '1'}).a""",
        """$$1$$""",
    ],
    "sqlite": [
        """('{"a": {"b": "1"}}' -> 'a' ->> 'b')""",
        """cast(7 % 3 as text)""",
        """(case when 'abc' like '%b%' then '1' end)""",
        """(case when strftime('%H:%M', '2026-01-01 17:05:00') = '17:05' then '1' end)""",
    ],
}


@pytest.mark.parametrize(
    ("warehouse", "expression"),
    [(database, each) for database, found in OPERATORS.items() for each in found],
    indirect=["warehouse"],
)
def test_operators_of_the_database_survive(
    project: Project, destination: Make, warehouse: TestWarehouse, expression: str
) -> None:
    warehouse.insert(conversion(1))
    project.query(
        f"select {COLUMNS}, {expression} as found from conversions where {expression} = '1'"
    )
    with opened(destination(extra={"custom.found": "found"})) as source:
        (read,) = source.read(Range(), 10)
        assert list(to_frame(read.table)["extra.found"]) == ["1"]
        assert source.survey(None).waiting == 1


def test_columns_of_any_name_can_be_renamed(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1))
    project.query(
        "select conversion_id, updated_at, event_name, email as \"E-Mail: 100% ('new'); ?\" "
        "from conversions"
    )
    with opened(destination(columns={"email": "E-Mail: 100% ('new'); ?"})) as source:
        (read,) = source.read(Range(), 10)
        assert list(to_frame(read.table)["email"]) == ["person1@shop.example.org"]


PIECES = st.sampled_from(
    [
        *"'\"`;()-/*$:%?\\eE \n",
        "--",
        "/*",
        "*/",
        "$$",
        "$a$",
        "''",
        "select 1",
        "x",
        "E'",
        "::",
        ":a",
    ]
)


@settings(max_examples=500, deadline=None)
@example("/--;")
@given(st.lists(PIECES, max_size=14).map("".join))
def test_what_is_taken_stays_one_statement_inside_another(text: str) -> None:
    """Whatever SQLite's own reader sees in the text alone,
    it sees one complete statement once ours is around it.
    """
    import sqlite3

    statement = taken(text)
    if statement is None:
        return
    assert taken(statement) == statement
    whole = f"select * from (\n{statement}\n) q where 1 = 0;"
    assert taken(whole) == whole[:-1]
    if not any(sign in text for sign in ("$", "e'", "E'", "`")):
        assert sqlite3.complete_statement(whole)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_nothing_in_a_query_is_a_parameter_to_us(text: str) -> None:
    compiled = (
        sa.select(sa.literal(1))
        .select_from(Raw(text).columns(sa.column("a")).subquery("q"))
        .compile(sa.create_engine("sqlite://"))
    )
    assert f"({text})" in str(compiled)


def test_backslashes_escape_quotes_where_the_database_says_so() -> None:
    assert taken(r"select 'it\'s; one'", backslashes=True) == r"select 'it\'s; one'"
    assert taken(r"select 'it\'; select 2") is None


SAME = [
    "select a, b from t where x = 'y  z'",
    "select a,  b\nfrom t -- why\nwhere x = 'y  z';",
    "-- what\nselect a, b /* both */ from t\twhere x = 'y  z' ;\n-- end\n",
]
OTHER = [
    "select a, b from t where x = 'y z'",
    "select a from t where x = 'y  z'",
    "select a -- , b from t where x = 'y  z'",
    "select a, b from t where x = 'y  z' and b > 0",
    'select a, b from t where x = "y  z"',
    "select a, b from t where x = 'Y  z'",
    "select (a), b from t where x = 'y  z'",
]


def test_a_query_that_says_the_same_has_the_same_fingerprint() -> None:
    assert len({fingerprint(query) for query in SAME}) == 1
    assert len({fingerprint(query) for query in [SAME[0], *OTHER]}) == 1 + len(OTHER)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab'\";()-/* \n"), max_size=20))
def test_any_text_has_a_fingerprint(text: str) -> None:
    assert len(fingerprint(text)) == 16
