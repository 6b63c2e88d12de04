"""What a notifier has in hand it sends once, and nothing that waits is forgotten: with short leases, long pauses and much patience."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from notifier.adapters.beginnings import Beginnings
from notifier.adapters.claimant import Claimant
from notifier.adapters.queue import Beginning
from shared.archive import Archive
from shared.database import make_engine
from shared.events import OutgoingMail, OutgoingMode, OutgoingPart
from tests.integration.notifier.parts import Bus, Notifier, answer, free_port, limit, new_namespace, running_notifier, sender_body
from tests.kit.eventually import eventually, eventually_async
from tests.kit.smtp_script import HOLD, SmtpScript
from tests.kit.stack import TestStack

pytestmark = [pytest.mark.connected, pytest.mark.timeout(300)]
Mailbox = Callable[..., Awaitable[str]]
LONG = 60.0


@pytest.fixture(scope="module")
def namespace(stack: TestStack) -> str:
    return new_namespace(stack, "in-hand")


@pytest.fixture(scope="module")
def database_url(stack: TestStack) -> str:
    return stack.database_url(f"in_hand_{uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def running(
    namespace: str, database_url: str, common_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notifier]:
    times = {
        "COMMAND_TIMEOUT_SECONDS": "60",
        "DATA_TIMEOUT_SECONDS": "60",
        "FIRST_RETRY_SECONDS": "30",
        "CLAIM_SECONDS": "1",
        "IDLE_SECONDS": "3",
    }
    own = {"NAMESPACE": namespace, "DATABASE_URL": database_url, "SERVERS_AT_ONCE": "2"}
    with running_notifier(common_settings | times | own, tmp_path_factory.mktemp("in-hand") / "notifier.log") as process:
        yield process


async def news(bus: Bus, mail: OutgoingMail) -> list[str]:
    return [one.state.value for one in await bus.deliveries(mail.outgoing_id)]


async def told(bus: Bus, mail: OutgoingMail, *states: str) -> None:
    """Wait until these states are all that was told."""

    async def all_of_it() -> bool:
        assert await news(bus, mail) == list(states)
        return True

    await eventually_async(all_of_it, LONG)


async def sent(bus: Bus, *mails: OutgoingMail) -> None:
    async def last() -> bool:
        return [(await news(bus, mail))[-1:] for mail in mails] == [["sent"]] * len(mails)

    await eventually_async(last, LONG)


def left(script: SmtpScript) -> list[str]:
    return [one.message_id for one in script.taken]


async def test_a_mail_that_is_claimed_and_tried_again_by_hand_leaves_once(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    scanner = await mailbox(script.port)
    eventually(lambda: notifier.rows("select from scanners where id = %s", scanner))
    limit(notifier, scanner, connections=2)
    script.answers["end"] = [HOLD, HOLD, HOLD]
    mails = [answer(10 + number, scanner) for number in range(3)]
    for mail in mails[:2]:
        await bus.outgoing(mail)
    eventually(lambda: script.reached == ["end"] * 2)
    await bus.outgoing(mails[2])
    eventually(lambda: notifier.rows("select from outgoing where id = %s and claimed_by is not null", mails[2].outgoing_id))
    assert notifier.call("POST", f"/outgoing/{mails[2].outgoing_id}/retry").status_code == 200
    after = answer(13, scanner)
    await bus.outgoing(after)
    eventually(lambda: notifier.rows("select from outgoing where id = %s and claimed_by is not null", after.outgoing_id))
    script.go_on()
    eventually(lambda: script.reached == ["end"] * 3)  # one of the two that are left; the other goes on meanwhile
    await sent(bus, *mails[:2])
    script.go_on()
    await sent(bus, *mails, after)
    assert sorted(left(script)) == sorted(mail.message_id for mail in (*mails, after))
    assert notifier.rows("select tries from outgoing where id = %s", mails[2].outgoing_id) == [(1,)]


async def test_of_two_who_begin_one_mail_one_sends_it(notifier: Notifier, bus: Bus, database_url: str) -> None:
    mail = answer(20, "no-such-mailbox")
    await bus.outgoing(mail)
    mine = "update outgoing set claimed_by = 'test/1', claimed_until = now() + interval '1 hour' where id = %s returning id"
    eventually(lambda: notifier.rows(mine, mail.outgoing_id))
    engine = make_engine(SecretStr(database_url), application="test")
    try:
        beginnings = Beginnings(engine, Claimant("test", "test/1", timedelta(hours=1)))
        one = Beginning(mail.outgoing_id, "help@help.example", "key")
        who = await asyncio.wait_for(asyncio.gather(beginnings.begin(one), beginnings.begin(one)), 30)
    finally:
        await engine.dispose()
    assert sorted(who, key=len) == [{}, {"anna@lakeside.example": ["anna@lakeside.example"]}]


async def test_a_dialogue_goes_on_though_its_lease_ran_out_while_the_database_was_away(
    stack: TestStack, notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox, log_file: Path
) -> None:
    script.answers["end"] = [HOLD]
    mail = answer(30, await mailbox(script.port))
    await bus.outgoing(mail)
    eventually(lambda: script.reached == ["end"])
    stack.kill("postgres")
    unrenewed = "what is in hand could not be renewed"
    before = log_file.read_text().count(unrenewed)
    eventually(lambda: log_file.read_text().count(unrenewed) >= before + 3, LONG)  # a lease is a second
    stack.restart("postgres")
    after = answer(31, mail.scanner_id or "")
    await bus.outgoing(after)
    await sent(bus, after)
    eventually(lambda: notifier.rows("select from outgoing where id = %s and claimed_until > now()", mail.outgoing_id))
    script.go_on()
    await sent(bus, mail)
    assert sorted(left(script)) == sorted([mail.message_id, after.message_id])
    assert len(script.commands("MAIL")) == 2


async def test_two_spellings_of_one_recipient_are_one_copy(notifier: Notifier, bus: Bus, script: SmtpScript) -> None:
    """Rows of before, when both were entered."""
    mail = answer(40, f"later-{uuid4()}")
    await bus.outgoing(mail)
    twice = """insert into recipients (outgoing_id, address, mailbox, state, sequence)
        select outgoing_id, 'Anna@LAKESIDE.example', mailbox, state, sequence from recipients where outgoing_id = %s returning address"""
    eventually(lambda: notifier.rows(twice, mail.outgoing_id))
    sender = notifier.call("POST", "/senders", sender_body(script.port, address="help@help.example")).json()
    add = "insert into scanners (id, version, name, address, sender_id, enabled) values (%s, 1, 'Help', '', %s, true) returning id"
    notifier.rows(add, mail.scanner_id, sender["id"])
    eventually(lambda: notifier.rows("select from outgoing where id = %s and state = 'sent'", mail.outgoing_id), LONG)
    assert left(script) == [mail.message_id]
    assert notifier.rows("select distinct state from recipients where outgoing_id = %s", mail.outgoing_id) == [("sent",)]


async def test_all_that_waits_for_a_dead_server_is_told_as_delayed(notifier: Notifier, bus: Bus, mailbox: Mailbox) -> None:
    scanner = await mailbox(free_port())
    eventually(lambda: notifier.rows("select from scanners where id = %s", scanner))
    limit(notifier, scanner, connections=1)
    mails = [answer(1000 + number, scanner) for number in range(120)]
    follow_up = answer(1000, scanner)
    for mail in (*mails, follow_up):
        await bus.outgoing(mail)
    waits = "select count(*) from outgoing where scanner_id = %s and state = 'delayed'"
    eventually(lambda: notifier.rows(waits, scanner) == [(len(mails) + 1,)], 25)
    await told(bus, follow_up, "accepted", "delayed")


async def test_large_mails_go_one_at_a_time_and_hold_up_nobody(bus: Bus, script: SmtpScript, mailbox: Mailbox, archive: Archive) -> None:
    data = b"x" * 5_000_000
    await archive.put("uploads/large", data)
    part = OutgoingPart(archive_key="uploads/large", name="large.bin", content_type="application/octet-stream", size=len(data))
    scanner = await mailbox(script.port)
    script.answers["content"] = [HOLD]
    large = [answer(50 + number, scanner, parts=[part]) for number in range(3)]
    await bus.outgoing(large[0])
    eventually(lambda: script.reached == ["content"], LONG)
    for mail in large[1:]:
        await bus.outgoing(mail)
    small = [answer(60 + number, scanner) for number in range(3)]
    for mail in small:
        await bus.outgoing(mail)
    await sent(bus, *small)
    assert len(script.commands("MAIL")) == 1 + len(small)
    script.go_on()
    await sent(bus, *large)
    assert sorted(left(script)) == sorted(mail.message_id for mail in (*large, *small))


async def test_identities_take_turns(notifier: Notifier, bus: Bus, mailbox: Mailbox) -> None:
    """Two may be served at a time here, and two have more to do than ever ends."""
    scripts = [SmtpScript(trickling=True), SmtpScript(trickling=True), SmtpScript()]
    for script in scripts:
        script.start()
    try:
        scanners = [await mailbox(script.port) for script in scripts]
        eventually(lambda: len(notifier.rows("select from scanners where id = any(%s)", scanners)) == len(scanners))
        for scanner in scanners:
            limit(notifier, scanner, connections=1)
        for number in range(250):
            for scanner in scanners[:2]:
                await bus.outgoing(answer(2000 + number, scanner, to=f"{scanner}@lakeside.example"))
        eventually(lambda: scripts[0].taken and scripts[1].taken)
        prompt = answer(2500, scanners[2])
        await bus.outgoing(prompt)
        await sent(bus, prompt)
        assert max(len(script.taken) for script in scripts[:2]) < 250
    finally:
        drop = "update outgoing set state = 'cancelled', next_try_at = null where scanner_id = any(%s) and state <> 'sent' returning id"
        notifier.rows(drop, scanners)
        for script in scripts:
            script.stop()


async def test_an_answer_that_waits_for_an_earlier_one_keeps_no_connection(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    script.answers["rcpt"] = ["451 4.7.1 Greylisted, please come back in 1800 seconds"]
    mail = answer(70, await mailbox(script.port))
    await bus.outgoing(mail)
    await told(bus, mail, "accepted", "delayed")
    follow_up = answer(70, mail.scanner_id or "")
    await bus.outgoing(follow_up)
    await told(bus, follow_up, "accepted")
    eventually(lambda: script.commands("QUIT"), LONG)
    held = "select from smtp_slots join scanners using (sender_id) where scanners.id = %s"
    eventually(lambda: not notifier.rows(held, mail.scanner_id))
    waiting = notifier.call("GET", f"/outgoing/{follow_up.outgoing_id}").json()
    assert (waiting["waits_for"], waiting["cancellable"], waiting["retryable"]) == (mail.outgoing_id, True, True)


async def test_what_waits_for_an_operators_own_account_goes_when_that_is_corrected(
    notifier: Notifier, bus: Bus, script: SmtpScript
) -> None:
    """The pause after a failure would be half a minute."""
    account = sender_body(free_port(), address="carla@desk.example")
    assert notifier.call("PUT", "/me/sender", account, X_Actor="user:carla").status_code == 200
    mail = answer(80, "no-such-mailbox", mode=OutgoingMode.PERSONAL, operator="user:carla", author={"address": "carla@desk.example"})
    await bus.outgoing(mail)
    await told(bus, mail, "accepted", "delayed")
    assert notifier.call("PUT", "/me/sender", account | {"port": script.port}, X_Actor="user:carla").status_code == 200
    eventually(lambda: left(script) == [mail.message_id], 15)
    await told(bus, mail, "accepted", "delayed", "sent")
