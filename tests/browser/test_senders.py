"""SMTP identities in the browser: OAuth 2.0, limits, and the test button."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.kit.browsing import Watched, accessible
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]


def test_saving_an_identity_with_oauth_keeps_its_sign_in_and_secret(watched: Watched, world: World) -> None:
    watched.go("/senders/smtp-3")
    page = watched.page
    expect(page.get_by_role("button", name="Sign in again with Google")).to_be_visible()
    expect(page.get_by_label("Client id")).to_have_value("1234.apps.googleusercontent.example")
    expect(page.get_by_label("Password", exact=True)).to_be_hidden()
    page.get_by_label("From name").fill("Help")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    kept = world.senders["smtp-3"]
    assert (kept.auth, kept.display_name, kept.plus_addressing) == ("oauth2", "Help", True)
    assert kept.limits.per_minute == 30
    assert world.secrets["smtp-3"] == {}, "no secret was typed, none was sent"


def test_a_new_identity_with_oauth_asks_for_the_sign_in_next(watched: Watched, world: World) -> None:
    watched.go("/senders/new")
    page = watched.page
    expect(page.get_by_label("Client id")).to_be_hidden()
    page.get_by_label("Name", exact=True).fill("Microsoft")
    page.get_by_label("SMTP server").fill("smtp.office365.com")
    page.get_by_label("Signing in").select_option("oauth2")
    page.get_by_label("Provider").select_option("microsoft")
    page.get_by_label("Client id").fill("0b7e6a1c")
    page.get_by_label("User name").fill("help@company.example")
    page.get_by_label("Recipients a minute").fill("30")
    accessible(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. Sign in next.")).to_be_visible()
    expect(page.get_by_text("Nobody has signed in yet")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with Microsoft 365")).to_be_visible()
    made = next(item for item in world.senders.values() if item.name == "Microsoft")
    assert (made.auth, made.limits.per_minute, made.limits.connections) == ("oauth2", 30, 4)


def test_a_limit_that_is_no_number_is_told_at_its_field(watched: Watched, world: World) -> None:
    watched.go("/senders/smtp-1")
    page = watched.page
    page.get_by_label("Connections at a time").fill("many")
    page.get_by_role("button", name="Save").click()
    told = "Please give a whole number. 1 to 20, over all notifiers together."
    expect(page.get_by_label("Connections at a time")).to_have_accessible_description(told)
    assert world.senders["smtp-1"].limits.connections == 4


def test_the_test_button_sends_to_whoever_is_named_and_shows_the_dialogues_end(watched: Watched, world: World) -> None:
    watched.go("/senders/smtp-1")
    page = watched.page
    expect(page.get_by_label("Send a mail to")).to_have_value("otto@company.example")
    page.get_by_label("Send a mail to").fill("nobody@company.example")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("heading", name="The connection failed")).to_be_visible()
    expect(page.get_by_text("550 5.1.1 no such user here")).to_be_visible()
    page.get_by_label("Send a mail to").fill("")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("heading", name="The connection works")).to_be_visible()
    assert world.tested == ["nobody@company.example", None]
    accessible(page)
