"""The box an answer is written in: who it says the answer is from, where none can leave, and what it keeps when one is refused."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from shared import api
from shared.http import ProblemError
from tests.kit.browsing import Console, Watched, accessible, new_context
from tests.kit.stand_in_world import World, new_sender

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

PDF: FilePayload = {"name": "Manual.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}
GONE = ProblemError(409, "Not now", "The ticket is being merged; try again.")


def without_identity(world: World) -> None:
    world.scanners["support"] = world.scanners["support"].model_copy(update={"sender_id": None})


def envelope(page: Page) -> list[str]:
    """Its visible lines: `From: …`."""
    names, values = (page.locator(f".to {part}:visible").all_inner_texts() for part in ("dt", "dd"))
    return [f"{name}: {value}" for name, value in zip(names, values, strict=True)]


def test_without_an_identity_an_answer_is_kept_and_the_box_says_until_when(watched: Watched, world: World) -> None:
    without_identity(world)
    watched.go("/tickets/127")
    page = watched.page
    expect(page.get_by_text("Support has no SMTP identity yet: the answer is kept")).to_be_visible()
    expect(page.get_by_text("Nobody gets a mail")).to_have_count(0)
    expect(page.get_by_role("link", name="Set it now")).to_have_attribute("href", "/mailboxes/support/edit")
    accessible(page)
    page.get_by_label("Your answer").fill("Dear Bo")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("status").filter(has_text="leaves as soon as the mailbox has an SMTP identity")).to_be_visible()
    assert [(number, sent.body) for number, sent in world.answers.sent] == [(127, "Dear Bo")]


def test_a_personal_answer_waits_for_an_identity_only_without_an_account_of_ones_own(watched: Watched, world: World) -> None:
    without_identity(world)
    world.answers.personal_sender = "otto@company.example"
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_role("radio", name="Answer by mail").check()
    expect(page.get_by_text("you have no SMTP account of your own")).to_be_visible()
    world.own_sender = api.PersonalSender(id="own", name="Otto", server="smtp.company.example")
    page.reload()
    page.get_by_role("radio", name="Answer by mail").check()
    expect(page.get_by_text("no SMTP identity yet")).to_be_hidden()
    page.get_by_label("Your answer").fill("From me")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()


def test_where_nobody_can_be_answered_only_a_note_is_offered(watched: Watched, world: World) -> None:
    world.tickets[127] = world.tickets[127].model_copy(update={"sender": None})
    watched.go("/tickets/127")
    page = watched.page
    expect(page.get_by_text("names no address to answer to")).to_be_visible()
    expect(page.get_by_role("textbox", name="Comment")).to_have_count(0)
    expect(page.get_by_role("button", name="Send answer")).to_have_count(0)
    accessible(page)
    page.get_by_role("textbox", name="Internal note").fill("Noted")
    page.get_by_role("button", name="Save internal note").click()
    expect(page.get_by_role("article", name="Internal note").last).to_contain_text("Noted")


def test_a_comment_on_a_ticket_made_by_hand_mails_nobody(watched: Watched, world: World) -> None:
    watched.go("/tickets/126")
    page = watched.page
    world.messages[126] = []
    page.reload()
    expect(page.get_by_text("Nobody gets a mail: the ticket has no customer's address.")).to_be_visible()
    page.get_by_role("textbox", name="Comment").fill("Called him")
    page.get_by_role("button", name="Add comment").click()
    expect(page.get_by_role("article", name="Comment").last).to_contain_text("Called him")
    assert world.messages[126][-1].deliveries == []


def test_the_box_shows_from_whom_the_answer_will_be(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    assert envelope(page)[0].startswith("From: Support <help@company.example> What the customer writes back")
    assert not any(line.startswith("Reply to") for line in envelope(page))
    world.senders["smtp-1"] = new_sender("smtp-1", "Relay", address="noreply@provider.example", display_name="ACME", plus_addressing=True)
    page.reload()
    assert envelope(page)[0].startswith("From: ACME <noreply@provider.example>")
    assert envelope(page)[1] == "Reply to: help+127@company.example"
    world.answers.personal_sender = "otto@company.example"
    address, name = "o.berg@provider.example", "Otto B."
    world.own_sender = api.PersonalSender(id="own", name="Otto", server="smtp.provider.example", address=address, display_name=name)
    page.reload()
    page.get_by_role("radio", name="Answer by mail").check()
    assert envelope(page)[0].startswith("From: Otto B. <o.berg@provider.example> What the customer writes back goes to you")


def test_a_canned_answer_stands_for_what_the_mail_would_have(watched: Watched, world: World) -> None:
    text = "{{ customer.name }}|{{ customer.address }}|{{ mailbox.name }}|{{ mailbox.address }}|{{ operator.address }}"
    world.templates["t1"] = world.templates["t1"].model_copy(update={"text": text})
    world.tickets[127] = world.tickets[127].model_copy(update={"sender": "bo@customer.example"})
    world.senders["smtp-1"] = new_sender("smtp-1", "Relay", address="desk@provider.example", display_name="ACME")
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_role("combobox", name="Canned answer").select_option("We look into it")
    page.get_by_role("button", name="Put in").click()
    expect(page.get_by_label("Your answer")).to_have_value("|bo@customer.example|ACME|desk@provider.example|")


def test_a_canned_answer_that_does_not_come_is_said_so(watched: Watched) -> None:
    watched.go("/tickets/127")
    page = watched.page
    page.route("**/canned/*", lambda route: route.abort())
    page.get_by_role("combobox", name="Canned answer").select_option("We look into it")
    page.get_by_role("button", name="Put in").click()
    expect(page.get_by_role("alert").filter(has_text="Nothing was put in: the console does not answer.")).to_be_visible()
    watched.complaints.clear()  # the browser tells of each request that failed


def test_files_of_a_refused_answer_stay_ticked_with_scripts(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_label("Attach files").set_input_files([PDF])
    expect(page.get_by_role("checkbox", name="Manual.pdf")).to_be_checked()
    page.route("**/draft", lambda route: route.abort() if route.request.method == "PUT" else route.continue_())
    page.get_by_label("Your answer").fill("See the file")
    refuse_replies(page, world)
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_text("The ticket is being merged; try again.")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Manual.pdf")).to_be_checked()
    accessible(page)
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()
    assert world.answers.sent[-1][1].attachments == ["up-127-0"]
    watched.complaints.clear()  # of the drafts that could not be kept


def refuse_replies(page: Page, world: World) -> None:
    """The next answer that is sent is refused."""

    def refuse(route: Route) -> None:
        world.refuse = GONE
        route.continue_()

    page.route("**/comments", refuse, times=1)


def test_files_of_a_refused_answer_stay_ticked_without_scripts(console: Console, world: World, scriptless: Page) -> None:
    page = scriptless
    page.goto(f"{console.url}/tickets/127")
    page.get_by_label("Your answer").fill("See the file")
    page.get_by_label("Attach files").set_input_files([PDF])
    world.answers.refusal = "The mailbox is being moved."
    page.get_by_role("button", name="Send answer").click()
    world.answers.refusal = None
    assert world.answers.drafts[127].attachments == ["up-127-0"]
    page.goto(f"{console.url}/tickets/127")
    assert page.get_by_role("checkbox", name="Manual.pdf").is_checked()
    page.get_by_role("button", name="Send answer").click()
    assert world.answers.sent[-1][1].attachments == ["up-127-0"]


def test_files_that_could_not_be_kept_are_said_to_be_gone(console: Console, world: World, scriptless: Page) -> None:
    page = scriptless
    page.goto(f"{console.url}/tickets/127")
    page.get_by_label("Your answer").fill("See the file")
    page.get_by_label("Attach files").set_input_files([PDF])
    there = api.DraftIn(body="Of another window")
    world.answers.saved = 7
    world.answers.drafts[127] = api.Draft(**there.model_dump(), version=7, updated_at=world.tickets[127].updated_at)
    page.get_by_role("button", name="Keep as a draft").click()
    expect(page.get_by_text("changed in another window meanwhile")).to_be_visible()
    expect(page.get_by_text("One file was not kept with the draft: attach it again.")).to_be_visible()
    assert page.get_by_label("Your answer").input_value() == "See the file"
    assert world.answers.drafts[127].body == "Of another window"


def test_too_much_at_one_time_is_a_page_that_says_what_to_do(console: Console, world: World, scriptless: Page) -> None:
    page = scriptless
    page.goto(f"{console.url}/tickets/127")
    expect(page.get_by_text("Up to 10.0 MB in all at one time")).to_be_visible()
    page.get_by_label("Your answer").fill("See the files")
    large: FilePayload = {"name": "a.pdf", "mimeType": "application/pdf", "buffer": bytes(6_000_000)}
    page.get_by_label("Attach files").set_input_files([large, large | {"name": "b.pdf"}])
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("heading", name="Too much at one time")).to_be_visible()
    expect(page.get_by_text("what you wrote is still there")).to_be_visible()
    page.go_back()
    assert page.get_by_label("Your answer").input_value() == "See the files"
    assert not world.answers.sent


def test_with_scripts_the_files_may_be_more_together(watched: Watched) -> None:
    watched.go("/tickets/127")
    expect(watched.page.get_by_text("Each up to 10.0 MB, together up to 50.0 MB.")).to_be_visible()
    expect(watched.page.get_by_text("in all at one time")).to_be_hidden()


def test_a_refused_note_leaves_the_answer_that_is_begun_in_its_field(console: Console, world: World, scriptless: Page) -> None:
    page = scriptless
    page.goto(f"{console.url}/tickets/127")
    page.get_by_label("Your answer").fill("Dear Bo")
    page.get_by_role("button", name="Keep as a draft").click()
    page.get_by_role("radio", name="Internal note").check()
    page.get_by_role("textbox", name="Internal note").fill("He is angry.")
    world.refuse = GONE
    page.get_by_role("button", name="Save internal note").click()
    expect(page.get_by_text("The ticket is being merged; try again.")).to_be_visible()
    assert page.get_by_role("textbox", name="Internal note").input_value() == "He is angry."
    assert page.get_by_label("Your answer").input_value() == "Dear Bo"
    page.get_by_role("button", name="Save internal note").click()
    assert world.answers.drafts[127].body == "Dear Bo"
    assert page.get_by_label("Your answer").input_value() == "Dear Bo"


def test_a_first_draft_does_not_overwrite_one_of_another_window(
    console: Console, world: World, signed_in_state: dict[str, object], watched: Watched
) -> None:
    watched.go("/tickets/127")
    browser = watched.page.context.browser
    assert browser is not None
    context = new_context(browser, signed_in_state)
    other = context.new_page()
    other.goto(f"{console.url}/tickets/127")
    other.get_by_label("Your answer").fill("There")
    expect(other.get_by_text("Draft saved")).to_be_visible()
    watched.page.get_by_label("Your answer").fill("Here")
    expect(watched.page.get_by_text("changed in another window")).to_be_visible()
    assert world.answers.drafts[127].body == "There"
    context.close()


def test_the_draft_that_was_kept_as_the_page_went_is_no_other_windows(watched: Watched, world: World) -> None:
    """The page may come again before that draft has: it then knows of none."""
    watched.go("/tickets/127")
    page = watched.page
    page.evaluate("sessionStorage.setItem('draft-answer-127', JSON.stringify({ text: 'Just typed', version: '' }))")
    page.reload()
    draft = api.DraftIn(body="Just typed")
    world.answers.saved = 1
    world.answers.drafts[127] = api.Draft(**draft.model_dump(), version=1, updated_at=world.tickets[127].updated_at)
    page.get_by_label("Your answer").fill("Just typed, and more")
    expect(page.get_by_text("Draft saved")).to_be_visible()
    assert world.answers.drafts[127].body == "Just typed, and more"


def test_a_draft_that_could_not_be_kept_is_tried_again_by_itself(watched: Watched, world: World) -> None:
    page = watched.page
    page.clock.install()
    watched.go("/tickets/127")
    world.refuse = ProblemError(503, "Try again shortly", "The service's database is away for the moment.")
    page.get_by_label("Your answer").fill("Kept in the end")
    page.clock.run_for(1_000)
    expect(page.get_by_text("Draft not saved: The service's database is away for the moment.")).to_be_visible()
    assert 127 not in world.answers.drafts
    page.clock.run_for(6_000)
    expect(page.get_by_text("Draft saved")).to_be_visible()
    assert world.answers.drafts[127].body == "Kept in the end"


def test_a_note_that_is_begun_is_thrown_away(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_role("radio", name="Internal note").check()
    expect(page.get_by_role("button", name="Throw away")).to_have_count(0)
    page.get_by_role("textbox", name="Internal note").fill("He is angry.")
    page.get_by_role("button", name="Throw away").click()
    expect(page.get_by_role("status").filter(has_text="thrown away")).to_be_visible()
    expect(page).to_have_url(re.compile("/tickets/127"))
    page.get_by_role("radio", name="Internal note").check()
    expect(page.get_by_role("textbox", name="Internal note")).to_have_value("")
    assert not world.answers.drafts
