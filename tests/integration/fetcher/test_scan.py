"""The usual way, on Dovecot, which gives back the bytes it was given; and on the sandbox mail server."""

from __future__ import annotations

import hashlib
import imaplib

import pytest

from fetcher.adapters.ledger import put_outcomes
from shared.clock import utc_now
from shared.events import MailOutcome, OutcomeType, RawMail
from shared.messaging.received import Received, Record, receive
from shared.topics import MAIL_RAW, SCANNERS
from tests.integration.fetcher.rig import USER_PASSWORD, Rig, append, flags, header, mail
from tests.kit.dovecot import PASSWORD, Dovecot
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected


async def test_each_mail_is_archived_published_once_and_in_the_ledger(rig: Rig, dovecot: Dovecot, user: str) -> None:
    raws = [mail(f"Mail {number}", f"<{number}.{user}>") for number in range(3)]
    append(dovecot.port, user, PASSWORD, raws)
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, pec=True)

    assert await rig.scan(scanner_id)
    assert await rig.scan(scanner_id)

    records = await rig.raw_mails(scanner_id)
    assert sorted(record.value for record in records) == sorted(raws)
    event: Received[RawMail] = receive(Record.of(records[0], {name: value.decode() for name, value in records[0].headers}), MAIL_RAW)
    about = event.body
    assert (about.address, about.pec, about.folder, about.size) == (user, True, "INBOX", len(event.value))
    assert about.sha256 == hashlib.sha256(event.value).hexdigest()
    assert await rig.tools.archive.get(about.archive_key) == event.value
    assert event.key == about.conversation
    assert [line.state for line in await rig.lines(scanner_id)] == ["published"] * 3


