"""Answers on one ticket leave in order per recipient, however many connections and notifiers there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.integration.notifier.parts import Bus, Notifier, answer
from tests.kit.eventually import eventually
from tests.kit.smtp_script import SmtpScript

pytestmark = pytest.mark.connected
Mailbox = Callable[..., Awaitable[str]]
TICKETS, ANSWERS = 5, 8


async def test_answers_keep_their_order_over_several_connections_and_notifiers(
    notifier: Notifier, another: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    assert another.call("GET", "/health/ready").is_success
    scanner = await mailbox(script.port)
    script.answers["rcpt"] = ["250 OK", "451 4.3.0 later", "250 OK", "250 OK", "451 4.3.0 later"]
    mails = [[answer(700 + ticket, scanner, to=f"c{ticket}@lakeside.example") for _ in range(ANSWERS)] for ticket in range(TICKETS)]
    for number in range(ANSWERS):
        for of_ticket in mails:
            await bus.outgoing(of_ticket[number])
    eventually(lambda: len(script.taken) == TICKETS * ANSWERS, 60)
    for ticket, of_ticket in enumerate(mails):
        left = [one.message_id for one in script.taken if one.recipients == [f"c{ticket}@lakeside.example"]]
        assert left == [mail.message_id for mail in of_ticket]
    eventually(lambda: not notifier.rows("select from outgoing where state <> 'sent' and ticket_id between 700 and %s", 700 + TICKETS))
