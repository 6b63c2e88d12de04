"""What a server puts up with, over all notifiers: connections at a time and recipients a minute; and sending where it had enough."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from shared.events import OutgoingMail
from shared.mail.model import Address
from tests.integration.notifier.parts import Bus, Notifier, ScriptedServer, answer, limit
from tests.kit.eventually import eventually, eventually_async
from tests.kit.smtp_script import SmtpScript

pytestmark = pytest.mark.connected
Mailbox = Callable[..., Awaitable[str]]
LONG = 60.0


async def all_sent(bus: Bus, *mails: OutgoingMail) -> None:
    async def told() -> bool:
        newest = [(await states(bus, mail))[-1:] for mail in mails]
        return newest == [["sent"]] * len(mails)

    await eventually_async(told, LONG)


async def states(bus: Bus, mail: OutgoingMail) -> list[str]:
    return [one.state.value for one in await bus.deliveries(mail.outgoing_id)]


async def test_an_identity_has_so_many_connections_over_all_notifiers(
    notifier: Notifier, another: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    script.trickling = True
    scanner = await mailbox(script.port)
    eventually(lambda: notifier.rows("select from scanners where id = %s", scanner))
    limit(notifier, scanner, connections=2)
    mails = [answer(100 + number, scanner) for number in range(60)]
    for mail in mails:
        await bus.outgoing(mail)
    await all_sent(bus, *mails)
    assert script.most_at_once == 2
    assert len(script.taken) == len(mails)
    assert another.call("GET", "/health/live").status_code == 200


async def test_an_identity_writes_to_so_many_a_minute_over_all_notifiers(
    notifier: Notifier, another: Notifier, bus: Bus, script: SmtpScript, smtp: ScriptedServer, mailbox: Mailbox
) -> None:
    scanner = await mailbox(script.port)
    eventually(lambda: notifier.rows("select from scanners where id = %s", scanner))
    limit(notifier, scanner, per_minute=3)
    mails = [answer(200 + number, scanner) for number in range(5)]
    for mail in mails[:3]:
        await bus.outgoing(mail)
    await all_sent(bus, *mails[:3])
    for mail in mails[3:]:  # not before: the answers of several tickets come in any order
        await bus.outgoing(mail)
    # It delays only its own mails, and is told nothing bad about.
    others = await mailbox(smtp.port)
    prompt = [answer(210 + number, others) for number in range(5)]
    for mail in prompt:
        await bus.outgoing(mail)
    await all_sent(bus, *prompt)
    assert len(script.taken) == 3
    assert [await states(bus, mail) for mail in mails[3:]] == [["accepted"], ["accepted"]]
    # The minute is over.
    notifier.rows("update smtp_grants set until = now() returning sender_id")
    limit(notifier, scanner, per_minute=4)
    await all_sent(bus, *mails)
    assert sorted(one.message_id for one in script.taken) == sorted(mail.message_id for mail in mails)
    assert another.call("GET", "/health/live").status_code == 200


async def test_a_mail_to_more_than_a_minute_allows_goes_when_the_minute_is_empty(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    scanner = await mailbox(script.port)
    eventually(lambda: notifier.rows("select from scanners where id = %s", scanner))
    limit(notifier, scanner, per_minute=2)
    people = [Address(address=f"p{number}@lakeside.example") for number in range(5)]
    mail = answer(220, scanner).model_copy(update={"to": people})
    await bus.outgoing(mail)
    await all_sent(bus, mail)
    assert [len(one.recipients) for one in script.taken] == [5]


async def test_a_server_that_allows_fewer_connections_than_we_have_delays_nothing(bus: Bus, script: SmtpScript, mailbox: Mailbox) -> None:
    script.most_connections = 1
    scanner = await mailbox(script.port)
    mails = [answer(300 + number, scanner) for number in range(20)]
    for mail in mails:
        await bus.outgoing(mail)
    await all_sent(bus, *mails)
    assert {tuple(await states(bus, mail)) for mail in mails} == {("accepted", "sent")}


async def test_a_server_that_takes_one_mail_a_connection_delays_nothing(bus: Bus, script: SmtpScript, mailbox: Mailbox) -> None:
    script.most_mails = 1
    scanner = await mailbox(script.port)
    mails = [answer(400 + number, scanner) for number in range(10)]
    for mail in mails:
        await bus.outgoing(mail)
    await all_sent(bus, *mails)
    assert {tuple(await states(bus, mail)) for mail in mails} == {("accepted", "sent")}
    assert len(script.taken) == len(mails)


async def test_a_connection_that_was_closed_while_idle_delays_nothing(bus: Bus, script: SmtpScript, mailbox: Mailbox) -> None:
    scanner = await mailbox(script.port)
    for number in range(3):
        mail = answer(410 + number, scanner)
        await bus.outgoing(mail)
        await all_sent(bus, mail)
        script.hang_up()
        assert await states(bus, mail) == ["accepted", "sent"]


async def test_mails_of_one_server_share_few_connections(bus: Bus, script: SmtpScript, mailbox: Mailbox) -> None:
    scanner = await mailbox(script.port)
    mails = [answer(500 + number, scanner) for number in range(100)]
    for mail in mails:
        await bus.outgoing(mail)
    await all_sent(bus, *mails)
    assert script.most_at_once <= 4
    assert script.connections < 40  # a lane that idled between two mails may have begun anew


async def test_a_server_that_stumbles_over_pipelining_gets_its_commands_one_by_one(bus: Bus, script: SmtpScript, mailbox: Mailbox) -> None:
    script.chokes = True
    scanner = await mailbox(script.port)
    mail = answer(600, scanner)
    await bus.outgoing(mail)
    await all_sent(bus, mail)
    after = answer(600, scanner)
    await bus.outgoing(after)
    await all_sent(bus, after)
    assert await states(bus, after) == ["accepted", "sent"]
    assert len(script.taken) == 2
