"""The YAML reader: nothing is guessed, nothing explodes,
every refusal says where, and no value is ever quoted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import DestinationError
from connector.syntax.yaml import MAX_BYTES, load

SECRET = "s3cr3t-7f2a"
DISAGREE = "YAML readers disagree"


def refused(text: str) -> tuple[str, int, int]:
    """The message of the only problem with a text, and its line and column."""
    with pytest.raises(DestinationError) as caught:
        load(text, "defs.yaml")
    (problem,) = caught.value.problems
    assert problem.file == "defs.yaml"
    return problem.message, problem.line, problem.column


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a: &x s3cr3t-7f2a\nb: *x\n", "anchors and aliases", 1, 4),
        ("a: 1\nb: *s3cr3t-7f2a\n", "anchors and aliases", 2, 4),
        ("a: &x {k: s3cr3t-7f2a}\n", "anchors and aliases", 1, 4),
        ("a: 1\n<<: {k: s3cr3t-7f2a}\n", "merge keys", 2, 1),
        ("a:\n  k: s3cr3t-7f2a\n  k: 2\n", "the key 'k' is given twice", 3, 3),
        ("a: {k: 1, k: s3cr3t-7f2a}\n", "the key 'k' is given twice", 1, 11),
        ('a: 1\n"a": s3cr3t-7f2a\n', "the key 'a' is given twice", 2, 1),
        ("a: !!binary s3cr3t-7f2a\n", "tags", 1, 4),
        ("a: !env s3cr3t-7f2a\n", "tags", 1, 4),
        ("a: !!python/name:os.system s3cr3t-7f2a\n", "tags", 1, 4),
        ("a: s3cr3t-7f2a\n---\nb: s3cr3t-7f2a\n", "one document a file", 3, 1),
        ("country: NO\n", DISAGREE, 1, 10),
        ("country: [DE, NO]\n", DISAGREE, 1, 15),
        ("on: s3cr3t-7f2a\n", DISAGREE, 1, 1),
        ("a: yes\n", DISAGREE, 1, 4),
        ("a: True\n", DISAGREE, 1, 4),
        ("zip: 0123\n", DISAGREE, 1, 6),
        ("at: 12:30\n", DISAGREE, 1, 5),
        ("at: 12:30:45\n", DISAGREE, 1, 5),
        ("rows: 1_000\n", DISAGREE, 1, 7),
        ("a: 0x1f\n", DISAGREE, 1, 4),
        ("a: 0b11\n", DISAGREE, 1, 4),
        ("a: +1\n", DISAGREE, 1, 4),
        ("a: .5\n", DISAGREE, 1, 4),
        ("a: 5.\n", DISAGREE, 1, 4),
        ("a: 1.5e+3\n", DISAGREE, 1, 4),
        ("a: .inf\n", DISAGREE, 1, 4),
        ("a: .nan\n", DISAGREE, 1, 4),
        ("1: s3cr3t-7f2a\n", "a key must be text", 1, 1),
        ("null: s3cr3t-7f2a\n", "a key must be text", 1, 1),
        ("? [a, b]\n: s3cr3t-7f2a\n", "a key must be text", 1, 3),
        ("a: 's3cr3t-7f2a\n", "not valid YAML", 2, 1),
        ("a: [s3cr3t-7f2a\nb: 1\n", "not valid YAML", 2, 2),
        ("a: s3cr3t-7f2a: b\n", "not valid YAML", 1, 15),
        ("a: 1\n\tb: s3cr3t-7f2a\n", "not valid YAML", 2, 1),
        ("a: s3cr3t-7f2a\n b: 1\n", "not valid YAML", 2, 3),
        ("a: @s3cr3t-7f2a\n", "not valid YAML", 1, 4),
        ('a: "s3cr3t-7f2a\\q"\n', "not valid YAML", 1, 17),
        ("%YAML 9.9\n---\na: s3cr3t-7f2a\n", "not valid YAML", 1, 1),
        ("!h!s3cr3t-7f2a a: b\n", "not valid YAML", 1, 1),
    ],
)
def test_what_could_be_misread_is_refused_with_its_place_and_without_its_value(
    text: str, message: str, line: int, column: int
) -> None:
    told, at_line, at_column = refused(text)
    assert message in told
    assert (at_line, at_column) == (line, column)
    assert SECRET not in told


def test_a_message_begins_with_file_line_and_column() -> None:
    with pytest.raises(
        DestinationError, match=r"^folder/defs\.yaml:2:1: the key 'a' is given twice$"
    ):
        load("a: 1\na: 2\n", "folder/defs.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing but a comment\n", None),
        ("---\n", None),
        ("a: 2026-01-01\n", {"a": "2026-01-01"}),
        ("a: 2026-01-01T00:00:00Z\n", {"a": "2026-01-01T00:00:00Z"}),
        ('a: "NO"\nb: "0123"\nc: "12:30"\n', {"a": "NO", "b": "0123", "c": "12:30"}),
        ("a: true\nb: false\n", {"a": True, "b": False}),
        ("a: ~\nb: null\nc:\n", {"a": None, "b": None, "c": None}),
        ("a: 0\nb: -7\nc: 1.50\nd: -0.5\n", {"a": 0, "b": -7, "c": 1.5, "d": -0.5}),
        ("a: 1e3\nb: 0o17\nc: 1.2.3\n", {"a": "1e3", "b": "0o17", "c": "1.2.3"}),
        ('"<<": 1\n"=": 2\n', {"<<": 1, "=": 2}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("\ufeffa: 1\n", {"a": 1}),
        ("a: 🏆\n", {"a": "🏆"}),
    ],
)
def test_what_every_reader_reads_alike_is_accepted(text: str, value: Any) -> None:
    document = load(text, "defs.yaml")
    assert document.value == value
    assert repr(document.value) == repr(value), "1 is not true, and 1.0 is not 1"


def test_a_file_of_more_than_256_kb_is_refused_before_it_is_parsed() -> None:
    allowed = "a: " + "x" * (MAX_BYTES - 3)
    assert len(load(allowed, "defs.yaml").value["a"]) == MAX_BYTES - 3
    with pytest.raises(DestinationError, match=r"^defs\.yaml: the file is larger than 256 kB$"):
        load(allowed + "x", "defs.yaml")
    with pytest.raises(DestinationError, match="larger than 256 kB"):
        load("a: '" + "é" * (MAX_BYTES // 2), "defs.yaml")


@pytest.mark.parametrize(
    "text", ["a: \x00", "\x01\x02\x03", "a: 1\n\x7fb: s3cr3t-7f2a", "a: \ufffe"]
)
def test_binary_junk_is_not_yaml(text: str) -> None:
    message, _, _ = refused(text)
    assert message == "not valid YAML: the file holds a character that YAML forbids"


def test_a_forbidden_character_has_a_place() -> None:
    assert refused("a: 1\nb: x\x00y\n")[1:] == (2, 5)


BOMBS = {
    "aliases": "a0: &a0 [x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
    "merge keys": "a0: &a0 {k: v}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)),
    "many anchors": "- &a x\n" * 30_000,
    "nested blocks": "- " * 20_000,
    "nested maps": "".join(" " * n + "a:\n" for n in range(700)),
    "nested keys": "? " * 20_000,
    "nested flow over lines": "[\n" * 20_000,
    "open quote": "a: '" + "\n" * 200_000,
    "one long tag": "!" * 250_000,
}
CHILD = """
import json, resource, sys
from connector.errors import DestinationError
from connector.syntax.yaml import load
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
for text in json.load(sys.stdin):
    try:
        load(text, "defs.yaml")
    except DestinationError as error:
        print(len(error.problems), flush=True)
