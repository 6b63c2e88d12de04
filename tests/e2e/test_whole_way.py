"""One mail, the whole way: into a mailbox, a ticket by a rule, an operator's answer by SMTP, the customer's answer in the same ticket."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any, Protocol
from uuid import uuid4

import pytest

from tests.kit import dovecot
from tests.kit.dovecot import Dovecot
from tests.kit.eventually import eventually
from tests.kit.mail import Mailbox, compose, submit, with_attachment
from tests.kit.smtp_sink import SmtpSink
from tests.kit.stack import TestStack
from tests.kit.system import System

SOON_S = 20.0
PDF = b"%PDF-1.4 an invoice\n" + bytes(range(256)) * 40


class World(Protocol):
    """A customer, a help desk's mailbox, and what stands between them."""

    help_desk: Mailbox
    customer: str
    smtp_host: str
    smtp_port: int

    def send(self, message: EmailMessage) -> None:
        """The customer writes."""

    def received(self) -> list[EmailMessage]:
        """What the customer got."""


class GreenMailWorld:
    """Customer and help desk on the stack's mail server, mails by SMTP."""

    def __init__(self, stack: TestStack) -> None:
        name = uuid4().hex[:8]
        self.customer = f"anna-{name}@customer.example"
        address = f"help-{name}@desk.example"
        for user in (self.customer, address):
            stack.create_mail_user(user, "secret")
        self.help_desk = Mailbox(stack.imap_host, stack.imap_port, address, "secret")
        self._inbox = Mailbox(stack.imap_host, stack.imap_port, self.customer, "secret")
        self.smtp_host, self.smtp_port = stack.smtp_host, stack.smtp_port

    def send(self, message: EmailMessage) -> None:
        submit(self.smtp_host, self.smtp_port, message)

    def received(self) -> list[EmailMessage]:
        return self._inbox.mails()


class DovecotWorld:
    """The help desk's mailbox on Dovecot, mails by APPEND, answers into an SMTP server of the test."""

    def __init__(self, server: Dovecot, sink: SmtpSink) -> None:
        name = uuid4().hex[:8]
        self.customer = f"anna-{name}@customer.example"
        self.help_desk = Mailbox("127.0.0.1", server.port, f"help-{name}@desk.example", dovecot.PASSWORD)
        self.smtp_host, self.smtp_port = "127.0.0.1", sink.port
        self._sink = sink

    def send(self, message: EmailMessage) -> None:
        self.help_desk.append([message.as_bytes()])

    def received(self) -> list[EmailMessage]:
        return [mail.message for mail in self._sink.accepted if self.customer in mail.recipients]


@pytest.fixture(params=["greenmail", "dovecot"])
def world(request: pytest.FixtureRequest, stack: TestStack) -> World:
    if request.param == "greenmail":
        return GreenMailWorld(stack)
    return DovecotWorld(request.getfixturevalue("dovecot_server"), request.getfixturevalue("smtp_sink"))


@pytest.mark.timeout(180)
def test_a_mail_goes_the_whole_way(system: System, world: World) -> None:
    scanner_id = system.api.add_mailbox(world.help_desk, world.smtp_host, world.smtp_port)
    api = system.api

    # A customer writes, with an attachment, and a ticket appears.
    question = compose(f"Anna Keller <{world.customer}>", world.help_desk.user, "Invoice wrong – Überweisung", "My invoice is wrong.\n")
    world.send(with_attachment(question, "Rechnung März.pdf", PDF))
    ticket = eventually(lambda: _only_ticket(system, scanner_id), SOON_S)
    assert ticket["title"] == "Invoice wrong – Überweisung"
    assert "My invoice is wrong." in ticket["description"]
    assert (ticket["source"], ticket["status"], ticket["sender"]) == ("mail", "open", world.customer)
    attachment = ticket["attachments"][0]
    assert (attachment["name"], attachment["size"]) == ("Rechnung März.pdf", len(PDF))
    opened = api.request("GET", f"/tickets/{ticket['id']}/attachments/{attachment['id']}")
    assert opened.content == PDF
    assert opened.headers["content-disposition"].startswith("attachment")

    # An operator answers; the customer gets an ordinary mail from the mailbox's address.
    api.post(f"/tickets/{ticket['id']}/comments", {"body": "We look into it.\nRegards, Otto"})
    answer = eventually(lambda: next(iter(world.received()), None), SOON_S)
    assert answer["Subject"] == f"Re: Invoice wrong – Überweisung - Ticket Id: {ticket['id']}"
    assert world.help_desk.user in str(answer["From"])
    assert answer["In-Reply-To"] == question["Message-ID"]
    assert str(question["Message-ID"]) in str(answer["References"])
    body = answer.get_body(("plain",))
    assert body is not None
    assert "We look into it.\nRegards, Otto" in body.get_content().replace("\r\n", "\n")
    sent = eventually(lambda: _message(system, ticket["id"], "comment", delivery="sent"), SOON_S)
    assert sent["message_id"] == answer["Message-ID"]

    # The customer answers: once with References, once with nothing but the subject. Both land in the same ticket.
    threaded = compose(world.customer, world.help_desk.user, str(answer["Subject"]), "Thank you.\n", references=str(answer["Message-ID"]))
    world.send(threaded)
    eventually(lambda: _message(system, ticket["id"], "mail", text="Thank you."), SOON_S)
    world.send(compose(world.customer, world.help_desk.user, str(answer["Subject"]), "One more thing.\n"))
    eventually(lambda: _message(system, ticket["id"], "mail", text="One more thing."), SOON_S)
    assert _only_ticket(system, scanner_id), "an answer opened a second ticket"

    # Every mail has an outcome, and a decision that says why.
    mails = eventually(lambda: _settled(system, scanner_id, 3), SOON_S)
    assert sorted(mail["outcome"]["type"] for mail in mails) == ["ticket", "update", "update"]
    assert {mail["outcome"]["ticket_id"] for mail in mails} == {ticket["id"]}
    assert {mail["kind"] for mail in mails} == {"mail"}
    rules = {mail["outcome"]["rule_name"] for mail in mails}
    assert {"Everything else", "Answers by number"} <= rules
    assert len(rules) == 3, "the threaded answer was taken by the rule for known conversations"
    decision = api.get(f"/mails/{mails[0]['id']}/decision")
    assert [step["note"] for step in decision["trace"]], decision

    # It was sent once, and the mailbox shows the mails as read.
    assert len(world.received()) == 1
    eventually(lambda: len([line for line in world.help_desk.flags() if rb"\Seen" in line]) == 3, SOON_S)


