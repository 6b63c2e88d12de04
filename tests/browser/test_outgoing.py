"""Outgoing mails in the browser: what waits and why, each try, and trying again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from shared import api
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


def waiting(world: World, **changes: object) -> None:
    """The mail of ticket 128 that has not left."""
    world.outgoing["m5"] = api.OutgoingDetail.model_validate(world.outgoing["m5"].model_dump() | changes)


def test_an_answer_that_waits_is_cancelled_on_its_page(watched: Watched, world: World) -> None:
    watched.go("/outgoing/m2")
    page = watched.page
    expect(page.get_by_role("heading", name="Re: Invoice")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    watched.go("/outgoing/m5")
    accessible(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("It is taken back")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert world.outgoing["m5"].state == "cancelled"
    assert world.answers.drafts[128].body == "Thank you."


def test_an_answer_that_left_meanwhile_is_said_to_have(watched: Watched, world: World) -> None:
    watched.go("/outgoing/m5")
    waiting(world, state="sent", cancellable=False)
    watched.page.get_by_role("button", name="Cancel").click()
    expect(watched.page.get_by_role("status")).to_contain_text("The answer has left already.")


def test_an_answer_that_waits_is_cancelled_on_its_message(watched: Watched, world: World) -> None:
    watched.go("/tickets/128")
    page = watched.page
    arrived, waits = page.get_by_role("article", name="Answer from otto@company.example").all()
    expect(arrived.get_by_role("button", name="Cancel sending")).to_have_count(0)
    accessible(page)
    waits.get_by_role("button", name="Cancel sending").click()
    expect(page.get_by_role("status").filter(has_text="taken back")).to_be_visible()
    expect(page.get_by_label("Your answer")).to_have_value("Thank you.")
    expect(page.get_by_role("button", name="Cancel sending")).to_have_count(0)
    assert world.outgoing["m5"].state == "cancelled"


def test_an_answer_of_somebody_else_goes_back_to_them(watched: Watched, world: World) -> None:
    bea = {"sender": "user:bea@company.example"}
    world.messages[128] = [item.model_copy(update=bea) if item.id == "m5" else item for item in world.messages[128]]
    watched.go("/tickets/128")
    watched.page.get_by_role("button", name="Cancel sending").click()
    expect(watched.page.get_by_role("status").filter(has_text="the draft of bea@company.example again")).to_be_visible()


def test_the_machines_own_mails_are_not_taken_back(watched: Watched, world: World) -> None:
    waiting(world, mode="acknowledgement")
    watched.go("/outgoing/m5")
    expect(watched.page.get_by_role("button", name="Try again now")).to_be_visible()
    expect(watched.page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_a_mail_says_what_it_waits_for(watched: Watched, world: World) -> None:
    waiting(world, waits_for="m2", retryable=False)
    watched.go("/outgoing/m5")
    page = watched.page
    expect(page.get_by_role("link", name="an earlier answer of this ticket")).to_have_attribute("href", "/outgoing/m2")
    expect(page.get_by_role("button", name="Try again now")).to_have_count(0)
    waiting(
        world, waits_for=None, state="queued", tries=0, history=[], last_error=None, next_try_at=datetime.now(UTC) + timedelta(seconds=50)
    )
    page.reload()
    expect(page.get_by_text(re.compile(r"It leaves in \d+ s: until then it can be taken back\."))).to_be_visible()
    accessible(page)


def test_what_waits_is_tried_again_and_what_is_sent_is_not(scriptless: Page, console: Console, world: World) -> None:
    page = scriptless
    page.goto(f"{console.url}/outgoing/m2")
    expect(page.get_by_role("heading", name="Re: Invoice")).to_be_visible()
    expect(page.get_by_role("button", name="Try again now")).to_have_count(0)
    page.goto(f"{console.url}/outgoing/m5")
    page.get_by_role("button", name="Try again now").click()
    expect(page.get_by_role("status")).to_contain_text("It is tried again now.")
    assert world.outgoing["m5"].state == "queued"