async def test_reading_changes_no_flag_unless_asked_to(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
    leaving = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(leaving)
    assert b"\\Seen" not in flags(dovecot.port, user, PASSWORD)[0]

    reading = await rig.add_scanner(dovecot.port, user, PASSWORD, after_scanning="read")
    await rig.scan(reading)
    assert b"\\Seen" in flags(dovecot.port, user, PASSWORD)[0]


async def test_a_mail_read_before_is_skipped_and_taken_up_when_it_is_unread_again(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("Read", "<read@x>")], flags="(\\Seen)")
    append(dovecot.port, user, PASSWORD, [mail("Unread", "<unread@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, find="unread")
    await rig.scan(scanner_id)

    outcomes = {line.subject: line.outcome_type for line in await rig.lines(scanner_id)}
    assert outcomes == {"Read": "skipped", "Unread": None}

    _unread(dovecot.port, user)
    await rig.scan(scanner_id)
    assert {line.subject: line.state for line in await rig.lines(scanner_id)} == {"Read": "published", "Unread": "published"}
    assert len(await rig.raw_mails(scanner_id)) == 2


async def test_from_now_on_leaves_what_was_there(rig: Rig, dovecot: Dovecot, user: str) -> None:
    _append_at(dovecot.port, user, mail("Old", "<old@x>"), '"01-Jan-2020 10:00:00 +0000"')
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, start_from="now")
    append(dovecot.port, user, PASSWORD, [mail("Before the first scan", "<waiting@x>")])
    await rig.scan(scanner_id)
    append(dovecot.port, user, PASSWORD, [mail("New", "<new@x>")])
    await rig.scan(scanner_id)
    assert [line.subject for line in await rig.lines(scanner_id)] == ["Before the first scan", "New"]


async def test_a_span_of_days_skips_older_mails(rig: Rig, dovecot: Dovecot, user: str) -> None:
    _append_at(dovecot.port, user, mail("Old", "<old@x>"), '"01-Jan-2020 10:00:00 +0000"')
    append(dovecot.port, user, PASSWORD, [mail("Recent", "<recent@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, start_from="P7D")
    await rig.scan(scanner_id)
    assert {line.subject: line.outcome_type for line in await rig.lines(scanner_id)} == {"Old": "skipped", "Recent": None}

    _append_at(dovecot.port, user, mail("Moved in", "<moved@x>"), '"01-Jan-2020 10:00:00 +0000"')
    await rig.scan(scanner_id)
    assert (await rig.lines(scanner_id))[-1].state == "published", "a mail moved in later is new, whatever its date"


async def test_the_same_bytes_in_two_folders_are_one_mail_in_two_places(rig: Rig, dovecot: Dovecot, user: str) -> None:
    twice = mail("Twice", "<twice@x>")
    append(dovecot.port, user, PASSWORD, [twice, mail("Other content", "<twice@x>", "Other.")])
    append(dovecot.port, user, PASSWORD, [twice], "Copies")
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["INBOX", "Copies"]})
    await rig.scan(scanner_id)

    lines = {(line.folder, line.subject): line for line in await rig.lines(scanner_id)}
    places = [lines["Copies", "Twice"], lines["INBOX", "Twice"]]
    assert sorted(line.outcome_type or "" for line in places) == ["", "duplicate"]
    assert {line.duplicate_of for line in places} == {None, next(line.id for line in places if not line.duplicate_of)}
    assert len(await rig.raw_mails(scanner_id)) == 2, "the same Message-ID with other content is another mail"


async def test_a_mail_over_the_limit_is_failed_with_its_headers_and_stays(rig: Rig, dovecot: Dovecot, user: str) -> None:
    rig.scanning._settings = rig.settings.model_copy(update={"max_mail_bytes": 10_000})
    append(dovecot.port, user, PASSWORD, [mail("Big", "<big@x>", "x" * 20_000), mail("Small", "<small@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    big, small = await rig.lines(scanner_id)
    assert (big.subject, big.outcome_type, big.outcome_reason.split(":")[0]) == ("Big", "failed", "too_large")
    assert big.size > 20_000
    assert small.state == "published"

    rig.scanning._settings = rig.settings
    assert (await rig.api.post(f"/mails/{big.id}/retry")).status_code == 202
    await rig.scan(scanner_id)
    assert (await rig.lines(scanner_id))[0].state == "published", "a retry with a higher limit fetches it"


async def test_a_big_mail_travels_as_a_reference(rig: Rig, dovecot: Dovecot, user: str) -> None:
    raw = mail("Big", "<big@x>", "x" * 600_000)
    append(dovecot.port, user, PASSWORD, [raw])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    [record] = await rig.raw_mails(scanner_id)
    assert record.value in {b"", None}
    assert await rig.tools.archive.get(header(record, "ce_dataref")) == raw


async def test_a_changed_uidvalidity_publishes_nothing_twice(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>"), mail("Two", "<two@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    (dovecot.folder / "mail" / user / "Maildir" / "dovecot-uidlist").unlink()
    for index in (dovecot.folder / "mail" / user / "Maildir").glob("dovecot.index*"):
        index.unlink()
    append(dovecot.port, user, PASSWORD, [mail("Three", "<three@x>")])
    await rig.scan(scanner_id)

    lines = await rig.lines(scanner_id)
    assert len({line.uid_validity for line in lines}) == 2
    assert [line.subject for line in lines if line.state == "published"] == ["One", "Two", "Three"]
    assert [(line.subject, line.duplicate_of) for line in lines if line.outcome_type == "duplicate"] == [
        ("One", lines[0].id),
        ("Two", lines[1].id),
    ]
    assert len(await rig.raw_mails(scanner_id)) == 3


async def test_the_sandbox_mail_server_is_read_too(rig: Rig, stack: TestStack, greenmail_user: str) -> None:
    append(stack.imap_port, greenmail_user, USER_PASSWORD, [mail(f"Mail {n}", f"<{n}@x>") for n in range(3)])
    scanner_id = await rig.add_scanner(stack.imap_port, greenmail_user, USER_PASSWORD, after_scanning="read")
    assert await rig.scan(scanner_id)
    lines = await rig.lines(scanner_id)
    assert [line.subject for line in lines] == ["Mail 0", "Mail 1", "Mail 2"]
    assert [line.size for line in lines] == [len(await rig.tools.archive.get(line.archive_key)) for line in lines]
    assert all(b"\\Seen" in line for line in flags(stack.imap_port, greenmail_user, USER_PASSWORD))


async def test_another_user_is_another_mailbox_with_fresh_cursors(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("First", "<first@x>")])
    append(dovecot.port, f"other.{user}", PASSWORD, [mail("Second", "<second@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    assert (await rig.api.patch(f"/scanners/{scanner_id}", json={"username": f"other.{user}"})).status_code == 200
    await rig.scan(scanner_id)
    assert [(line.generation, line.uid, line.subject) for line in await rig.lines(scanner_id)] == [(1, 1, "First"), (2, 1, "Second")]
    assert len({line.id for line in await rig.lines(scanner_id)}) == 2


async def test_of_two_outcomes_the_greater_run_and_revision_holds(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    [line] = await rig.lines(scanner_id)

    async def put(kind: OutcomeType, run: int, revision: int) -> str:
        outcome = MailOutcome(mail_id=line.id, scanner_id=scanner_id, run=run, revision=revision, type=kind, at=utc_now())
        async with rig.engine.begin() as conn:
            await put_outcomes(conn, [outcome])
        return str((await rig.api.get(f"/mails/{line.id}")).json()["outcome"]["type"])

    assert await put(OutcomeType.TICKET, 1, 2) == "ticket"
    assert await put(OutcomeType.FAILED, 1, 1) == "ticket"
    assert await put(OutcomeType.SPAM, 1, 3) == "spam"
    assert await put(OutcomeType.IGNORED, 2, 1) == "ignored"
    assert await put(OutcomeType.TICKET, 1, 9) == "ignored"


async def test_settings_leave_for_the_other_services_without_secrets(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, sender_id="s1")
    await rig.api.patch(f"/scanners/{scanner_id}", json={"name": "Renamed"})
    await rig.api.delete(f"/scanners/{scanner_id}")
    async with rig.engine.connect() as conn:
        rows = (await conn.exec_driver_sql("select topic, value from outbox order by id")).all()
    assert {row.topic for row in rows} == {SCANNERS.full_name(rig.settings.namespace)}
    assert b'"name":"Renamed"' in rows[1].value
    assert rows[2].value is None, "a deletion is a tombstone"
    assert not any(PASSWORD.encode() in (row.value or b"") for row in rows)


def _unread(port: int, user: str) -> None:
    client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    client.login(user, PASSWORD)
    client.select("INBOX")
    client.store("1:*", "-FLAGS", "(\\Seen)")
    client.logout()


def _append_at(port: int, user: str, raw: bytes, when: str) -> None:
    client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    client.login(user, PASSWORD)
    client.append("INBOX", None, when, raw)
    client.logout()
