"""One schema for editors and the loader, and which addresses may be named at all."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

import pytest
import requests
import urllib3
import yaml
from jsonschema import Draft202012Validator

from connector.config.host import json_schema
from tests.config.test_destination import ENDPOINT, EVERY_KEY, URL, line_of, problems
from tests.support.projects import Project

BROKEN: dict[str, dict[str, Any]] = {
    "unknown section": {"platfrom": "capi"},
    "unknown key": {"delivery": {"timout": "1s"}},
    "missing key": {"source__start": None},
    "literal secret": {"auth": {"bearer": "EAAGm0PX4ZCpsBAKZC"}},
    "duration": {"source__lag": "5 minutes"},
    "rate": {"delivery": {"rate": "200"}},
    "range": {"delivery": {"concurrency": 65}},
    "choice": {"source__time_unit": "sec"},
    "type": {"source__cursor": 5},
    "list": {"identifiers": "Guid"},
    "map": {"columns": ["email"]},
    "cron": {"schedule": "now and then"},
    "nested": {"checks": {"rejection_rate": {"warn": "a lot"}}},
    "region": {"source__default_region": "Germany"},
}


def instance(project: Project, **changes: Any) -> Any:
    """A destination's YAML as an editor sees it."""
    return yaml.safe_load(project.write(URL, ENDPOINT, **changes).read_text(encoding="utf-8"))


def test_the_json_schema_is_valid_and_describes_every_key() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    source = schema["$defs"]["Source"]["properties"]
    assert [name for name, key in source.items() if not key.get("description")] == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        EVERY_KEY,
        {"source__key": ["a", "b"]},
        {"account": {"advertiser_id": 12, "data_source_key": "x"}},
    ],
)
def test_the_json_schema_accepts_what_the_loader_accepts(
    project: Project, changes: dict[str, Any]
) -> None:
    assert list(Draft202012Validator(json_schema()).iter_errors(instance(project, **changes))) == []
    assert problems(project, **changes) == []


@pytest.mark.parametrize("broken", BROKEN)
def test_the_json_schema_refuses_what_the_loader_refuses(project: Project, broken: str) -> None:
    assert list(
        Draft202012Validator(json_schema()).iter_errors(instance(project, **BROKEN[broken]))
    )
    assert problems(project, **BROKEN[broken])


REFUSED = [
    "http://px.dsp.example/x",
    "http://127.0.0.2:8000/x",
    "http://0.0.0.0/x",
    "http://0x7f000001/x",
    "http://2130706433/x",
    "http://127.1/x",
    "http://localhost.evil.test/x",
    "http://[::ffff:127.0.0.1]/x",
    "https://graph.facebook.com\\@evil.test/",
    "https://graph.facebook.com@evil.test/",
    "https://user:s3cr3t-7f2a@px.dsp.example/x",
    "https://user@px.dsp.example/x",
    "https://px.dsp.example/x?access_token=s3cr3t-7f2a",
    "https://px.dsp.example/x#fragment",
    "https://px.dsp.example:/x",
    "https://px.dsp.example:443:80/x",
    "https://px.dsp.example/a b",
    "https://px.dsp.example/x\n",
    "https://px.dsp.example/x\r\nHost: evil.test",
    "https://px.dsp.example\t/x",
    "https://fаcebook.com/x",
    "https://px。dsp.example/x",
    "https:///x",
    "https:/px.dsp.example/x",
    "//px.dsp.example/x",
    "px.dsp.example/x",
    "ftp://px.dsp.example/x",
    "file:///etc/passwd",
    "HTTPS://px.dsp.example/x",
    " https://px.dsp.example/x",
    "https://[::1]evil.test/x",
    "https://px.dsp.example/{account}",
    "",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_can_be_read_in_two_ways_is_refused(project: Project, url: str) -> None:
    (problem,) = problems(project, endpoint=url)
    assert re.fullmatch(
        (
            r"\d+: endpoint must be (a plain address such as .*|https; plain http is only for a "
            r"receiver on this machine)"
        ),
        problem,
    )
    assert int(problem.split(":")[0]) == line_of(project, "endpoint:")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://px.dsp.example/x", "px.dsp.example"),
        ("https://px.dsp.example:8443/a/b;c=d,e", "px.dsp.example"),
        ("https://0x7f000001/x", "0x7f000001"),
        ("http://127.0.0.1:8477/x", "127.0.0.1"),
        ("http://localhost/x", "localhost"),
        ("http://[::1]:8477/x", "::1"),
    ],
)
def test_the_host_of_an_accepted_address_is_the_one_that_requests_connects_to(
    project: Project, url: str, host: str
) -> None:
    assert problems(project, endpoint=url) == []
    prepared = requests.Request("POST", url).prepare().url
    assert prepared == url
    assert urllib.parse.urlsplit(prepared).hostname == host
    assert urllib3.util.parse_url(prepared).host.strip("[]") == host


@pytest.mark.parametrize(
    "url",
    [
        "https://px.dsp.example:99999/x",
        "https://px.dsp.example:8\u0660/x",
        "https://-/x",
        "https://a..b/x",
    ],
)
def test_an_address_that_nothing_can_connect_to_is_refused(project: Project, url: str) -> None:
    assert problems(project, endpoint=url)
