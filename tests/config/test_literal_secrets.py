"""No secret stands in the YAML itself, and no value of it changes a request."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from connector.commands.preview import PreviewedRequest, preview
from connector.config.loader import load
from connector.config.secrets import resolve
from connector.errors import DestinationError
from tests.support.projects import Project

SECRET = "9f8e7d6c5b4a39281706f5e4"
ENDPOINT = "https://px.dsp.example/signal/v1/conversion"


def problems(
    project: Project, endpoint: str = ENDPOINT, warehouse: str = "env:W", **changes: Any
) -> list[str]:
    """What is wrong with a destination; never shown with a secret in it."""
    project.write(warehouse, endpoint, **changes)
    try:
        load(project.path(), project.root)
    except DestinationError as error:
        told = [problem.message for problem in error.problems]
    else:
        told = []
    assert SECRET not in str(told)
    return told


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("headers", "Authorization", "Bearer short"),
        ("headers", "X-Api-Key", "short"),
        ("headers", "Cookie", "a=b"),
        ("headers", "X-Partner", SECRET),
        ("headers", "X-Partner", "env:NAME"),
        ("headers", "X-Partner", "sk_live_abc"),
        ("query", "access_token", "short"),
        ("query", "v", SECRET),
        ("query", "v", "x-EAAabcdefghijk"),
    ],
)
def test_a_secret_in_a_header_or_a_parameter_is_refused(
    project: Project, section: str, name: str, value: str
) -> None:
    (problem,) = problems(project, overrides={section: {name: value}})
    assert problem.startswith(f"{section}.{name} holds what looks like a secret")
    assert "under auth" in problem


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("headers", "User-Agent", "acme-reverse-etl/1.25.3 (data@acme.example)"),
        ("headers", "X-Version", "2026-01-01"),
        ("headers", "X-Account", "{advertiser_id}"),
        ("query", "partner", "acme"),
        ("query", "id", "6f1b3c52-7f4e-4d2b-9f5e-0a1b2c3d4e5f"),
    ],
)
def test_what_is_no_secret_may_stand_there(
    project: Project, section: str, name: str, value: str
) -> None:
    assert problems(project, overrides={section: {name: value}}) == []


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        (f"/hooks/{SECRET}", True),
        ("/hooks/sk_live_abc/in", True),
        (f"/hooks/%39{SECRET[1:]}", True),
        ("/signal/v1/conversion", False),
        ("/tenants/6f1b3c52-7f4e-4d2b-9f5e-0a1b2c3d4e5f/events", False),
        ("/a-path-of-many-plain-words/2026", False),
    ],
)
def test_a_secret_in_the_path_of_an_endpoint(project: Project, path: str, refused: bool) -> None:
    found = problems(project, f"https://px.dsp.example{path}")
    assert [text[:40] for text in found] == (
        ["the path of endpoint holds what looks li"] if refused else []
    )


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        (f"bigquery://shop?credentials_base64={base64.b64encode(SECRET.encode()).decode()}", True),
        (f"databricks://host/shop?access_key={SECRET}", True),
        (f"databricks://host/shop?API_KEY={SECRET}", True),
        (f"trino://host/shop?access%5Fkey={SECRET}", True),
        (f"snowflake://account/shop?authenticator=oauth&oauth_token={SECRET}", True),
        ("bigquery://shop?credentials_path=/run/secrets/key.json", False),
        ("snowflake://user@account/shop?private_key_file=/run/secrets/key.p8", False),
        ("postgresql://user@db.example/shop?sslmode=verify-full", False),
    ],
)
def test_a_secret_in_the_address_of_a_warehouse(project: Project, url: str, refused: bool) -> None:
    found = problems(project, warehouse=url)
    assert bool(found) == refused
    assert all("the address holds a password" in text for text in found)


@pytest.mark.parametrize("value", [".", ".."])
def test_an_account_id_that_leads_to_another_path_is_refused(project: Project, value: str) -> None:
    found = problems(project, account={"advertiser_id": 12, "data_source_key": value})
    assert found == [f"account.data_source_key is '{value}', which is no account id"]


@pytest.mark.parametrize(
    "overrides",
    [
        {"headers": {"X-Version": "1\r\nX-Other: 2"}},
        {"headers": {"X-Version\n": "1"}},
        {"query": {"v": "1\n"}},
        {"path": "/a\r\n"},
    ],
)
def test_a_line_break_cannot_change_a_request(project: Project, overrides: dict[str, Any]) -> None:
    (problem,) = problems(project, overrides=overrides)
    assert "holds a line break or another control character" in problem


def test_what_an_account_puts_into_a_header_of_secrets_is_hidden_by_preview(
    project: Project,
) -> None:
    project.write("env:W", ENDPOINT, overrides={"headers": {"X-Api-Key": "{data_source_key}"}})
    rows = [{"conversion_id": "c1", "event_name": "Purchase", "email": "ada@example.org"}]
    (shown,) = preview(load(project.path(), project.root), rows)
    assert isinstance(shown, PreviewedRequest)
    assert shown.headers["X-Api-Key"] == "***"
    assert shown.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444])
def test_a_mounted_secret_that_nobody_can_write_is_read(project: Project, mode: int) -> None:
    """As Kubernetes (defaultMode: 0440) and Docker (0444) mount them."""
    file = project.root / "token"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("t0ken")
    file.chmod(mode)
    assert resolve("file:token", project.root) == "t0ken"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o466, 0o660, 0o777])
def test_a_secret_that_others_can_write_is_refused(project: Project, mode: int) -> None:
    file = project.root / "token"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("t0ken")
    file.chmod(mode)
    with pytest.raises(ValueError, match=r"^the secret file token is writable by others; run"):
        resolve("file:token", project.root)
