"""Contacts, accounts and leads, as an operator works with them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from shared.http import ProblemError
from tests.kit.browsing import Watched, accessible
from tests.kit.stand_in_spam import finish_work
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

PATHS = [
    "/contacts",
    "/accounts",
    "/leads",
    "/leads?q=nobody",
    "/contacts/c1",
    "/accounts/a1",
    "/leads/l1",
    "/contacts/new",
    "/accounts/a1/edit",
    "/leads/l1/edit",
    "/contacts/c1/delete",
    "/contacts/c1/merge",
    "/contacts/c1/merge?q=keller",
    "/contacts/c1/merge?other=c2",
    "/contacts/import",
]
FILE = b"Nome;E-mail\r\nCarla Citt\xe0;carla@x.example\r\n"
"""As Windows writes it."""


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_and_quiet(watched: Watched, path: str) -> None:
    watched.go(path)
    accessible(watched.page)
    watched.page.emulate_media(color_scheme="dark")
    watched.page.set_viewport_size({"width": 390, "height": 844})
    accessible(watched.page)


def test_the_three_sorts_are_reached_from_the_navigation(watched: Watched) -> None:
    watched.go("/tickets")
    page = watched.page
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Registry").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Contacts")
    for name in ("Accounts", "Leads"):
        page.get_by_role("navigation", name="Registry").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
    current = page.get_by_role("navigation", name="Main").get_by_role("link", name="Registry")
    expect(current).to_have_attribute("aria-current", "page")


def test_a_contact_is_made_edited_and_deleted(watched: Watched, world: World) -> None:
    watched.go("/contacts/new")
    page = watched.page
    page.get_by_label("Name").fill("Bo Ek")
    page.get_by_label("E-mail addresses").fill("bo@x.example\nbo.ek@x.example")
    page.get_by_label("Account").select_option(label="Customer & Sons")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Bo Ek")
    made = next(item for item in world.contacts.values() if item.name == "Bo Ek")
    assert (made.addresses, made.account_id) == (["bo@x.example", "bo.ek@x.example"], "a1")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Phone").fill("+39 02 1")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("+39 02 1")).to_be_visible()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete the contact").click()
    expect(page).to_have_url(re.compile("/contacts$"))
    assert made.id not in world.contacts


def test_an_address_that_another_has_is_told_at_its_field(watched: Watched, world: World) -> None:
    watched.go("/contacts/new")
    page = watched.page
    page.get_by_label("Name").fill("Bo")
    page.get_by_label("E-mail addresses").fill("anna@customer.example")
    world.refuse = ProblemError(409, "Address taken", "anna@customer.example belongs to the contact “Anna Keller” (c1).")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("E-mail addresses")).to_have_accessible_description(re.compile("belongs to the contact “Anna Keller”"))
    expect(page.get_by_label("E-mail addresses")).to_have_value("anna@customer.example")


def test_a_record_shows_its_account_tickets_and_mails(watched: Watched) -> None:
    watched.go("/contacts/c1")
    page = watched.page
    expect(page.get_by_role("link", name="Invoice wrong – Überweisung")).to_be_visible()
    expect(page.get_by_text("filed without a ticket, by the rule “File with sender”")).to_be_visible()
    expect(page.get_by_role("link", name="ticket 128")).to_be_visible()
    page.get_by_role("link", name="Customer & Sons").click()
    expect(page.get_by_role("link", name="Anna Keller")).to_be_visible()


def test_doubles_are_chosen_looked_at_and_merged(watched: Watched, world: World) -> None:
    watched.go("/contacts/c1/merge")
    page = watched.page
    page.get_by_label("Search for the others").fill("keller")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("checkbox")).to_have_count(1)
    page.get_by_label("A. Keller").check()
    page.get_by_role("button", name="Choose these").click()
    after = page.locator("form", has=page.get_by_role("button", name="Merge them"))
    expect(after).to_contain_text("anna.keller@home.example")
    expect(after).to_contain_text("+39 02 1234")
    page.get_by_role("button", name="Merge them").click()
    expect(page.get_by_text("They are one now.")).to_be_visible()
    assert "c2" not in world.contacts


def test_a_file_is_tried_and_then_taken_in(watched: Watched, world: World) -> None:
    watched.go("/contacts/import")
    page = watched.page
    page.get_by_label("CSV file").set_input_files({"name": "people.csv", "mimeType": "text/csv", "buffer": FILE})
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    accessible(page)
    finish_work(world)
    page.get_by_role("link", name="Show what came of it").click()
    expect(page.get_by_role("heading", name="What the import would do")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("^5 Bo Refused"))).to_contain_text("is no e-mail address")
    expect(page.get_by_text("No field is known for these columns")).to_contain_text("Codice")
    accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    accessible(page)
    page.get_by_role("button", name="Import now").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    finish_work(world)
    page.get_by_role("link", name="Show what came of it").click()
    expect(page.get_by_role("heading", name="What the import did")).to_be_visible()


def test_what_is_no_table_is_told_and_can_be_corrected(watched: Watched) -> None:
    watched.go("/leads/import")
    page = watched.page
    page.get_by_label("Or paste it").fill("Bo;1")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("alert")).to_contain_text("no column of e-mail addresses")
    expect(page.get_by_label("Or paste it")).to_have_value("Bo;1")
    accessible(page)
