"""Real servers: Debian's Postfix where it is installed, and the embedded stack's GreenMail."""

from __future__ import annotations

import imaplib
from collections.abc import Awaitable, Callable, Iterator
from uuid import uuid4

import pytest

from shared.events import OutgoingMail
from shared.mail.model import Address
from tests.integration.notifier.parts import Bus, Notifier, answer
from tests.kit import postfix
from tests.kit.eventually import eventually, eventually_async
from tests.kit.smtp_script import SmtpScript
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected
Mailbox = Callable[..., Awaitable[str]]
LONG = 60.0


@pytest.fixture
def relay(script: SmtpScript) -> Iterator[int]:
    """A Postfix that takes two recipients a mail, and hands on to the script."""
    if not postfix.installed():
        pytest.skip(postfix.MISSING)
    with postfix.running_postfix(script.port, recipient_limit=2) as port:
        yield port


async def all_sent(bus: Bus, mail: OutgoingMail, people: int) -> None:
    async def told() -> bool:
        newest = {one.recipient: one.state.value for one in await bus.deliveries(mail.outgoing_id)}
        return list(newest.values()) == ["sent"] * people

    await eventually_async(told, LONG)


async def test_postfix_takes_a_mail_in_as_many_dialogues_as_it_wants(
    notifier: Notifier, bus: Bus, script: SmtpScript, relay: int, mailbox: Mailbox
) -> None:
    people = [Address(address=f"p{number}@lakeside.example") for number in range(5)]
    mail = answer(900, await mailbox(relay)).model_copy(update={"to": people})
    await bus.outgoing(mail)
    await all_sent(bus, mail, 5)
    eventually(lambda: sorted(one for got in script.taken for one in got.recipients) == [one.address for one in people], LONG)
    assert {got.message_id for got in script.taken} == {mail.message_id}
    assert notifier.rows("select tries, failures from outgoing where id = %s", mail.outgoing_id) == [(3, 0)]


async def test_postfix_takes_many_mails_over_kept_connections(bus: Bus, script: SmtpScript, relay: int, mailbox: Mailbox) -> None:
    scanner = await mailbox(relay)
    mails = [answer(910 + number, scanner) for number in range(30)]
    for mail in mails:
        await bus.outgoing(mail)
    for mail in mails:
        await all_sent(bus, mail, 1)
    eventually(lambda: {got.message_id for got in script.taken} == {mail.message_id for mail in mails}, LONG)
    assert len(script.taken) == len(mails)


async def test_greenmail_gets_each_mail_once(stack: TestStack, bus: Bus, mailbox: Mailbox) -> None:
    address = f"anna-{uuid4().hex[:8]}@customer.test"
    stack.create_mail_user(address, "secret")
    scanner = await mailbox(stack.smtp_port, server=stack.smtp_host)
    mails = [answer(950, scanner, to=address, text=f"answer {number}") for number in range(10)]
    for mail in mails:
        await bus.outgoing(mail)
    for mail in mails:
        await all_sent(bus, mail, 1)
    with imaplib.IMAP4(stack.imap_host, stack.imap_port) as box:
        box.login(address, "secret")
        assert box.select()[1] == [str(len(mails)).encode()]
        ids = [_message_id(box, number) for number in range(1, len(mails) + 1)]
    assert ids == [mail.message_id for mail in mails]


def _message_id(box: imaplib.IMAP4, number: int) -> str:
    _, found = box.fetch(str(number), "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    assert isinstance(found[0], tuple)
    return found[0][1].decode().partition(":")[2].strip()
