"""One's own page: name, address for personal answers, own SMTP account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.kit.browsing import ADMINISTRATOR, Watched, accessible
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def _named_as_before(watched: Watched) -> Iterator[None]:
    """The console's users outlive a test."""
    yield
    watched.go("/me")
    watched.page.get_by_label("Your name").fill(ADMINISTRATOR[0])
    watched.page.get_by_label("Your mail address").fill("")
    watched.page.get_by_role("button", name="Save", exact=True).click()


def test_the_own_address_is_set_and_what_is_none_is_refused(watched: Watched) -> None:
    watched.go("/tickets")
    page = watched.page
    page.get_by_role("link", name=ADMINISTRATOR[0]).click()
    page.get_by_label("Your name").fill("Otto B.")
    page.get_by_label("Your mail address").fill("otto..berg@company.example")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Your mail address")).to_have_accessible_description(
        "is no mail address. Give one such as anna@company.example, without a name or brackets "
        "“Answer by mail” comes from it, unless your own SMTP account below has another. "
        "Blank: you cannot answer by mail, only from the mailbox."
    )
    page.get_by_label("Your mail address").fill("otto.berg@company.example")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    expect(page.get_by_label("Your mail address")).to_have_value("otto.berg@company.example")
    expect(page.get_by_role("link", name="Otto B.")).to_be_visible()
    accessible(page)


def test_the_own_account_is_kept_tested_and_forgotten(watched: Watched, world: World) -> None:
    watched.go("/me")
    page = watched.page
    page.get_by_label("SMTP server").fill("smtp.company.example")
    page.get_by_label("User name").fill("otto")
    expect(page.get_by_label("From address")).to_have_accessible_description("Blank: your mail address, as above.")
    expect(page.get_by_label("From name")).to_have_accessible_description("Blank: your name, as above.")
    expect(page.get_by_label("Answers come back to an address with the ticket in it")).to_have_count(0)
    page.get_by_label("Reply to").fill("otto@elsewhere.example")
    page.get_by_role("button", name="Save the account").click()
    expect(page.get_by_label("Password")).to_have_accessible_description("is needed: none is saved for this server and user name")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Save the account").click()
    expect(page.get_by_role("status")).to_contain_text("Your personal answers leave by this account")
    assert world.own_sender is not None
    assert (world.own_sender.server, world.own_sender.username) == ("smtp.company.example", "otto")
    assert world.own_sender.reply_to == "otto@elsewhere.example"
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("heading", name="The connection works")).to_be_visible()
    assert world.tested == ["otto@company.example"]
    accessible(page)
    page.get_by_role("button", name="Forget this account").click()
    expect(page.get_by_role("status")).to_contain_text("The account is forgotten")
    assert world.own_sender is None