@pytest.mark.timeout(120)
def test_spam_stops_the_senders_next_mail(system: System, world: World) -> None:
    scanner_id = system.api.add_mailbox(world.help_desk, world.smtp_host, world.smtp_port)
    world.send(compose(world.customer, world.help_desk.user, "Buy now"))
    ticket = eventually(lambda: _only_ticket(system, scanner_id), SOON_S)
    job = system.api.job("/tickets/spam", {"ticket_ids": [ticket["id"]]})
    assert job["state"] == "done"
    world.send(compose(world.customer.upper(), world.help_desk.user, "Buy now, again"))
    mails = eventually(lambda: _settled(system, scanner_id, 2), SOON_S)
    eventually(lambda: [mail["outcome"]["type"] for mail in _settled(system, scanner_id, 2)] == ["spam", "spam"], SOON_S)
    assert system.api.all("/tickets", scanner_id=scanner_id) == []
    entry = next(one for one in system.api.all("/spam-senders") if one["address"] == world.customer)
    assert entry["hits"] == 1
    assert len(mails) == 2


@pytest.mark.timeout(120)
def test_a_mail_goes_to_the_folder_of_its_outcome_and_back_when_spam_is_taken_back(system: System, world: World) -> None:
    moves: dict[str, Any] = {"move_matched_to": "Done", "spam_folder": "Spam", "interval_seconds": 3600, "push": True}
    scanner_id = system.api.add_mailbox(world.help_desk, world.smtp_host, world.smtp_port, **moves)
    world.send(compose(world.customer, world.help_desk.user, "Buy now"))
    system.api.job(f"/scanners/{scanner_id}/scan", {})
    ticket = eventually(lambda: _only_ticket(system, scanner_id), SOON_S)
    eventually(lambda: _subjects(world, "INBOX", "Done") == ([], ["Buy now"]), SOON_S, what="the mail in Done")

    system.api.job("/tickets/spam", {"ticket_ids": [ticket["id"]]})
    eventually(lambda: _subjects(world, "Done", "Spam") == ([], ["Buy now"]), SOON_S, what="the mail in Spam")

    entry = next(one for one in system.api.all("/spam-senders") if one["address"] == world.customer)
    system.api.request("DELETE", f"/spam-senders/{entry['id']}?restore=true")
    eventually(lambda: _subjects(world, "Spam", "Done") == ([], ["Buy now"]), SOON_S, what="the mail back in Done")
    [mail] = system.api.all("/mails", scanner_id=scanner_id, outcome="ticket")
    places = system.api.get(f"/mails/{mail['id']}")["places"]
    assert [one["folder"] for one in places if one["current"]] == ["Done"]


def _subjects(world: World, *folders: str) -> tuple[list[str], ...]:
    return tuple([str(message["Subject"]) for message in world.help_desk.mails(folder)] for folder in folders)


def _only_ticket(system: System, scanner_id: str) -> dict[str, Any] | None:
    tickets = system.api.all("/tickets", scanner_id=scanner_id)
    assert len(tickets) <= 1, tickets
    return system.api.get(f"/tickets/{tickets[0]['id']}") if tickets else None


def _message(system: System, ticket_id: int, kind: str, *, text: str = "", delivery: str | None = None) -> dict[str, Any] | None:
    for message in system.api.all(f"/tickets/{ticket_id}/messages"):
        if message["kind"] == kind and text in message["text"] and (delivery is None or message["delivery"] == delivery):
            return message
    return None


def _settled(system: System, scanner_id: str, count: int) -> list[dict[str, Any]]:
    mails = system.api.all("/mails", scanner_id=scanner_id)
    return mails if len(mails) == count and all(mail["outcome"] for mail in mails) else []
