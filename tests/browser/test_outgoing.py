"""Outgoing mails in the browser: what waits and why, each try, and trying again."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.kit.browsing import Console, Watched, accessible
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]


def test_the_list_shows_what_waits_and_leads_to_why(watched: Watched) -> None:
    watched.go("/tickets")
    page = watched.page
    page.get_by_role("link", name="Outgoing mails").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_label("State").select_option("delayed")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_text("tried 3 times, next")).to_be_visible()
    page.get_by_role("link", name="Re: Invoice").click()
    tries = page.get_by_role("table", name="Tries")
    expect(tries.get_by_role("row")).to_have_count(4)
    expect(tries.get_by_text("451 4.7.1 try later").first).to_be_visible()
    expect(page.get_by_role("link", name="Download (.eml)")).to_have_attribute("href", "/api/v1/outgoing/m5/raw")
    expect(page.get_by_role("main").get_by_role("link", name="Ticket 128")).to_have_attribute("href", "/tickets/128")
    accessible(page)


def test_nothing_like_that_is_said_so(watched: Watched) -> None:
    watched.go("/outgoing?state=failed&ticket=9")
    expect(watched.page.get_by_text("There is none like that.")).to_be_visible()
    watched.go("/outgoing?state=nonsense&ticket=x")
    expect(watched.page.get_by_role("row")).to_have_count(3)


def test_what_waits_is_tried_again_and_what_is_sent_is_not(scriptless: Page, console: Console, world: World) -> None:
    page = scriptless
    page.goto(f"{console.url}/outgoing/m2")
    expect(page.get_by_role("heading", name="Re: Invoice")).to_be_visible()
    expect(page.get_by_role("button", name="Try again now")).to_have_count(0)
    page.goto(f"{console.url}/outgoing/m5")
    page.get_by_role("button", name="Try again now").click()
    expect(page.get_by_role("status")).to_contain_text("It is tried again now.")
    assert world.outgoing["m5"].state == "queued"
