"""Real servers: Debian's Postfix where it is installed, and the embedded stack's GreenMail."""

from __future__ import annotations

import imaplib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.archive import Archive
from shared.events import OutgoingMail, OutgoingPart, Quoted
from shared.mail.model import Address
from tests.integration.notifier.parts import Bus, Notifier, answer
from tests.kit import postfix
from tests.kit.dkim_key import DkimKey
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


async def test_a_signature_on_the_mail_as_it_left_holds_behind_postfix(
    notifier: Notifier, bus: Bus, script: SmtpScript, relay: int, mailbox: Mailbox, archive: Archive
) -> None:
    """No field or line of it is one that a server changes: long ones, UTF-8, blanks at line ends, files."""
    mail = await hard_to_carry(archive, await mailbox(relay))
    await bus.outgoing(mail)
    await all_sent(bus, mail, 2)
    left = notifier.call("GET", f"/outgoing/{mail.outgoing_id}/raw").content
    eventually(lambda: script.taken, LONG)
    came = script.taken[0].data
    assert came.startswith(b"Received:")
    key = DkimKey()
    for ways in ((b"simple", b"simple"), (b"relaxed", b"simple"), (b"relaxed", b"relaxed")):
        signature = key.sign(left, ways)
        assert key.holds(signature + came), ways
        assert not key.holds(signature + came.replace(b"Anna", b"Emma")), ways


async def hard_to_carry(archive: Archive, scanner_id: str) -> OutgoingMail:
    key, octets = f"uploads/2026-11/{uuid4()}", bytes(range(256)) * 40
    await archive.put(key, octets)
    name = "Größenänderung der Büroräume 漢字 " * 4
    ids = [f"<{'x' * 200}.{number}@lakeside.example>" for number in range(30)]
    long = f"{'Überweisung, '.join(['a'] * 40)}\nFrom here on\n.\n..\n  two blanks \n{'x' * 3000}\n\n-- \nHelp desk \t\n"
    people = [Address(name=name, address="anna@lakeside.example"), Address(name='Anna "A" Keller', address='"anna b"@lakeside.example')]
    return answer(
        930,
        scanner_id,
        title=name * 3,
        text=long,
        quoted=Quoted(sender=name, at=datetime(2026, 11, 22, tzinfo=UTC), text=long, html=f"<p>{long}</p>"),
        parts=[OutgoingPart(name=f"{name}.bin", content_type="application/pdf", size=len(octets), archive_key=key)],
        references=ids,
        in_reply_to=ids[-1],
    ).model_copy(update={"to": people})


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
