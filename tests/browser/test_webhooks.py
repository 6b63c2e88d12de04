"""Webhooks in the browser: made, shown once, tested, retried, changed, deleted."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from shared.http import ProblemError
from tests.kit.browsing import Console, Watched, accessible
from tests.kit.stand_in_webhooks import SECRET
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]


def test_a_new_webhook_shows_its_secret_once_and_how_to_verify(watched: Watched, world: World) -> None:
    world.empty()
    watched.go("/webhooks")
    page = watched.page
    page.get_by_role("link", name="Add a webhook").click()
    page.get_by_label("Name").fill("Warehouse")
    page.get_by_label("Address").fill("https://hooks.warehouse.example/tickets")
    page.get_by_label("Ticket opened").check()
    page.get_by_label("Marked as spam").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("The secret")).to_have_value(SECRET)
    expect(page.get_by_text("webhook-signature")).to_be_visible()
    accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    accessible(page)
    (made,) = world.webhooks.values()
    assert (made.name, [kind.value for kind in made.types], made.enabled) == ("Warehouse", ["created", "spammed"], True)
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("heading", name="Warehouse")).to_be_visible()
    assert SECRET not in page.content()


def test_a_refused_address_is_told_at_its_field(watched: Watched, world: World) -> None:
    told = "127.0.0.1 leads to 127.0.0.1, which is not on the internet."
    watched.go("/webhooks/new")
    page = watched.page
    page.get_by_label("Name").fill("Inside")
    page.get_by_label("Address").fill("http://127.0.0.1/")
    world.refuse = ProblemError(422, "The request is not valid", told, errors=[{"field": "url", "message": told}])
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(told)).to_be_visible()
    expect(page.get_by_label("Address")).to_have_value("http://127.0.0.1/")
    accessible(page)


def test_a_test_tells_what_the_receiver_answered(watched: Watched) -> None:
    watched.go("/webhooks/w1")
    page = watched.page
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("status")).to_have_text("It answered 204.")
    watched.go("/webhooks/w2")
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("status")).to_have_text("No answer within 15 seconds.")
    accessible(page)


def test_the_log_shows_one_state_and_a_call_is_retried(scriptless: Page, console: Console, world: World) -> None:
    page = scriptless
    page.goto(f"{console.url}/webhooks/w1")
    expect(page.get_by_role("row")).to_have_count(5)
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("told again")
    assert world.webhook_calls["d2"].state == "waiting"


def test_a_webhook_is_switched_off_and_gets_a_new_secret(watched: Watched, world: World) -> None:
    watched.go("/webhooks/w1/edit")
    page = watched.page
    expect(page.get_by_label("Ticket opened")).to_be_checked()
    page.get_by_label("Switched on").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    assert not world.webhooks["w1"].enabled
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.get_by_label("The secret")).to_have_value(SECRET)
    expect(page.get_by_text("The secret before signs too")).to_be_visible()


def test_a_webhook_is_deleted_after_a_question(watched: Watched, world: World) -> None:
    watched.go("/webhooks/w3/edit")
    page = watched.page
    page.get_by_role("link", name="Delete this webhook").click()
    expect(page.get_by_role("heading", name="Delete this webhook?")).to_be_visible()
    assert "w3" in world.webhooks
    page.get_by_role("button", name="Delete the webhook").click()
    expect(page.get_by_role("status")).to_contain_text("deleted")
    assert "w3" not in world.webhooks