"""


def loaded_in_a_small_process(
    texts: list[str], cpu_seconds: int
) -> subprocess.CompletedProcess[str]:
    """Try to load texts in a process that the kernel ends when it takes too long or too much
    memory.
    """
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(cpu_seconds)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_bombs_are_refused_before_they_go_off() -> None:
    """PyYAML's own safe_load needs half a minute for the merge keys,
    and more memory than there is for the aliases.
    """
    done = loaded_in_a_small_process(list(BOMBS.values()), 15)
    assert done.stdout.split() == ["1"] * len(BOMBS), done.stderr[-500:]


def test_brackets_on_one_line_are_refused_before_they_go_off() -> None:
    done = loaded_in_a_small_process(["[" * 250_000, "{a: [" * 50_000], 4)
    assert done.stdout.split() == ["1", "1"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: " + "1" * 5000, id="an integer of 5,000 digits"),
        pytest.param('a: "\\UFFFFFFFF"', id="a code point beyond Unicode"),
        pytest.param("a: \ud800", id="a lone surrogate"),
    ],
)
def test_what_python_cannot_hold_is_refused_like_everything_else(text: str) -> None:
    assert refused(text)[1] == 1


@pytest.mark.parametrize(
    "text",
    [
        "a: !env [X]",
        "a: !!set {x, y}",
        "a: !!omap [x: 1]",
        "a: !!pairs [x: 1]",
        "a: !!map [x]",
        "!x {a: 1}",
    ],
)
def test_tags_of_lists_and_maps_are_refused_as_well(text: str) -> None:
    assert "tags" in refused(text)[0]


class Reference(yaml.SafeLoader):
    """PyYAML's own safe loader, with timestamps and `=` as the text they are."""


