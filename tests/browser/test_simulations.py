"""Rules tried on mails, as an administrator does it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.kit.browsing import Console, Watched, accessible, new_context
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

RULES = "/mailboxes/support/rules"
PATHS = [
    f"{RULES}/try",
    f"{RULES}/try?version=6",
    f"{RULES}/tried/ready",
    f"{RULES}/tried/ready?change=outcome",
    f"{RULES}/tried/ready/mails/1",
]
MAIL = "From: Berta <berta@customer.example>\nSubject: Chairs\n\nWhere are they?\n"


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_and_quiet(watched: Watched, path: str) -> None:
    watched.go(path)
    accessible(watched.page)
    watched.page.emulate_media(color_scheme="dark")
    watched.page.set_viewport_size({"width": 390, "height": 844})
    accessible(watched.page)


def test_a_changed_rule_is_tried_and_then_switched_on(watched: Watched, world: World) -> None:
    watched.go(f"{RULES}/r4")
    page = watched.page
    page.get_by_label("Name").fill("Everything that is left")
    page.get_by_role("button", name="Try on mails first").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Try the changed rules on mails")
    page.get_by_label("How many").fill("4")
    page.get_by_role("button", name="Try", exact=True).click()
    page.get_by_role("link", name="Show what would change").click()
    expect(page.get_by_role("heading", name="2 of 4 mails would change")).to_be_visible()
    made = next(one for key, one in world.simulations.items() if key != "ready")
    assert [rule.name for rule in made.rules][-1] == "Everything that is left"
    page.get_by_role("button", name="Switch these rules on").click()
    expect(page).to_have_url(re.compile(f"{RULES}$"))
    assert world.applied == [made.id]


def test_a_mail_says_what_it_became_what_it_would_become_and_why(watched: Watched) -> None:
    watched.go(f"{RULES}/tried/ready")
    page = watched.page
    page.get_by_role("navigation", name="Which mails").get_by_role("link", name="Another result").click()
    expect(page.get_by_role("link", name="Chairs")).to_have_count(0)
    page.get_by_role("link", name="Our spring offers").click()
    expect(page.get_by_text("mailing list or bulk")).to_be_visible()
    expect(page.get_by_text("Archived by “Newsletters”")).to_be_visible()
    expect(page.get_by_text("No condition: matches every mail.")).to_be_visible()


def test_an_uploaded_mail_is_tried_without_scripts(console: Console, signed_in_state: dict[str, object], browser: Browser) -> None:
    context = new_context(browser, signed_in_state, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{console.url}{RULES}/try")
    page.get_by_label("A mail from a file").check()
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_text("Choose a file.")).to_be_visible()
    page.get_by_label("A mail from a file").check()
    page.get_by_label("File (.eml)").set_input_files({"name": "mail.eml", "mimeType": "message/rfc822", "buffer": MAIL.encode()})
    page.get_by_role("button", name="Try", exact=True).click()
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("heading", name="1 of 1 mail would change")).to_be_visible()
    expect(page.get_by_role("link", name="Pasted")).to_be_visible()
    context.close()


def test_mails_are_chosen_from_the_newest(watched: Watched, world: World) -> None:
    watched.go(f"{RULES}/try")
    page = watched.page
    page.get_by_label("Some of the newest mails").check()
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_text("Tick at least one mail.")).to_be_visible()
    box = page.get_by_role("group", name="Mails", exact=True).get_by_role("checkbox").first
    mail_id = box.get_attribute("value")
    box.check()
    accessible(page)
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("tried on mails")
    assert world.asked is not None
    assert world.asked.mails.ids == [mail_id]


def test_a_mail_is_tried_from_its_own_page(watched: Watched) -> None:
    watched.go("/mails/mail-2")
    watched.page.get_by_role("button", name="Try today's rules on it").click()
    expect(watched.page.get_by_role("heading", level=1)).to_contain_text("tried on mails")
