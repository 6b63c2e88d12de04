"""Writing an answer: to whom, what goes along, the draft, taking it back, and how it fared."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from shared.events import DeliveryState
from shared.http import ProblemError
from tests.kit.browsing import Console, Watched, accessible
from tests.kit.eventually import eventually
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

PDF: FilePayload = {"name": "Manual.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}


def write(page: Page, text: str) -> None:
    """Typed, and kept by the service."""
    page.get_by_label("Your answer").fill(text)
    expect(page.get_by_text("Draft saved")).to_be_visible()


def send(page: Page) -> None:
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()


def holding(page: Page, pattern: str) -> list[Route]:
    """Requests that wait until the test lets them go on."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(pattern, hold)
    return held


def later(world: World, seconds: int) -> None:
    """The last answer of ticket 127 can be taken back until then."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    world.messages[127][-1] = world.messages[127][-1].model_copy(update={"undo_until": until})


def test_the_draft_is_kept_while_somebody_types_and_gone_once_it_is_sent(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    write(page, "Half a thought")
    assert world.answers.drafts[127].body == "Half a thought"
    page.evaluate("sessionStorage.clear()")  # another browser
    page.reload()
    expect(page.get_by_label("Your answer")).to_have_value("Half a thought")
    send(page)
    expect(page.get_by_label("Your answer")).to_have_value("")
    page.reload()
    expect(page.get_by_label("Your answer")).to_have_value("")
    assert [message.text for message in world.messages[127]].count("Half a thought") == 1
    assert 127 not in world.answers.drafts


def test_what_was_typed_a_moment_ago_is_kept_when_the_page_goes(watched: Watched, world: World) -> None:
    watched.page.clock.install()  # the pause after typing never ends
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_label("Your answer").fill("Just typed")
    watched.go("/tickets")
    eventually(lambda: 127 in world.answers.drafts, what="the draft")
    assert world.answers.drafts[127].body == "Just typed"


def test_while_no_draft_can_be_kept_what_was_typed_survives_a_reload(watched: Watched, world: World) -> None:
    page = watched.page
    watched.go("/tickets/127")
    write(page, "Kept")
    world.refuse = ProblemError(503, "Try again shortly", "The service's database is away for the moment.")
    page.get_by_label("Your answer").fill("Kept, and more")
    expect(page.get_by_text("Draft not saved: The service's database is away for the moment.")).to_be_visible()
    assert world.answers.drafts[127].body == "Kept"
    page.reload()
    expect(page.get_by_label("Your answer")).to_have_value("Kept, and more")
    expect(page.get_by_text("Draft saved")).to_be_visible()


def test_an_answer_waits_for_the_draft_that_is_on_its_way(watched: Watched, world: World) -> None:
    """A draft that came after the answer it became would be there again."""
    page = watched.page
    watched.go("/tickets/127")
    held = holding(page, "**/draft")
    with page.expect_request("**/draft"):
        page.get_by_label("Your answer").fill("Once")
    page.get_by_role("button", name="Send answer").click()
    eventually(lambda: bool(held), what="the draft's request")
    assert not world.answers.sent
    held[0].continue_()
    expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()
    assert 127 not in world.answers.drafts
    assert len(world.answers.sent) == 1


def test_a_draft_of_another_window_is_not_overwritten(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    write(page, "Here")
    world.answers.drafts[127] = world.answers.drafts[127].model_copy(update={"body": "There", "version": 99})
    page.get_by_label("Your answer").fill("Here again")
    expect(page.get_by_text("changed in another window")).to_be_visible()
    assert world.answers.drafts[127].body == "There"


def test_a_note_leaves_the_answer_that_is_begun_alone(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    write(page, "Dear Bo")
    page.get_by_role("radio", name="Internal note").check()
    page.get_by_role("textbox", name="Internal note").fill("He is angry.")
    page.get_by_role("button", name="Save internal note").click()
    expect(page.get_by_role("article", name="Internal note").last).to_contain_text("He is angry.")
    page.get_by_role("radio", name="Answer", exact=True).check()
    expect(page.get_by_label("Your answer")).to_have_value("Dear Bo")
    assert world.answers.drafts[127].body == "Dear Bo"
    assert not world.answers.sent


def test_a_draft_is_thrown_away(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    write(page, "Never mind")
    page.get_by_role("button", name="Throw away").click()
    expect(page.get_by_label("Your answer")).to_have_value("")
    page.reload()
    expect(page.get_by_label("Your answer")).to_have_value("")
    assert not world.answers.drafts


def test_an_answer_is_taken_back_while_it_waits(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    write(page, "Too fast")
    send(page)
    count = page.get_by_role("timer")
    expect(count).to_have_text(re.compile(r"^\d+ s$"))
    first = count.inner_text()
    expect(count).not_to_have_text(first)
    accessible(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status").filter(has_text="taken back")).to_be_visible()
    expect(page.get_by_label("Your answer")).to_have_value("Too fast")
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    expect(page.get_by_label("Delivery").last).to_contain_text("Cancelled")


def test_what_has_left_is_not_taken_back(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    write(page, "Gone")
    send(page)
    later(world, -1)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status").filter(has_text="It has left already")).to_be_visible()
    expect(page.get_by_label("Your answer")).to_have_value("")


def test_the_bar_goes_when_the_time_is_over(watched: Watched, world: World) -> None:
    world.answers.undo_seconds = 2
    watched.go("/tickets/127")
    write(watched.page, "Soon")
    send(watched.page)
    expect(watched.page.get_by_role("timer")).to_have_count(0)
    expect(watched.page.get_by_role("button", name="Undo")).to_have_count(0)


def test_a_double_click_sends_once(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_label("Your answer").fill("Only once")
    page.get_by_role("button", name="Send answer").dblclick()
    expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()
    assert [message.text for message in world.messages[127]].count("Only once") == 1


def test_copies_are_ticked_one_by_one(watched: Watched, world: World) -> None:
    watched.go("/tickets/128")
    page = watched.page
    copies = page.get_by_role("group", name="Cc")
    expect(copies.get_by_label("accounting@customer.example")).to_be_checked()
    expect(copies.get_by_label("Ben Boss")).not_to_be_checked()
    copies.get_by_label("accounting@customer.example").uncheck()
    copies.get_by_label("Ben Boss").check()
    write(page, "Dear Anna")
    page.reload()
    expect(copies.get_by_label("Ben Boss")).to_be_checked()
    send(page)
    number, sent = world.answers.sent[-1]
    assert (number, sent.mode, sent.cc, sent.quote) == (128, "info", ["boss@customer.example"], True)


def test_the_quoted_history_is_folded_and_can_be_left_out(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    expect(page.get_by_text("> Hello,")).to_be_hidden()
    page.get_by_text("What is quoted below it").click()
    expect(page.get_by_text("> Hello,")).to_be_visible()
    page.get_by_label("Quote the customer's last message").uncheck()
    write(page, "Short")
    send(page)
    assert not world.answers.sent[-1][1].quote
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("What is quoted below it").click()
    expect(page.get_by_label("Quote the customer's last message")).not_to_be_checked()
    page.get_by_label("Your answer").fill("Short, again")
    expect(page.get_by_text("Draft saved")).to_be_visible()
    assert not world.answers.drafts[127].quote


def test_an_answer_by_mail_needs_an_address_of_ones_own(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_role("radio", name="Answer by mail").check()
    expect(page.get_by_role("link", name="Set your own address")).to_have_attribute("href", "/me")
    expect(page.get_by_role("button", name="Send answer")).to_be_hidden()
    accessible(page)
    world.answers.personal_sender = "otto@company.example"
    page.reload()
    page.get_by_role("radio", name="Answer by mail").check()
    expect(page.get_by_text("goes to you, not to this ticket")).to_be_visible()
    write(page, "From me")
    send(page)
    assert world.answers.sent[-1][1].mode == "personal"
    expect(page.get_by_role("article", name="Answer by mail").last).to_contain_text("Left the system")


def test_a_canned_answer_is_put_where_the_cursor_is(watched: Watched, world: World) -> None:
    watched.go("/tickets/128")
    page = watched.page
    choice = page.get_by_role("combobox", name="Canned answer")
    assert choice.locator("option").all_inner_texts() == ["Canned answers …", "We look into it"]
    page.get_by_label("Your answer").fill("Best regards")
    page.get_by_label("Your answer").press("Home")
    choice.select_option("We look into it")
    page.get_by_role("button", name="Put in").click()
    expect(page.get_by_label("Your answer")).to_have_value("Dear Anna Keller,\n\nwe look into 128.Best regards")
    expect(page.get_by_text("Draft saved")).to_be_visible()
    world.templates["t1"] = world.templates["t1"].model_copy(update={"text": "{{ nothing }}"})
    page.get_by_role("button", name="Put in").click()
    expect(page.get_by_role("alert").filter(has_text="there is no variable `nothing`")).to_be_visible()


def test_files_are_attached_left_out_and_taken_from_the_ticket(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_label("Attach files").set_input_files([PDF, PDF | {"name": "Other.pdf"}])
    files = page.get_by_role("list", name="Files that go along")
    expect(files.get_by_role("checkbox", name="Manual.pdf")).to_be_checked()
    files.get_by_role("checkbox", name="Other.pdf").uncheck()
    page.get_by_text("Attach from this ticket").click()
    page.get_by_label("Rechnung März 2026.pdf").check()
    write(page, "See the files")
    page.reload()
    expect(page.get_by_role("checkbox", name="Manual.pdf")).to_be_checked()
    expect(page.get_by_label("Rechnung März 2026.pdf")).to_be_checked()
    send(page)
    ids = {item.name: item.id for item in world.answers.uploads.values()}
    assert world.answers.sent[-1][1].attachments == [ids["Manual.pdf"], "2"]
    assert world.answers.bytes[ids["Manual.pdf"]] == PDF["buffer"]


def test_a_file_is_dropped_into_the_box(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    dropped = page.evaluate_handle(
        "() => { const all = new DataTransfer(); all.items.add(new File(['hello'], 'Note.txt', { type: 'text/plain' })); return all; }"
    )
    page.locator(".answer-form").dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.get_by_role("checkbox", name="Note.txt")).to_be_checked()
    assert list(world.answers.bytes.values()) == [b"hello"]


def test_what_cannot_go_along_is_said_before_anything_is_sent(watched: Watched, world: World) -> None:
    world.answers.files_limit = 1000
    watched.go("/tickets/127")
    page = watched.page
    program: FilePayload = {"name": "Setup.EXE", "mimeType": "application/octet-stream", "buffer": b"MZ"}
    large: FilePayload = {"name": "large.pdf", "mimeType": "application/pdf", "buffer": b"a" * 2000}
    half: FilePayload = {"name": "half.pdf", "mimeType": "application/pdf", "buffer": b"a" * 600}
    page.get_by_label("Attach files").set_input_files([program, large])
    expect(page.get_by_text("“Setup.EXE” is not taken")).to_be_visible()
    expect(page.get_by_text("“large.pdf” has 2 KB; a file may have 1 KB")).to_be_visible()
    accessible(page)
    page.get_by_label("Attach files").set_input_files([half])
    expect(page.get_by_role("checkbox", name="half.pdf")).to_be_checked()
    page.get_by_label("Attach files").set_input_files([half | {"name": "second.pdf"}])
    expect(page.get_by_text("“second.pdf” is too much")).to_be_visible()
    assert [item.name for item in world.answers.uploads.values()] == ["half.pdf"]


def test_nothing_is_sent_while_a_file_is_on_its_way(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    page = watched.page
    holding(page, "**/uploads?*")
    page.get_by_label("Attach files").set_input_files([PDF])
    page.get_by_label("Your answer").fill("With a file")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_text("still on its way")).to_be_visible()
    assert not world.answers.sent
    page.get_by_role("button", name="Stop sending Manual.pdf").click()
    send(page)
    assert world.answers.sent[-1][1].attachments == []


def test_who_else_is_answering_is_shown_while_the_page_is_open(watched: Watched, world: World) -> None:
    watched.page.clock.install()
    watched.go("/tickets/127")
    page = watched.page
    expect(page.get_by_text("is answering this ticket")).to_have_count(0)
    world.answers.writing[127] = ["user:bea@company.example"]
    page.clock.run_for(8_000)
    expect(page.locator(".writing")).to_have_text("bea@company.example is answering this ticket.")


def test_each_recipients_fate_and_what_came_back_are_on_the_message(watched: Watched) -> None:
    watched.go("/tickets/128")
    page = watched.page
    arrived, failed = page.get_by_role("article", name="Answer from otto@company.example").all()
    expect(arrived.get_by_label("Delivery")).to_contain_text("Read anna@customer.example")
    expect(arrived.get_by_label("Delivery")).to_contain_text("Delivered accounting@customer.example")
    expect(arrived.get_by_label("What came back about it")).to_contain_text("Automatic reply anna@customer.example")
    expect(failed.get_by_label("Delivery")).to_contain_text("550 5.1.1 No such mailbox here")
    expect(failed.get_by_label("Delivery")).to_contain_text("Delayed, will be tried again accounting@customer.example")
    expect(failed.get_by_label("Delivery")).to_contain_text("next try in 5 h")
    expect(failed.get_by_role("link", name="Its 3 tries to send it")).to_have_attribute("href", "/outgoing/m5")
    failed.get_by_role("link", name="Show the mail").click()
    expect(page).to_have_url(re.compile("/mails/mail-3$"))


def test_what_the_machine_wrote_and_what_left_the_system_are_told_apart(watched: Watched) -> None:
    watched.go("/tickets/122")
    page = watched.page
    expect(page.get_by_role("article", name="Automatic acknowledgement from Mail Converter")).to_contain_text("Its number is 122.")
    expect(page.get_by_role("article", name="Answer by mail from otto@company.example")).to_contain_text("Left the system")
    accessible(page)


def test_a_new_state_of_a_delivery_comes_to_the_open_page(watched: Watched, world: World) -> None:
    page = watched.page
    last = world.messages[122][-1]
    bounced = [last.deliveries[0].model_copy(update={"state": DeliveryState.BOUNCED, "detail": "The mailbox is full."})]

    def meanwhile(route: Route) -> None:
        world.messages[122][-1] = last.model_copy(update={"deliveries": bounced})
        world.tickets[122] = world.tickets[122].model_copy(update={"attention": "An answer came back."})
        route.continue_()

    page.route("**/live", meanwhile)
    watched.go("/tickets/122")
    expect(page.get_by_text("The mailbox is full.")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("An answer came back.")


def test_answers_work_without_scripts(console: Console, world: World, scriptless: Page) -> None:
    page = scriptless
    page.goto(f"{console.url}/tickets/127")
    page.get_by_label("Your answer").fill("By hand")
    page.get_by_label("Attach files").set_input_files([PDF])
    page.get_by_role("button", name="Attach", exact=True).click()
    assert page.get_by_role("checkbox", name="Manual.pdf").is_checked()
    assert page.get_by_label("Your answer").input_value() == "By hand"
    page.get_by_role("combobox", name="Canned answer").select_option("We look into it")
    page.get_by_role("button", name="Put in").click()
    assert page.get_by_label("Your answer").input_value() == "By hand\n\nDear Bo Holm,\n\nwe look into 127."
    page.get_by_label("Your answer").fill("By hand, later")
    page.get_by_role("button", name="Keep as a draft").click()
    page.goto(f"{console.url}/tickets/127")
    assert page.get_by_label("Your answer").input_value() == "By hand, later"
    page.get_by_role("button", name="Send answer").click()
    assert len(world.answers.sent[-1][1].attachments) == 1
    page.get_by_role("button", name="Undo").click()
    assert page.get_by_label("Your answer").input_value() == "By hand, later"
    assert world.answers.drafts[127].attachments == ["up-127-0"]


def test_typing_leaves_no_line_in_the_audit_log_and_sending_does(watched: Watched) -> None:
    watched.go("/tickets/127")
    write(watched.page, "Dear Bo")
    send(watched.page)
    entries = watched.page.request.get(f"{watched.home}/api/v1/audit").json()["items"]
    done = [entry["action"] for entry in entries]
    assert "POST /tickets/{number}/comments" in done
    assert not [action for action in done if action.endswith("/draft")]
