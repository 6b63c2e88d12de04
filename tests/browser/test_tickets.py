"""The desk as an operator works at it: finding, views, one ticket's fields, belonging, originals, answers, history, settings."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from shared import api
from shared.events import TicketEventType
from shared.http import ProblemError
from tests.kit.browsing import Console, Watched, accessible
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c494441"
    "54789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def titles(page: Page) -> list[str]:
    return page.locator(".tickets td.title a").all_inner_texts()


def meanwhile(world: World, actor: str, **values: Any) -> None:
    """Somebody else changes ticket 127, as the service would note it."""
    before = world.tickets[127]
    world.tickets[127] = before.model_copy(update={**values, "version": before.version + 1})
    fields = [api.FieldChange(field=name, before=getattr(before, name), after=value) for name, value in values.items()]
    entry = api.TicketChange(id=99_999, at=datetime.now(UTC), actor=actor, type=TicketEventType.UPDATED, changes=fields)
    world.history[127].append(entry)


def status(world: World) -> str:
    """Of ticket 127, as it is stored."""
    return world.tickets[127].status


def many_messages(world: World, count: int) -> None:
    pattern = world.messages[127][0]
    world.messages[127] = [pattern.model_copy(update={"id": f"n{number}", "text": f"Message number {number}."}) for number in range(count)]


def test_several_statuses_and_other_filters_stand_in_the_address(watched: Watched) -> None:
    watched.go("/tickets")
    page = watched.page
    page.get_by_role("search").get_by_label("In progress").check()
    page.get_by_role("search").get_by_label("Waiting for the customer").check()
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("status=in_progress&status=waiting"))
    assert titles(page) == ["Chairs instead of tables", "Call Mr. Rossi back"]
    page.get_by_text("More filters").click()
    page.get_by_label("Source").select_option("manual")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="Chairs instead of tables")).to_have_count(0)
    assert titles(page) == ["Call Mr. Rossi back"]
    expect(page.get_by_label("Source")).to_be_visible()


def test_a_number_finds_its_ticket_and_nothing_found_says_what_to_do(watched: Watched) -> None:
    watched.go("/tickets")
    page = watched.page
    page.get_by_label("Search").fill("#126")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="Chairs instead of tables")).to_have_count(0)
    assert titles(page) == ["Call Mr. Rossi back"]
    page.get_by_label("Search").fill("nothing of the sort")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="show all tickets")).to_be_visible()


def test_a_view_is_saved_renamed_shared_and_deleted(watched: Watched, world: World) -> None:
    watched.go("/tickets?status=waiting")
    page = watched.page
    page.get_by_text("Save as a view").click()
    page.get_by_label("Name").fill("Waiting for long")
    page.get_by_role("button", name="Save").click()
    tab = page.get_by_role("navigation", name="Views").get_by_role("link", name="Waiting for long")
    expect(tab).to_have_attribute("aria-current", "page")
    made = next(view for view in world.views.values() if view.name == "Waiting for long")
    assert made.filter.status == ["waiting"]
    assert not made.shared
    page.get_by_text("Edit this view").click()
    page.get_by_label("Name").fill("Patience")
    page.get_by_label("Everybody sees it").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Patience")).to_be_visible()
    assert world.views[made.id].shared
    page.get_by_text("Edit this view").click()
    page.get_by_role("button", name="Delete this view").click()
    expect(page.get_by_role("status").filter(has_text="The view is deleted")).to_be_visible()
    assert made.id not in world.views


def test_a_view_of_somebody_else_is_only_looked_at(watched: Watched, world: World) -> None:
    world.views["v2"] = world.views["v2"].model_copy(update={"shared": True})
    watched.go("/tickets")
    watched.page.get_by_role("link", name="Invoices shared").click()
    expect(watched.page.get_by_role("heading", name="Invoices")).to_be_visible()
    assert titles(watched.page) == ["Invoice wrong – Überweisung"]


def test_ticked_tickets_are_given_away_and_closed_at_once(watched: Watched, world: World) -> None:
    watched.go("/tickets?source=mail")
    page = watched.page
    page.get_by_label("Ticket 127").check()
    page.get_by_label("Ticket 125").check()
    expect(page.get_by_text("2 tickets ticked:")).to_be_visible()
    page.get_by_label("New status").select_option("closed")
    page.get_by_label("New assignee").select_option("me")
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="2 tickets are changed")).to_be_visible()
    expect(page).to_have_url(re.compile("source=mail"))
    assert {(world.tickets[key].status, world.tickets[key].assignee) for key in (125, 127)} == {("closed", "otto@company.example")}


def test_what_is_ticked_and_chosen_stays_when_the_list_changes_meanwhile(watched: Watched, world: World) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page = watched.page
    page.route("**/live", hold)
    watched.go("/tickets?source=mail")
    page.get_by_label("Ticket 127").check()
    page.get_by_label("New status").select_option("closed")
    page.get_by_label("New status").focus()
    world.tickets[128] = world.tickets[128].model_copy(update={"title": "Changed meanwhile"})
    held[0].continue_()
    expect(page.get_by_role("link", name="Changed meanwhile")).to_be_visible()
    expect(page.get_by_label("Ticket 127")).to_be_checked()
    expect(page.get_by_label("New status")).to_have_value("closed")
    expect(page.get_by_label("New status")).to_be_focused()


def test_the_keyboard_leads_through_the_list_and_into_the_answer(watched: Watched) -> None:
    watched.go("/tickets")
    page = watched.page
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_label("Ticket 127")).to_be_checked()
    page.keyboard.press("k")
    page.keyboard.press("j")
    watched.go("/tickets/127")
    page.keyboard.press("i")
    expect(page.get_by_role("textbox", name="Internal note")).to_be_focused()
    page.keyboard.type("jx/")
    expect(page.get_by_role("textbox", name="Internal note")).to_have_value("jx/")
    page.get_by_text("Keyboard shortcuts").click()
    page.get_by_label("Use them").uncheck()
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("u")
    expect(page).to_have_url(re.compile("/tickets/127"))


def test_fields_are_changed_and_the_history_tells_it(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_label("Status").select_option("waiting")
    page.get_by_label("Category").fill("Orders")
    page.get_by_text("Tags, watchers, external code").click()
    page.get_by_label("Tags").fill("Chairs, tables, chairs")
    page.get_by_label("Watchers").fill("boss@customer.example")
    page.get_by_label("External code").fill("ERP-7")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    history = page.locator(".entries")
    expect(history).to_contain_text("You changed the status from In progress to Waiting for the customer")
    expect(history).to_contain_text("You added the tags chairs, tables")
    assert world.tickets[127].external_code == "ERP-7"
    assert world.tickets[127].watchers == ["boss@customer.example"]
    page.get_by_text("Edit the title").click()
    page.get_by_label("Title").fill("Two tables too many")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Two tables too many")
    expect(history).to_contain_text("renamed it from “Chairs instead of tables”")


def test_one_click_gives_the_ticket_to_me(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    watched.page.get_by_role("button", name="Give to me").click()
    expect(watched.page.get_by_label("Assignee")).to_have_value("otto@company.example")
    expect(watched.page.get_by_role("button", name="Give to me")).to_have_count(0)
    assert world.tickets[127].assignee == "otto@company.example"


def test_somebody_was_faster_at_the_same_field_and_nothing_typed_is_lost(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    meanwhile(world, "user:bea@company.example", status="waiting")
    page.get_by_label("Status").select_option("closed")
    page.get_by_role("button", name="Save", exact=True).click()
    told = page.get_by_role("alert")
    expect(told).to_contain_text("somebody was faster")
    expect(told).to_contain_text("bea@company.example changed the status from In progress to Waiting for the customer")
    expect(page.get_by_label("Status")).to_have_value("closed")
    assert status(world) == "waiting"
    accessible(page)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert status(world) == "closed"


def test_a_change_of_another_field_stays_and_is_told(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    meanwhile(world, "user:bea@company.example", priority="urgent")
    page.get_by_label("Status").select_option("closed")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(
        page.get_by_role("status").filter(has_text="Meanwhile: bea@company.example changed the priority from high to urgent")
    ).to_be_visible()
    assert (world.tickets[127].status, world.tickets[127].priority) == ("closed", "urgent")


def test_a_strangers_ticket_is_accepted_by_one_click(watched: Watched, world: World) -> None:
    watched.go("/tickets/121")
    page = watched.page
    expect(page.get_by_text("Opened because Eve Stranger takes no part in #127.")).to_be_visible()
    page.get_by_role("button", name="Accept into #127").click()
    expect(page).to_have_url(re.compile("/tickets/127$"))
    expect(page.get_by_text("#121 is part of this ticket.")).to_be_visible()
    assert world.tickets[121].merged_into == 127
    watched.go("/tickets/121")
    expect(page.get_by_text("This ticket is part of #127 since")).to_be_visible()
    expect(page.get_by_label("Your answer")).to_have_count(0)


def test_merging_shows_both_titles_before_it_is_done(watched: Watched, world: World) -> None:
    watched.go("/tickets/125")
    page = watched.page
    page.get_by_role("link", name="Merge into another ticket").click()
    page.get_by_label("Number or words").fill("chairs")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="127 Chairs instead of tables").click()
    card = page.locator("form.card")
    expect(card).to_contain_text("You have won a prize")
    expect(card).to_contain_text("Chairs instead of tables")
    assert world.tickets[125].merged_into is None
    page.get_by_role("button", name="Merge into 127").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Chairs instead of tables")
    assert world.tickets[125].merged_into == 127


def test_a_message_becomes_a_ticket_of_its_own(watched: Watched, world: World) -> None:
    watched.go("/tickets/128")
    page = watched.page
    page.get_by_role("link", name="Make it a ticket of its own").nth(3).click()
    page.get_by_label("Title of the new ticket").fill("Another matter")
    page.get_by_role("button", name="Make a new ticket").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Another matter")
    assert [message.id for message in world.messages[128]] == ["m1", "m2", "m3", "m5"]


def test_a_ticket_is_deleted_and_brought_back(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This ticket is deleted.")).to_be_visible()
    assert world.tickets[127].deleted
    page.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_label("Your answer")).to_be_visible()
    assert not world.tickets[127].deleted


def test_a_ticket_is_made_by_hand_with_all_its_fields(watched: Watched, world: World) -> None:
    watched.go("/tickets/new")
    page = watched.page
    page.get_by_label("Title").fill("Order new chairs")
    page.get_by_label("Description").fill("Four of them.")
    page.get_by_label("Priority").select_option("urgent")
    page.get_by_label("Category").fill("Orders")
    page.get_by_label("Assignee").fill("Otto@company.example")
    page.get_by_label("Tags").fill("furniture")
    page.get_by_role("button", name="Make the ticket").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order new chairs")
    expect(page.get_by_text("Four of them.")).to_be_visible()
    made = max(world.tickets.values(), key=lambda item: item.id)
    assert (made.priority, made.category, made.assignee, made.tags) == ("urgent", "Orders", "otto@company.example", ["furniture"])
    expect(page.get_by_text("Nobody gets a mail")).to_be_visible()


def test_a_long_ticket_shows_the_newest_and_folds_the_rest(watched: Watched, world: World) -> None:
    many_messages(world, 500)
    watched.go("/tickets/127")
    page = watched.page
    expect(page.get_by_text("Message number 499.")).to_be_visible()
    expect(page.locator("#conversation").get_by_text("Message number 489.").first).to_be_hidden()
    assert page.locator("li.message").count() <= 50
    page.get_by_text("490 older messages").click()
    page.get_by_role("link", name="Show all 500 messages").click()
    first = page.locator(".message-folded").first
    expect(first).to_contain_text("Message number 0.")
    first.locator("summary").first.click()
    expect(first.get_by_role("article")).to_be_visible()


def test_the_original_is_shown_headers_first_and_cut_when_long(watched: Watched, world: World) -> None:
    watched.go("/tickets/128")
    page = watched.page
    page.get_by_role("link", name="Show original").first.click()
    expect(page.locator("pre").first).to_contain_text("Subject: Invoice wrong")
    expect(page.locator("pre").last).to_have_text("My invoice is wrong. <b>Bold?</b>")
    world.originals["m1"] = b"Subject: Long\r\n\r\n" + b"a" * 600_000
    page.reload()
    expect(page.get_by_text("It is long")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download .eml").click()
    assert waiting.value.path().read_bytes() == world.originals["m1"]


def test_a_blocked_attachment_says_why(watched: Watched) -> None:
    watched.go("/tickets/128")
    files = watched.page.get_by_label("Attachments").first
    expect(files).to_contain_text("Files that end in .exe are not handed out.")
    expect(files.get_by_role("link")).to_have_count(1)
    expect(files.get_by_role("link")).to_contain_text("application/pdf, 183 KB")


def test_a_picture_of_the_mail_is_shown_in_its_place(watched: Watched, world: World) -> None:
    file = api.AttachmentView(id="9", name="logo.png", type="image/png", size=len(PIXEL), inline=True)
    html = '<p>See</p><img alt="Logo" src="/api/v1/tickets/128/attachments/9?inline=true">'
    world.files["9"] = PIXEL
    world.messages[128][3] = world.messages[128][3].model_copy(update={"html": html, "attachments": [file]})
    watched.go("/tickets/128")
    picture = watched.page.frame_locator("iframe").get_by_role("img", name="Logo")
    watched.page.keyboard.press("End")  # it is loaded when it comes into view
    expect(picture).to_have_js_property("naturalWidth", 1)


def test_an_answer_says_who_gets_it_and_a_note_goes_to_nobody(watched: Watched, world: World) -> None:
    watched.go("/tickets/128")
    page = watched.page
    expect(page.locator(".to")).to_contain_text("anna@customer.example")
    expect(page.get_by_role("group", name="Cc").get_by_label("accounting@customer.example")).to_be_checked()
    page.get_by_label("Your answer").fill("Dear Anna")
    page.get_by_role("radio", name="Internal note").check()
    expect(page.get_by_role("button", name="Send answer")).to_be_hidden()
    expect(page.get_by_role("textbox", name="Internal note")).to_have_value("")
    page.get_by_role("textbox", name="Internal note").fill("She is angry.")
    page.get_by_role("button", name="Save internal note").click()
    expect(page.get_by_role("article", name="Internal note").last).to_contain_text("She is angry.")
    assert world.messages[128][-1].kind == "note"


def test_what_somebody_must_look_at_is_flagged_found_and_taken_off(watched: Watched, world: World) -> None:
    watched.go("/tickets")
    page = watched.page
    expect(page.get_by_role("row", name="Invoice wrong")).to_contain_text("Look at this")
    page.get_by_label("Only what somebody must look at").check()
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("attention=true"))
    assert titles(page) == ["Invoice wrong – Überweisung"]
    page.get_by_role("link", name="Invoice wrong").click()
    expect(page.get_by_role("alert")).to_contain_text("An answer did not reach anna@customer.example: 550 5.1.1")
    page.get_by_role("button", name="Seen").click()
    expect(page.get_by_role("status").filter(has_text="The warning is taken off")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert world.tickets[128].attention is None
    watched.go("/tickets")
    page.get_by_role("link", name="To look at").click()
    expect(page.get_by_role("heading", name="No ticket fits")).to_be_visible()


def test_the_desk_names_its_statuses(watched: Watched, world: World) -> None:
    watched.go("/ticket-settings")
    page = watched.page
    page.get_by_label("In progress").fill("Being worked on")
    page.get_by_label("Priorities").fill("low\nnormal\nhot")
    page.get_by_label("Categories").fill("Orders\nReturns\n")
    page.get_by_label("Seconds an answer waits").fill("30")
    page.get_by_label("To one address in 24 hours").fill("0")
    expect(page.get_by_label("Acknowledge also where the mail provider does not write")).to_be_checked()
    page.get_by_label("Acknowledge also where the mail provider does not write").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert world.ticket_settings.priorities == ["low", "normal", "hot"]
    assert (world.ticket_settings.undo_seconds, world.ticket_settings.automatic_per_sender) == (30, 0)
    assert not world.ticket_settings.acknowledge_unchecked
    watched.go("/tickets")
    expect(page.get_by_role("row", name="Chairs instead of tables")).to_contain_text("Being worked on")
    world.refuse = ProblemError(412, "Changed meanwhile", "Somebody changed it.")
    watched.go("/ticket-settings")
    page.get_by_label("Categories").fill("Kept")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody changed these settings meanwhile")
    expect(page.get_by_label("Categories")).to_have_value("Kept")


def test_the_tickets_pages_work_without_scripts(console: Console, world: World, scriptless: Page) -> None:
    page = scriptless
    page.goto(f"{console.url}/tickets")
    page.get_by_label("Ticket 127").check()
    page.get_by_label("New status").select_option("closed")
    page.get_by_role("button", name="Change", exact=True).click()
    assert status(world) == "closed"
    page.goto(f"{console.url}/tickets/127")
    page.get_by_label("Status").select_option("open")
    page.get_by_role("button", name="Save", exact=True).click()
    assert status(world) == "open"
    page.get_by_role("radio", name="Internal note").check()
    page.get_by_role("textbox", name="Internal note").fill("Plain.")
    page.get_by_role("button", name="Save internal note").click()
    assert (world.messages[127][-1].kind, world.messages[127][-1].text) == ("note", "Plain.")
