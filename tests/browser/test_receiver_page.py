"""The receiver's page, as a person sees it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from connector.commands.sync import sync
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.warehouses import DuckDb, conversion


def test_the_page_shows_counts_and_the_latest_events(
    page: Page, receiver: Receiver, duck: DuckDb, duck_destination: Make
) -> None:
    page.goto(receiver.url)
    expect(page.locator("#events")).to_have_text("0")
    duck.insert(*(conversion(number) for number in range(7)), conversion(8, email=None))
    sync(duck_destination())
    expect(page.locator("#events")).to_have_text("7")
    expect(page.locator("#requests")).to_have_text("7")
    expect(page.locator("#duplicates")).to_have_text("0")
    expect(page.locator("#answers")).to_contain_text("200 × 7")
    rows = page.locator("#latest tr")
    expect(rows).to_have_count(7)
    expect(rows.first.locator("td").nth(1)).to_have_text(re.compile("^[0-9a-f]{64}$"))
    expect(rows.first.locator("code")).to_contain_text("HashedEmail")
    expect(page.locator("body")).not_to_contain_text("@shop.example.org")


def test_the_page_shows_what_came_twice_and_what_was_refused(
    page: Page, receiver: Receiver, duck: DuckDb, duck_destination: Make
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    destination = duck_destination()
    page.request.post(f"{receiver.url}/control", data={"faults": [{"status": 500, "take": True}]})
    sync(destination)
    page.goto(receiver.url)
    expect(page.locator("#duplicates")).to_have_text("1")
    expect(page.locator("#conflicts")).to_have_text("0")
    page.request.post(f"{receiver.url}/control", data={"reject_rate": 1})
    duck.insert(conversion(10))
    sync(destination)
    expect(page.locator("#refused")).to_have_text("1")
    expect(page.locator("#answers")).to_contain_text("400 × 1")
