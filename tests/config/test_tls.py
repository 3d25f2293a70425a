"""`sslmode` below verify-full, beyond this machine, is a warning of `check`."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url

from connector.commands.check import check
from connector.config.tls import unproven_server
from tests.support.projects import Project


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://u@db.example/shop", "prefer"),
        ("postgresql+psycopg://u@db.example/shop?sslmode=require", "require"),
        ("postgresql://u@db.example/shop?sslmode=verify-ca", "verify-ca"),
        ("postgresql://u@/shop?host=localhost,db.example", "prefer"),
        ("postgresql://u@db.example/shop?sslmode=verify-full", None),
        ("postgresql://u@localhost/shop", None),
        ("postgresql://u@127.0.0.1/shop", None),
        ("postgresql://u@[::1]/shop", None),
        ("postgresql://u@/shop?host=/run/postgresql", None),
        ("postgresql:///shop", None),
        ("duckdb:///w.duckdb", None),
    ],
)
def test_only_verify_full_proves_the_server(url: str, mode: str | None) -> None:
    assert unproven_server(make_url(url)) == mode


def test_the_environment_of_libpq_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_url("postgresql://u@db.example/shop")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert unproven_server(url) is None


def test_check_warns_of_warehouse_and_state(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "s3cr3t-7f2a"
    monkeypatch.setenv("CAPI_STATE_URL", f"postgresql://u:{password}@nothing.invalid/state")
    monkeypatch.setenv("W", f"postgresql://u:{password}@nothing.invalid/shop?sslmode=require")
    project.write("env:W", "https://px.dsp.example/x")
    warnings = check(project.path(), root=project.root).warnings
    assert any("source.warehouse is reached with sslmode=require" in text for text in warnings)
    assert any("CAPI_STATE_URL) is reached with sslmode=prefer" in text for text in warnings)
    assert password not in str(warnings)
