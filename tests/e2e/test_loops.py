"""Machines that write to each other: every talk ends by itself within three mails, and an operator can see why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.desk import SOON_S, Desk, Forwarder, Machine, Mute, Responder, delivery_report
from tests.kit.eventually import eventually
from tests.kit.mail import compose, submit
from tests.kit.stack import TestStack
from tests.kit.system import System, running_system

pytestmark = pytest.mark.timeout(300)
MOST = 3
"""Mails of ours in any of these talks."""


@pytest.fixture(scope="module")
def other_system(stack: TestStack) -> Iterator[System]:
    """A second installation: it shares nothing with the first but the machine."""
    with running_system(stack, "other") as running:
        yield running


@pytest.fixture
def desk(system: System, stack: TestStack) -> Desk:
    return Desk(system, stack)


@pytest.fixture
def other(other_system: System, stack: TestStack) -> Desk:
    return Desk(other_system, stack)


def talk_of(desk: Desk, machine: Machine) -> None:
    """Let the machine ask a question and answer until nobody writes any more."""
    machine.write(compose(machine.address, desk.address, "Printer"))
    eventually(lambda: len(desk.mails()) > 0 and _quiet(desk, machine), SOON_S, what="the talk to end")


def _quiet(desk: Desk, machine: Machine) -> bool:
    """Whether the machine took up all that was sent to it, which may be in its mailbox a moment after it was taken, and nobody writes."""
    return machine.at_rest() and desk.at_rest() and machine.done == sum(machine.address in one["recipients"] for one in desk.outgoing())


def outcomes(desk: Desk) -> list[tuple[str, str]]:
    """What each mail became and why, the oldest first."""
    return [(one["outcome"]["type"], one["outcome"].get("reason") or "") for one in reversed(desk.mails())]


def only_ticket(desk: Desk) -> dict[str, Any]:
    (ticket,) = desk.tickets()
    return ticket


def test_a_vacation_notice_is_noted_on_the_acknowledgement_and_answered_by_nobody(desk: Desk, stack: TestStack) -> None:
    anna = Responder(stack, auto_submitted="auto-replied")
    talk_of(desk, anna)
    assert len(anna.received()) == 1
    assert [kind for kind, _ in outcomes(desk)] == ["ticket", "auto_reply"]
    acknowledgement = desk.messages(only_ticket(desk)["id"])[1]
    assert acknowledgement["sender"] == "system"
    assert [one["kind"] for one in acknowledgement["reports"]] == ["auto_reply"]


def test_a_vacation_notice_that_does_not_say_so_joins_the_ticket_and_is_answered_by_nobody(desk: Desk, stack: TestStack) -> None:
    anna = Responder(stack)
    talk_of(desk, anna)
    assert len(anna.received()) == 1
    assert [kind for kind, _ in outcomes(desk)] == ["ticket", "update"]
    ticket = only_ticket(desk)["id"]
    desk.api.post(f"/tickets/{ticket}/comments", {"body": "We look into it."})
    eventually(lambda: _quiet(desk, anna) and len(desk.messages(ticket)) == 5, SOON_S, what="its answer to the operator's answer")
    assert len(anna.received()) == 2
    assert sorted(one["direction"] for one in desk.messages(ticket)) == ["in", "in", "in", "out", "out"]


def test_a_machine_whose_every_answer_looks_like_a_new_question_is_acknowledged_three_times(desk: Desk, stack: TestStack) -> None:
    anna = Responder(stack, threads=False)
    talk_of(desk, anna)
    assert len(anna.received()) == MOST
    tickets = sorted(one["id"] for one in desk.tickets())
    assert len(tickets) == MOST + 1
    assert [bool(desk.told(one, "acknowledgement")) for one in tickets] == [False, False, False, True]
    (why,) = desk.told(tickets[-1], "acknowledgement")
    assert why == "not sent: 3 automatic mails went to this address in 24 hours, as many as the settings allow"


def test_a_mailbox_that_forwards_everything_back_makes_no_tickets_of_our_mails(desk: Desk, stack: TestStack) -> None:
    anna = Forwarder(stack, desk.address)
    talk_of(desk, anna)
    assert len(anna.received()) == 1
    (first, _), (loop, why) = outcomes(desk)
    assert (first, loop) == ("ticket", "loop")
    assert "our" in why
    ticket = only_ticket(desk)["id"]
    desk.api.post(f"/tickets/{ticket}/comments", {"body": "We look into it."})
    eventually(lambda: _quiet(desk, anna) and len(desk.mails()) == 3, SOON_S, what="the answer to come back")
    assert [kind for kind, _ in outcomes(desk)] == ["ticket", "loop", "loop"]
    assert len(anna.received()) == 2
    assert len(desk.messages(ticket)) == 3


def test_two_mail_converters_do_not_talk_to_each_other(desk: Desk, other: Desk, stack: TestStack) -> None:
    submit(stack.smtp_host, stack.smtp_port, compose(other.address, desk.address, "Order 7"))
    eventually(lambda: desk.mails() and other.mails() and desk.at_rest() and other.at_rest(), SOON_S, what="the acknowledgement to arrive")
    ticket = only_ticket(desk)["id"]
    assert (len(desk.outgoing()), other.outgoing(), other.tickets()) == (1, [], [])
    assert [kind for kind, _ in outcomes(other)] == ["auto_reply"]

    desk.api.post(f"/tickets/{ticket}/comments", {"body": "Which one?"})
    eventually(lambda: len(other.mails()) == 2 and desk.at_rest() and other.at_rest(), SOON_S, what="an operator's answer to arrive")
    theirs = only_ticket(other)["id"]
    (why,) = other.told(theirs, "acknowledgement")
    assert why.startswith("not sent: ")
    assert "Mail Converter" in why or "X-Mail-Converter-Id" in why
    assert other.outgoing() == []

    other.api.post(f"/tickets/{theirs}/comments", {"body": "The second."})
    eventually(lambda: len(desk.mails()) == 2 and desk.at_rest() and other.at_rest(), SOON_S, what="the answer to it")
    assert [kind for kind, _ in outcomes(desk)] == ["ticket", "update"]
    assert (len(desk.outgoing()), len(other.outgoing())) == (2, 1), "nothing left but what people wrote, and one acknowledgement"


def flag_of(desk: Desk, ticket_id: int) -> str | None:
    found: str | None = desk.api.get(f"/tickets/{ticket_id}")["attention"]
    return found


def test_bounces_of_bounces_end_with_the_flag_of_the_ticket(desk: Desk, stack: TestStack) -> None:
    """An answer bounces, the notice of that to its assignee bounces too, and then somebody returns a notice to us."""
    anna, olga = Mute(stack), Mute(stack)
    talk_of(desk, anna)
    ticket = only_ticket(desk)["id"]
    assert desk.api.request("PATCH", f"/tickets/{ticket}", json={"assignee": olga.address}).is_success
    answer = desk.api.post(f"/tickets/{ticket}/comments", {"body": "We look into it."})
    eventually(lambda: len(anna.received()) == 2 and desk.at_rest(), SOON_S, what="the answer")

    bounce = delivery_report(desk.address, anna.address, answer["message_id"])
    submit(stack.smtp_host, stack.smtp_port, bounce)
    (notice,) = eventually(olga.received, SOON_S, what="the notice to the assignee")
    assert anna.address in str(notice.get_body(("plain",)))
    assert anna.address in (flag_of(desk, ticket) or "")

    for about, recipient in ((str(notice["Message-ID"]), olga.address), (str(bounce["Message-ID"]), bounce["From"].addresses[0].addr_spec)):
        again = delivery_report(desk.address, recipient, about)
        submit(stack.smtp_host, stack.smtp_port, again)
        assert desk.outcome(str(again["Message-ID"]))["type"] == "bounce"
    eventually(desk.at_rest, SOON_S, what="rest")
    assert olga.address in (flag_of(desk, ticket) or ""), "an operator sees that the assignee was not told either"
    assert sorted(one["mode"] for one in desk.outgoing()) == ["acknowledgement", "info", "notice"], (
        "no mail left for any of the three bounces but one"
    )
    assert len(desk.tickets()) == 1
