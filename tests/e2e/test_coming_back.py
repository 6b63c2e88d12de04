"""What comes back about an answer, through all services: it is put on the answer, a failure flags the ticket, and nothing is answered."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

from tests.kit.desk import SOON_S, Desk, delivery_report, new_mailbox
from tests.kit.eventually import eventually
from tests.kit.mail import compose, submit
from tests.kit.stack import TestStack
from tests.kit.system import System

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def desk(system: System, stack: TestStack) -> Desk:
    return Desk(system, stack, acknowledge=False)


@pytest.fixture
def answered(desk: Desk, stack: TestStack) -> dict[str, Any]:
    """An operator's answer to anna@…, as it lies in her mailbox."""
    anna = f"anna-{desk.address.partition('@')[0]}@customer.example"
    inbox = new_mailbox(stack, anna)
    submit(stack.smtp_host, stack.smtp_port, compose(f"Anna <{anna}>", desk.address, "Printer"))
    (ticket,) = eventually(desk.tickets, SOON_S, what="her ticket")
    desk.api.post(f"/tickets/{ticket['id']}/comments", {"body": "Turn it off and on again."})
    (got,) = eventually(inbox.mails, SOON_S, what="the answer in her mailbox")
    return {"ticket": ticket["id"], "to": anna, "message_id": str(got["Message-ID"])}


def report(answered: dict[str, Any], desk: Desk, action: str, status: str) -> EmailMessage:
    return delivery_report(desk.address, answered["to"], answered["message_id"], action, status)


def came_back(desk: Desk, answered: dict[str, Any]) -> dict[str, Any]:
    """The answer as its ticket shows it."""
    return next(one for one in desk.messages(answered["ticket"]) if one["message_id"] == answered["message_id"])


def test_a_bounced_answer_flags_its_ticket_and_opens_none(desk: Desk, stack: TestStack, answered: dict[str, Any]) -> None:
    bounce = report(answered, desk, "failed", "5.1.1")
    submit(stack.smtp_host, stack.smtp_port, bounce)
    outcome = desk.outcome(str(bounce["Message-ID"]))
    assert outcome["ticket_id"] == answered["ticket"], outcome
    ticket = eventually(lambda: flagged(desk, answered), SOON_S, what="the flag")
    assert answered["to"] in ticket["attention"]
    answer = came_back(desk, answered)
    assert answer["delivery"] == "bounced"
    assert [(one["kind"], one["recipient"]) for one in answer["reports"]] == [("bounce", answered["to"])]
    assert [one["id"] for one in desk.tickets()] == [answered["ticket"]]
    eventually(desk.at_rest, SOON_S, what="rest")
    assert len(desk.outgoing()) == 1, "nothing but the answer left: a bounce is never answered"


def flagged(desk: Desk, answered: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = desk.api.get(f"/tickets/{answered['ticket']}")
    return found if found["attention"] else None


def test_a_delay_then_a_receipt_are_shown_on_the_answer_and_flag_nothing(desk: Desk, stack: TestStack, answered: dict[str, Any]) -> None:
    for action, status in (("delayed", "4.4.7"), ("delivered", "2.0.0")):
        told = report(answered, desk, action, status)
        submit(stack.smtp_host, stack.smtp_port, told)
        assert desk.outcome(str(told["Message-ID"]))["ticket_id"] == answered["ticket"]
    answer = came_back(desk, answered)
    assert [one["kind"] for one in answer["reports"]] == ["delayed", "delivered"]
    assert answer["delivery"] == "delivered"
    assert desk.api.get(f"/tickets/{answered['ticket']}")["attention"] is None
    assert len(desk.tickets()) == 1


def test_an_automatic_reply_is_noted_on_the_answer_and_changes_nothing_else(desk: Desk, stack: TestStack, answered: dict[str, Any]) -> None:
    about = answered["message_id"]
    away = compose(
        answered["to"], desk.address, "Away", "Back on Monday.\n", auto_submitted="auto-replied", in_reply_to=about, references=about
    )
    submit(stack.smtp_host, stack.smtp_port, away)
    outcome = desk.outcome(str(away["Message-ID"]))
    assert outcome["ticket_id"] == answered["ticket"], outcome
    assert [one["kind"] for one in came_back(desk, answered)["reports"]] == ["auto_reply"]
    assert len(desk.tickets()) == 1
    eventually(desk.at_rest, SOON_S, what="rest")
    assert len(desk.outgoing()) == 1