for tag in ("timestamp", "value"):
    Reference.add_constructor(f"tag:yaml.org,2002:{tag}", yaml.SafeLoader.construct_scalar)

WORDS = st.sampled_from(
    [
        "a",
        "b",
        "NO",
        "yes",
        "true",
        "null",
        "~",
        "0",
        "1",
        "012",
        "1.5",
        "1e3",
        "0x1",
        "12:30",
        "2026-01-01",
        "=",
        "<<",
        "é",
        "",
        "x y",
        "1_0",
        "-0",
        ".5",
    ]
)
VALUES = st.recursive(
    WORDS
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none()
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)
PIECES = st.sampled_from(
    [
        *"abz019 \n\n:-?,[]{}#&*|>'\"%@`\\\t=<.~_",
        ": ",
        "\n  ",
        "\n- ",
        "- ",
        "? ",
        "<<: ",
        "&a ",
        "*a",
        "---\n",
        "...\n",
        "true",
        "no",
        "1.0",
        "0x",
        "\r",
        "\x85",
    ]
)
DOCUMENTS = st.builds(
    lambda value, flow: yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True),
    VALUES,
    st.booleans(),
)
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=25).map("".join) | DOCUMENTS


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_text_gives_a_value_that_pyyaml_agrees_with_or_an_error_with_a_place(text: str) -> None:
    error: DestinationError | None = None
    value: Any = None
    try:
        value = load(text, "defs.yaml").value
    except DestinationError as raised:
        error = raised
    if error is None:
        expected = yaml.load(text, Loader=Reference)
        assert value == expected
        assert repr(value) == repr(expected)
    else:
        (problem,) = error.problems
        assert problem.file == "defs.yaml"
        assert "forbids" in problem.message or (problem.line > 0 and problem.column > 0)


KEYS = st.from_regex(r"[b-e]{1,6}", fullmatch=True)
NESTED = st.recursive(
    st.just("a"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, NESTED, min_size=1, max_size=4), st.booleans())
def test_every_key_has_the_place_where_it_stands(value: dict[str, Any], flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow)
    lines, document = text.splitlines(), load(text, "defs.yaml")
    assert document.value == value
    keys = [
        (path, place)
        for path, place in document.positions.items()
        if path and isinstance(path[-1], str)
    ]
    assert len(keys) == len({path for path, _ in keys}) >= len(value)
    for path, (line, column) in keys:
        assert lines[line - 1][column - 1 :].startswith(f"{path[-1]}:")
