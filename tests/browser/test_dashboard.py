"""The sheet of all destinations, in a real browser: on a phone, without colour, without a net."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from connector.commands.page import dashboard
from tests.conftest import Make
from tests.support.fates import EARLY, rows_in_every_state
from tests.support.projects import Project
from tests.support.warehouses import DuckDb


@pytest.fixture
def _two(project: Project, duck: DuckDb, duck_destination: Make) -> None:
    """`acme` with a row in every state, and `wrong`, whose file has mistakes."""
    rows_in_every_state(project, duck, duck_destination)
    project.write_text("attributes:\n  platform: capi\n", "wrong")


@pytest.mark.usefixtures("_two")
def test_a_file_shows_all_destinations_on_a_phone_and_asks_nobody(
    project: Project, browser: Browser
) -> None:
    file = project.root / "report.html"
    project.capi("report", "--html", str(file), check=True)
    phone = browser.new_page(viewport={"width": 360, "height": 740}, offline=True)
    asked: list[str] = []
    phone.on("request", lambda request: asked.append(request.url))
    errors: list[str] = []
    phone.on("console", lambda said: errors.append(said.text))
    phone.goto(file.as_uri())
    assert asked == [file.as_uri()], "one file, and nothing else"
    rows = phone.locator("#overview tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text(re.compile(r"acme\s+capi\s+in order\s+9\s+3\s+1\s+3"))
    expect(rows.nth(1)).to_contain_text("cannot be read")
    width = phone.evaluate("document.documentElement.scrollWidth")
    assert width <= 360, "the page itself is never wider than the phone"
    day = phone.locator("#acme table.days tbody tr", has_text=EARLY.date().isoformat())
    assert [cell.inner_text() for cell in day.locator("td").all()][1:5] == ["5", "2", "1", "1"]
    expect(phone.locator("#acme table.reasons")).to_contain_text("no_identity")
    expect(phone.locator("#acme svg")).to_have_count(2)
    for picture in phone.locator("#acme svg").all():
        box = picture.bounding_box()
        assert box is not None
        assert 0 < box["width"] <= 360
    expect(phone.locator("#wrong .said")).to_contain_text("source")
    expect(phone.locator("body")).not_to_contain_text("@shop.example.org")
    assert errors == []
    phone.close()


@pytest.mark.usefixtures("_two")
def test_the_page_is_served_to_this_machine_alone_and_looks_anew(
    project: Project, page: Page, duck: DuckDb
) -> None:
    process = project.start("dashboard", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        url = orjson.loads(process.stdout.readline())["url"]
        page.goto(url)
        expect(page.locator("#overview tbody tr").nth(0)).to_contain_text("in order")
        project.capi("sync", "acme", "--limit", "1", check=True)
        page.reload()
        expect(page.locator("#acme table.runs tbody tr")).to_have_count(2)
        answer = requests.get(url, headers={"Host": "evil.example"}, timeout=30)
        assert answer.status_code == 400
        assert requests.post(url, timeout=30).status_code == 405
    finally:
        process.terminate()
        process.wait(30)


def test_an_empty_project_has_a_page(project: Project) -> None:
    assert "has no destination" in dashboard(project.root)


def test_names_are_text_and_no_markup(project: Project) -> None:
    project.write_text("attributes:\n  platform: capi\n", "<b>bold")
    page = dashboard(project.root)
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page


def test_it_says_what_it_needs(project: Project, tmp_path: Path) -> None:
    (tmp_path / "pygal.py").write_text("raise ImportError(name='pygal')")
    done = project.capi_anew("report", "--html", "x.html", PYTHONPATH=str(tmp_path))
    assert done.code == 2
    assert "pip install 'capi-connector[dashboard]'" in done.err
