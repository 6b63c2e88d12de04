"""One mail the whole way, as a person does it: everything but the customer's own mail program is done by clicking, on all real parts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from local import services
from local.home import Home
from tests.kit.browsing import ADMINISTRATOR, Watched, new_context
from tests.kit.eventually import eventually
from tests.kit.mail import Mailbox, compose, submit
from tests.kit.stack import TestStack, make_stack
from tests.kit.system import System

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(400)]

SOON_S = 60.0
SOON_MS = 60_000


@pytest.fixture(scope="module")
def stack() -> Iterator[TestStack]:
    """Of its own: on one that another system used there would be mailboxes before the first page is seen."""
    made = make_stack()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def system(stack: TestStack) -> Iterator[System]:
    folder = Path(tempfile.mkdtemp(prefix="mailconverter-browser-"))
    running = System(stack, Home(folder))
    # Playwright has a loop of its own in this thread, and children end with the thread that started them: so one that stays.
    with ThreadPoolExecutor(1) as starter:
        try:
            starter.submit(running.start).result()
            yield running
        finally:
            running.stop()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def setup_url(system: System) -> str:
    """As `make up` prints it."""
    headers = {"X-Service-Token": services.service_token(system.home)}
    answer = httpx.get(f"{system.api.console}/internal/setup-link", headers=headers, timeout=30).raise_for_status()
    url = answer.json()["url"]
    assert url, "there is an administrator already"
    return str(url)


@pytest.fixture
def person(system: System, browser: Browser) -> Iterator[Watched]:
    context = new_context(browser, None, viewport={"width": 1280, "height": 900})
    made = Watched(context.new_page(), system.api.console)
    made.watch()
    yield made
    context.close()
    assert not made.complaints, made.complaints


def test_from_the_setup_link_to_spam(stack: TestStack, setup_url: str, person: Watched) -> None:
    name = uuid4().hex[:8]
    customer, help_desk = f"anna-{name}@customer.example", f"help-{name}@desk.example"
    for user in (customer, help_desk):
        stack.create_mail_user(user, "secret")
    inbox = Mailbox(stack.imap_host, stack.imap_port, customer, "secret")

    _become_administrator(person.page, setup_url)
    _add_mailbox(person.page, stack, help_desk)
    _select_inbox(person.page)
    _add_rules(person.page)

    # The list is open while the customer writes; the ticket appears by itself.
    person.go("/tickets")
    expect(person.page.get_by_role("heading", name="No tickets yet")).to_be_visible()
    expect(person.page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON_MS)
    question = compose(f"Anna Keller <{customer}>", help_desk, "Invoice wrong – Überweisung", "My invoice is wrong.\n")
    submit(stack.smtp_host, stack.smtp_port, question)
    row = person.page.get_by_role("row", name="Invoice wrong")
    expect(row.get_by_role("img", name="From a mail")).to_be_visible(timeout=SOON_MS)

    answer = _answer(person.page, inbox)
    assert "Invoice wrong – Überweisung - Ticket Id: " in answer["Subject"]
    assert help_desk in str(answer["From"])

    # The customer answers; the open ticket shows it.
    thanks = compose(customer, help_desk, str(answer["Subject"]), "Thank you, Otto.\n", references=str(answer["Message-ID"]))
    submit(stack.smtp_host, stack.smtp_port, thanks)
    expect(person.page.get_by_text("Thank you, Otto.")).to_be_visible(timeout=SOON_MS)

    _look_why(person.page)
    _mark_spam(person, stack, customer, help_desk)


def _become_administrator(page: Page, setup_url: str) -> None:
    name, email, password = ADMINISTRATOR
    page.goto(setup_url)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password again").fill(password)
    page.get_by_role("button", name="Create administrator").click()
    expect(page.get_by_role("heading", name="No mailbox yet")).to_be_visible()


def _add_mailbox(page: Page, stack: TestStack, address: str) -> None:
    page.get_by_role("main").get_by_role("link", name="Add a mailbox").click()
    server = page.get_by_role("group", name="Server")
    page.get_by_label("Name", exact=True).fill("Support")
    server.get_by_label("IMAP server").fill(stack.imap_host)
    server.get_by_label("Port").fill(str(stack.imap_port))
    server.get_by_label("SSL type").select_option("none")
    server.get_by_label("User name").fill(address)
    server.get_by_label("Password").fill("secret")
    page.get_by_label("Everything that is there").check()
    page.get_by_label("Seconds between scans").fill("1")
    answers = page.get_by_role("group", name="Answers")
    answers.get_by_label("SMTP identity").select_option("new")
    answers.get_by_label("SMTP server").fill(stack.smtp_host)
    answers.get_by_label("Port").fill(str(stack.smtp_port))
    answers.get_by_label("Encryption").select_option("none")
    answers.get_by_label("Signing in").select_option("none")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_role("heading", name="Support")).to_be_visible(timeout=SOON_MS)
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_role("heading", name="The connection works")).to_be_visible(timeout=SOON_MS)


def _select_inbox(page: Page) -> None:
    page.get_by_role("link", name="Select folders").click()
    expect(page.get_by_label("INBOX")).to_be_checked()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Scan now").click()
    expect(page.locator("#job")).to_contain_text("The scan is finished", timeout=SOON_MS)


def _add_rules(page: Page) -> None:
    """Everything becomes a ticket; answers by number go to theirs, and are moved up to be asked first."""
    page.get_by_role("link", name="Rules", exact=True).click()
    page.get_by_role("main").get_by_role("link", name="Add a rule").first.click()
    page.get_by_label("Name", exact=True).fill("Everything else")
    page.get_by_label("Create a ticket", exact=True).check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Add a rule").click()
    page.get_by_label("Name", exact=True).fill("Answers by number")
    page.get_by_label("Operator").select_option("regex")
    page.get_by_label("Value").fill(r"Ticket Id:\s*(\d+)")
    page.get_by_label("Add the mail to its ticket").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Move “Answers by number” up").click()
    names = page.locator("li.rule h2 a")
    expect(names.last).to_have_text("Everything else")


def _answer(page: Page, inbox: Mailbox) -> EmailMessage:
    page.get_by_role("link", name="Invoice wrong").click()
    expect(page.get_by_role("list", name="Messages").get_by_text("My invoice is wrong.")).to_be_visible()
    page.get_by_label("Your answer").fill("We look into it.\nRegards, Otto")
    page.get_by_role("button", name="Send answer").click()
    expect(page.get_by_label("Delivery").get_by_text("Sent", exact=True)).to_be_visible(timeout=SOON_MS)
    answer = eventually(lambda: next(iter(inbox.mails()), None), SOON_S, what="the customer's mail")
    body = answer.get_body(("plain",))
    assert body is not None
    assert "We look into it." in body.get_content()
    return answer


def _look_why(page: Page) -> None:
    page.get_by_role("link", name="Why the mail from").first.click()
    expect(page.get_by_text("by the rule “Everything else”")).to_be_visible(timeout=SOON_MS)
    page.get_by_role("main").get_by_role("link", name="Ticket ").first.click()


def _mark_spam(person: Watched, stack: TestStack, customer: str, help_desk: str) -> None:
    """Of two tickets the sender's goes; the next mail of that sender becomes none."""
    page = person.page
    page.get_by_role("link", name="Mark as spam").click()
    page.get_by_role("button", name="Mark as spam").click()
    expect(page.get_by_text("is marked as spam")).to_be_visible()
    expect(page.get_by_role("heading", name="No tickets yet")).to_be_visible(timeout=SOON_MS)
    submit(stack.smtp_host, stack.smtp_port, compose(customer, help_desk, "Once more"))

    def stopped() -> bool:
        person.go("/mails?outcome=spam&q=Once")
        return page.get_by_role("link", name="Once more").count() == 1

    eventually(stopped, SOON_S, every=1.0, what="the outcome spam")
    person.go("/spam")
    expect(page.get_by_role("cell", name=customer, exact=True)).to_be_visible()
