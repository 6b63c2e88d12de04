"""Erasure in the fetcher: the ledger and the archive forget, and the mails left in the mailbox are never published again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import text

from fetcher.adapters.tables import ERASED, MESSAGING
from fetcher.erasure import steps
from shared.erasure.eraser import Eraser
from shared.events import Erasure, address_digest
from shared.messaging.consumer import Consumer
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Outbox, Source
from shared.messaging.received import Record
from shared.topics import PRIVACY_ERASURES
from tests.integration.fetcher.rig import USER_PASSWORD, Rig, append, mail
from tests.kit.leftovers import archived, leftovers
from tests.kit.stack import TestStack

PAUL = "paul@customer.example"
WORDS = (PAUL, "Paul <", "Quiet pump", "It drips")


def others_mail() -> bytes:
    lines = ["From: Bert <bert@customer.example>", f"To: help@company.example, Paul Berg <{PAUL}>", "Subject: Lift", "", "Stuck.", ""]
    return "\r\n".join(lines).encode()


async def scanned(rig: Rig, stack: TestStack, user: str, mails: Sequence[bytes]) -> str:
    append(stack.imap_port, user, USER_PASSWORD, list(mails))
    scanner_id = await rig.add_scanner(stack.imap_port, user, USER_PASSWORD)
    assert await rig.scan(scanner_id)
    return scanner_id


async def erase(rig: Rig, address: str = PAUL, before: datetime | None = None) -> dict[str, Any]:
    """The whole part of the fetcher; returns its report, as it leaves."""
    outbox = Outbox(rig.engine, Source("fetcher", rig.settings.namespace))
    eraser = Eraser("fetcher", outbox, ERASED, steps(rig.tools.archive))
    consumer = Consumer("fetcher", PRIVACY_ERASURES, eraser.on_erasure, outbox=outbox, tables=MESSAGING, settings=rig.settings)
    moment = before or datetime.now(UTC) + timedelta(hours=1)
    body = Erasure(erasure_id=str(uuid4()), address=address, digest=address_digest(address), before=moment)
    envelope = Envelope(body.erasure_id, "/test", PRIVACY_ERASURES.event_type, datetime.now(UTC))
    value = body.model_dump_json().encode()
    await consumer.on_records([Record("t", 0, 0, body.erasure_id.encode(), envelope.headers(), value)])
    async with rig.engine.begin() as conn:
        await conn.execute(text("update outbox set sent_at = now()"))
    while await eraser.step():
        pass
    async with rig.engine.connect() as conn:
        found = (await conn.execute(text("select convert_from(value, 'UTF8')::jsonb as body from outbox where sent_at is null"))).all()
    (report,) = [row.body for row in found]
    return dict(report)


async def test_ledger_and_archive_forget_the_mails_and_keep_their_places(rig: Rig, stack: TestStack, greenmail_user: str) -> None:
    scanner_id = await scanned(rig, stack, greenmail_user, [mail("Quiet pump", "<q1@c>", "It drips."), others_mail()])
    before = await rig.lines(scanner_id)
    report = await erase(rig)

    theirs, other = await rig.lines(scanner_id)
    assert (theirs.id, theirs.uid, theirs.size, theirs.sha256) == (before[0].id, before[0].uid, before[0].size, before[0].sha256)
    assert (theirs.sender, theirs.subject, theirs.recipients, theirs.message_id, theirs.archive_key) == ("", "", [], None, None)
    assert (theirs.state, theirs.outcome_type) == ("done", "dropped")
    assert other.subject == "Lift"
    assert "erased" in other.recipients
    assert await leftovers(rig.engine, WORDS) == []
    assert archived_mails(rig, "drips") == []
    assert report["removed"] == {"mails": 1, "archived": 1, "mails_of_others": 1}
    assert report["mail_ids"] == [theirs.id]
    assert any("mailbox itself" in line for line in report["kept"])


def archived_mails(rig: Rig, word: str) -> list[str]:
    return archived(Path(urlsplit(rig.settings.archive_url).path), [word])


async def test_a_mail_still_in_the_mailbox_is_not_fetched_as_new_again(rig: Rig, stack: TestStack, greenmail_user: str) -> None:
    scanner_id = await scanned(rig, stack, greenmail_user, [mail("Quiet pump", "<q1@c>", "It drips.")])
    await erase(rig)
    append(
        stack.imap_port,
        greenmail_user,
        USER_PASSWORD,
        [mail("Quiet pump", "<q1@c>", "It drips."), mail("Left over", "<q2@c>", "It drips.")],
    )
    assert await rig.scan(scanner_id)

    assert len(await rig.raw_mails(scanner_id)) == 1, "only what was published before the erasure"
    _, copy, late = await rig.lines(scanner_id)
    assert copy.outcome_type == "duplicate"
    assert late.outcome_type == "dropped"
    assert await leftovers(rig.engine, (*WORDS, "Left over")) == []
    assert archived_mails(rig, "drips") == []


async def test_what_comes_later_is_published(rig: Rig, stack: TestStack, greenmail_user: str) -> None:
    await erase(rig, before=datetime.now(UTC) - timedelta(hours=1))
    scanner_id = await scanned(rig, stack, greenmail_user, [mail("Hello again", "<q3@c>")])
    (line,) = await rig.lines(scanner_id)
    assert (line.state, line.subject) == ("published", "Hello again")


async def test_a_mail_that_a_scan_may_be_archiving_is_waited_for(rig: Rig, stack: TestStack, greenmail_user: str) -> None:
    scanner_id = await scanned(rig, stack, greenmail_user, [mail("Quiet pump", "<q1@c>", "It drips.")])
    async with rig.engine.begin() as conn:
        await conn.execute(text("update ledger set state = 'seen'"))
    outbox = Outbox(rig.engine, Source("fetcher", rig.settings.namespace))
    eraser = Eraser("fetcher", outbox, ERASED, steps(rig.tools.archive))
    row = {"erasure_id": "e", "digest": address_digest(PAUL), "before": datetime.now(UTC) + timedelta(hours=1), "address": PAUL}
    async with rig.engine.begin() as conn:
        await conn.execute(ERASED.insert().values(row))
    assert await eraser.step()
    assert not await eraser.step(), "it did not wait"
    (line,) = await rig.lines(scanner_id)
    assert line.subject == "Quiet pump"
    async with rig.engine.begin() as conn:
        await conn.execute(text("update ledger set seen_at = now() - interval '6 minutes'"))
        await conn.execute(text("update erased set next_step_at = now()"))
    assert await eraser.step()
    (line,) = await rig.lines(scanner_id)
    assert line.subject == ""
