"""Answers through Debian's Postfix into Debian's Dovecot: what comes back are real bounces and really forwarded mails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.kit import mail_system
from tests.kit.desk import SOON_S, Desk
from tests.kit.eventually import eventually
from tests.kit.mail import compose, submit
from tests.kit.mail_system import MailSystem
from tests.kit.system import System

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def mails() -> Iterator[MailSystem]:
    if not mail_system.installed():
        pytest.skip(mail_system.MISSING)
    with mail_system.running_mail_system() as running:
        yield running


def question(mails: MailSystem, desk: Desk, sender: str) -> int:
    """The ticket that a mail of this address opens."""
    submit(mails.smtp_host, mails.smtp_port, compose(sender, desk.address, "Printer"))
    (ticket,) = eventually(desk.tickets, SOON_S, what="the ticket")
    number: int = ticket["id"]
    return number


def at_rest(mails: MailSystem, desk: Desk) -> bool:
    return desk.at_rest() and mails.at_rest() and desk.at_rest()


def test_a_bounce_of_an_answer_flags_the_ticket(system: System, mails: MailSystem) -> None:
    desk = Desk(system, mails, acknowledge=False)
    gone = f"gone-{uuid4().hex[:8]}@customer.example"
    ticket = question(mails, desk, f"Anna <{gone}>")
    desk.api.post(f"/tickets/{ticket}/comments", {"body": "Turn it off and on again."})

    def flag() -> Any:
        return desk.api.get(f"/tickets/{ticket}")["attention"]

    assert gone in eventually(flag, SOON_S, what="the flag")
    answer = desk.messages(ticket)[1]
    assert (answer["delivery"], [one["kind"] for one in answer["reports"]]) == ("bounced", ["bounce"])
    assert "5.1.1" in answer["deliveries"][0]["detail"]
    eventually(lambda: at_rest(mails, desk), SOON_S, what="rest")
    assert [one["outcome"]["type"] for one in desk.mails()] == ["bounce", "ticket"]
    assert len(desk.tickets()) == len(desk.outgoing()) == 1


def test_an_acknowledgement_that_reaches_nobody_comes_back_to_nobody(system: System, mails: MailSystem) -> None:
    """Its return path is empty, so no mail server reports on it: that is what ends a talk of bounces."""
    desk = Desk(system, mails)
    ticket = question(mails, desk, f"gone-{uuid4().hex[:8]}@customer.example")
    eventually(lambda: at_rest(mails, desk), SOON_S, what="rest")
    assert [one["outcome"]["type"] for one in desk.mails()] == ["ticket"]
    assert desk.messages(ticket)[1]["delivery"] == "sent"


def test_answers_forwarded_to_where_they_came_from_go_no_further(system: System, mails: MailSystem) -> None:
    desk = Desk(system, mails)
    sender = f"forward-{desk.address.partition('@')[0]}@customer.example"
    ticket = question(mails, desk, sender)
    eventually(lambda: len(desk.mails()) == 2 and at_rest(mails, desk), SOON_S, what="the acknowledgement to come back")
    desk.api.post(f"/tickets/{ticket}/comments", {"body": "Turn it off and on again."})
    eventually(lambda: len(desk.mails()) == 3 and at_rest(mails, desk), SOON_S, what="the answer to come back")
    assert [one["outcome"]["type"] for one in desk.mails()] == ["loop", "loop", "ticket"]
    assert len(desk.outgoing()) == 2
    assert len(desk.messages(ticket)) == 3
