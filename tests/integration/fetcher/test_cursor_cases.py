"""What may happen to a mailbox between two scans and during one, each with the result that is right for it."""

from __future__ import annotations

import imaplib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fetcher.fetch import Batch
from fetcher.poll import FolderScan
from fetcher.scan import Scanning
from tests.integration.fetcher.imap_script import Folder, ScriptedImap
from tests.integration.fetcher.rig import Rig, append, header, mail
from tests.kit.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.connected


@contextmanager
def session(dovecot: Dovecot, user: str, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
    """Another client of the mailbox."""
    client = imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=20)
    try:
        client.login(user, PASSWORD)
        client.select(folder)
        yield client
    finally:
        client.logout()


def renumber(dovecot: Dovecot, user: str) -> None:
    """The server forgets all UIDs of INBOX: a new UIDVALIDITY."""
    maildir: Path = dovecot.folder / "mail" / user / "Maildir"
    (maildir / "dovecot-uidlist").unlink()
    for index in maildir.glob("dovecot.index*"):
        index.unlink()


def delete(dovecot: Dovecot, user: str, uids: str) -> None:
    with session(dovecot, user) as client:
        client.uid("STORE", uids, "+FLAGS.SILENT", "(\\Deleted)")
        client.expunge()


async def outcomes(rig: Rig, scanner_id: str) -> dict[str, int]:
    """How many lines there are of each outcome; `published` are under way to one."""
    return dict(Counter(line.outcome_type or line.state for line in await rig.lines(scanner_id)))


async def published(rig: Rig, scanner_id: str) -> list[bytes]:
    """The mails published, each event id once however often it was sent."""
    return sorted({header(record, "ce_id"): record.value for record in await rig.raw_mails(scanner_id)}.values())


def between(rig: Rig, step: str, act: Callable[[], None]) -> Scanning:
    """A scanning during which somebody else acts once, before the first of these steps."""
    todo = [act]

    class Disturbed(FolderScan):
        async def record(self, batch: Batch, failures: Any) -> Any:
            while step == "record" and todo:
                todo.pop()()
            return await super().record(batch, failures)

    made = Scanning(rig.tools, rig.settings, rig.scanning._accounts, rig.scanning._pool)
    made.folder_scan = Disturbed
    return made


# --- UIDVALIDITY ----------------------------------------------------------------------------------------------------------------


async def test_renumbered_with_the_same_mails_each_is_a_further_place(rig: Rig, dovecot: Dovecot, user: str) -> None:
    raws = [mail(f"Mail {number}", f"<{number}@x>") for number in range(5)]
    append(dovecot.port, user, PASSWORD, raws)
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    renumber(dovecot, user)
    await rig.scan(scanner_id)
    await rig.scan(scanner_id)
    assert await outcomes(rig, scanner_id) == {"published": 5, "duplicate": 5}
    assert len(await rig.raw_mails(scanner_id)) == 5


async def test_renumbered_with_other_mails_each_new_one_is_published(rig: Rig, dovecot: Dovecot, user: str) -> None:
    """The folder was deleted and made anew: UIDs that were used before mean other mails now."""
    append(dovecot.port, user, PASSWORD, [mail(f"Old {number}", f"<old-{number}@x>") for number in range(3)])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    delete(dovecot, user, "1:*")
    renumber(dovecot, user)
    append(dovecot.port, user, PASSWORD, [mail(f"New {number}", f"<new-{number}@x>") for number in range(3)])
    await rig.scan(scanner_id)
    lines = await rig.lines(scanner_id)
    assert {line.subject for line in lines if line.state == "published"} == {
        *(f"Old {number}" for number in range(3)),
        *(f"New {number}" for number in range(3)),
    }
    assert len({line.id for line in lines}) == 6, "the same UID in another life of the folder is another place"


async def test_renumbered_during_the_scan_nothing_is_lost_or_doubled(rig: Rig) -> None:
    """The server changes UIDVALIDITY behind an open folder; it is met when the connection is made anew."""
    raws = {uid: mail(f"Mail {uid}", f"<{uid}@x>") for uid in range(1, 4)}
    folder = Folder(dict(raws))

    def shift() -> None:
        folder.uid_validity, folder.mails = 8, {uid + 10: raw for uid, raw in raws.items()}

    with ScriptedImap(folder) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD, parameters={"BATCH_SIZE": "1"})
        await rig.scan(scanner_id, between(rig, "record", shift))
        await rig.scan(scanner_id)
        await rig.scan(scanner_id)
    assert await published(rig, scanner_id) == sorted(raws.values())
    assert "seen" not in await outcomes(rig, scanner_id)


# --- others work on the mailbox ---------------------------------------------------------------------------------------------------


async def test_mails_expunged_during_the_scan_are_gone_and_shift_no_other(rig: Rig, dovecot: Dovecot, user: str) -> None:
    raws = [mail(f"Mail {number}", f"<{number}@x>") for number in range(1, 41)]
    append(dovecot.port, user, PASSWORD, raws)
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, parameters={"BATCH_SIZE": "5"})
    await rig.scan(scanner_id, between(rig, "record", lambda: delete(dovecot, user, "3,21,25,32:33")))
    await rig.scan(scanner_id)
    lines = {line.uid: line for line in await rig.lines(scanner_id)}
    assert sorted(lines) == list(range(1, 41)), "each UID that was found has its line"
    assert {uid for uid, line in lines.items() if line.outcome_type == "gone"} <= {21, 25, 32, 33}
    for uid, line in lines.items():
        if line.state == "published":
            assert line.subject == f"Mail {uid}"
            assert await rig.tools.archive.get(line.archive_key) == raws[uid - 1]
    assert len(await rig.raw_mails(scanner_id)) == sum(line.state == "published" for line in lines.values())


async def test_mails_moved_by_another_client_during_the_scan_are_read_where_they_are_then(rig: Rig, dovecot: Dovecot, user: str) -> None:
    """Both folders are ticked: whether a mail was read before or after its move, it is one mail."""
    raws = [mail(f"Mail {number}", f"<{number}@x>") for number in range(1, 21)]
    append(dovecot.port, user, PASSWORD, raws)
    with session(dovecot, user) as client:
        client.create("Later")

    def move() -> None:
        with session(dovecot, user) as client:
            client._simple_command("UID", "MOVE", "1,2,12:14", "Later")

    imaplib.Commands.setdefault("MOVE", ("SELECTED",))
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, parameters={"BATCH_SIZE": "5"})
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["INBOX", "Later"]})
    await rig.scan(scanner_id, between(rig, "record", move))
    await rig.scan(scanner_id)
    assert await published(rig, scanner_id) == sorted(raws)
    assert set(await outcomes(rig, scanner_id)) <= {"published", "gone", "duplicate"}


async def test_a_mail_moved_in_with_an_old_date_is_read(rig: Rig, dovecot: Dovecot, user: str) -> None:
    """The cursor is no date: what counts is that it came into the folder."""
    with session(dovecot, user) as client:
        client.create("Elsewhere")
        client.append("Elsewhere", None, '"01-Jan-2001 10:00:00 +0000"', mail("From long ago", "<old@x>"))
    append(dovecot.port, user, PASSWORD, [mail("Recent", "<recent@x>")])
    for start_from in ("now", "P7D", "everything"):
        scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, start_from=start_from)
        await rig.scan(scanner_id)
        with session(dovecot, user, "Elsewhere") as client:
            client.uid("COPY", "1", "INBOX")
        await rig.scan(scanner_id)
        [line] = [one for one in await rig.lines(scanner_id) if one.subject == "From long ago" and one.state == "published"][:1]
        assert line.received_at.year == 2001
        delete(dovecot, user, "2:*")


# --- odd servers ------------------------------------------------------------------------------------------------------------------


async def test_uids_with_gaps_are_all_read_up_to_the_largest_there_are(rig: Rig) -> None:
    uids = [1, 2, 900, 70_000, 2_000_000_000, 4_294_967_294]
    with ScriptedImap(Folder({uid: mail(f"Mail {uid}", f"<{uid}@x>") for uid in uids})) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD)
        await rig.scan(scanner_id)
    assert [line.uid for line in await rig.lines(scanner_id)] == uids
    assert await outcomes(rig, scanner_id) == {"published": len(uids)}


async def test_a_lower_uid_that_appears_late_is_read_within_the_window(rig: Rig) -> None:
    """Servers have shown a lower UID after a higher one. Below the window it is not asked for: RFC 3501 forbids it altogether."""
    folder = Folder({500: mail("Begin", "<500@x>"), 2_000: mail("High", "<2000@x>")})
    with ScriptedImap(folder) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD)
        await rig.scan(scanner_id)
        folder.mails[1_500] = mail("Late", "<1500@x>")
        folder.mails[700] = mail("Too late", "<700@x>")
        await rig.scan(scanner_id)
    assert {line.subject for line in await rig.lines(scanner_id)} == {"Begin", "High", "Late"}


async def test_uids_given_anew_without_saying_so_cannot_be_seen_but_new_ones_are_read(rig: Rig) -> None:
    """The server breaks what UIDVALIDITY promises (RFC 3501, 2.3.1.1), and nothing in its answers shows it.

    A UID with a line is not read again: to compare each would read the whole mailbox at every scan. So the mail that has a known UID
    now is passed over. All others are read, and what is known under another UID is a further place of it: nothing is doubled.
    """
    folder = Folder({1: mail("One", "<1@x>"), 2: mail("Two", "<2@x>")})
    with ScriptedImap(folder) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD)
        await rig.scan(scanner_id)
        folder.mails = {1: mail("Another", "<another@x>"), 2: mail("One", "<1@x>"), 3: mail("Two", "<2@x>"), 4: mail("New", "<4@x>")}
        await rig.scan(scanner_id)
    lines = [(line.uid, line.subject, line.outcome_type or line.state) for line in await rig.lines(scanner_id)]
    assert lines == [(1, "One", "published"), (2, "Two", "published"), (3, "Two", "duplicate"), (4, "New", "published")]


# --- one mail or two --------------------------------------------------------------------------------------------------------------


async def test_mails_without_message_id_are_told_apart_by_their_bytes(rig: Rig, dovecot: Dovecot, user: str) -> None:
    same = mail("No id", None, "The same.")
    append(dovecot.port, user, PASSWORD, [same, mail("No id", None, "Another."), same])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    lines = await rig.lines(scanner_id)
    assert [line.outcome_type or line.state for line in lines] == ["published", "published", "duplicate"]
    assert [line.message_id for line in lines] == [None] * 3
    assert lines[2].duplicate_of == lines[0].id
    assert all(line.conversation for line in lines)


async def test_one_message_id_on_two_mails_is_two_mails(rig: Rig, dovecot: Dovecot, user: str) -> None:
    """Also of the same length: it is the digest that decides."""
    raws = [mail("Order 1", "<shared@x>", "Please send A."), mail("Order 2", "<shared@x>", "Please send B.")]
    assert len(raws[0]) == len(raws[1])
    append(dovecot.port, user, PASSWORD, raws)
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    assert await published(rig, scanner_id) == sorted(raws)
    assert await outcomes(rig, scanner_id) == {"published": 2}


async def test_the_same_mail_in_two_folders_is_one_and_in_two_scanners_two(rig: Rig, dovecot: Dovecot, user: str) -> None:
    raw = mail("Everywhere", "<everywhere@x>")
    append(dovecot.port, user, PASSWORD, [raw])
    append(dovecot.port, user, PASSWORD, [raw], "Copies")
    ids = set()
    for _ in range(2):
        scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
        await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["INBOX", "Copies"]})
        await rig.scan(scanner_id)
        assert await outcomes(rig, scanner_id) == {"published": 1, "duplicate": 1}
        ids |= {header(record, "ce_id") for record in await rig.raw_mails(scanner_id)}
    assert len(ids) == 2


# --- another mailbox --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["server", "username", "SHARED_MAILBOX"])
async def test_another_mailbox_in_an_existing_scanner_begins_anew_and_knows_its_mails(
    rig: Rig, dovecot: Dovecot, user: str, change: str
) -> None:
    """Fresh cursors, so that UIDs of the one are not those of the other; a mail that is in both is not published again."""
    both = mail("In both", "<both@x>")
    append(dovecot.port, user, PASSWORD, [both, mail("First", "<first@x>")])
    append(dovecot.port, f"other.{user}", PASSWORD, [mail("Second", "<second@x>"), both])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)
    changed = {
        "server": {"server": "localhost"},
        "username": {"username": f"other.{user}"},
        "SHARED_MAILBOX": {"parameters": {"SHARED_MAILBOX": user}},
    }[change]
    answer = await rig.api.patch(f"/scanners/{scanner_id}", json=changed)
    assert answer.status_code == 200
    await rig.scan(scanner_id)
    lines = await rig.lines(scanner_id)
    assert {line.generation for line in lines if line.uid == 1} == {1, 2}
    subjects = {line.subject for line in lines if line.state == "published"}
    assert subjects == ({"In both", "First", "Second"} if change == "username" else {"In both", "First"})
    assert len(await rig.raw_mails(scanner_id)) == len(subjects)


# --- what cannot be fetched -------------------------------------------------------------------------------------------------------


async def test_a_mail_that_cannot_be_fetched_is_failed_after_five_tries_and_read_when_somebody_asks_again(rig: Rig) -> None:
    folder = Folder({1: mail("One", "<1@x>"), 2: None, 3: mail("Three", "<3@x>")})
    with ScriptedImap(folder) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD)
        for _ in range(5):
            assert await rig.scan(scanner_id), "it stops no scan"
        bad = next(line for line in await rig.lines(scanner_id) if line.uid == 2)
        assert (bad.outcome_type, bad.fetch_failures) == ("failed", 5)
        asked = sum("BODY" in line and " 2 " in line for line in server.received)
        await rig.scan(scanner_id)
        assert sum("BODY" in line and " 2 " in line for line in server.received) == asked, "it is passed over from now on"

        folder.mails[2] = mail("Two", "<2@x>")
        assert (await rig.api.post(f"/mails/{bad.id}/retry")).status_code == 202
        await rig.scan(scanner_id)
    assert await outcomes(rig, scanner_id) == {"published": 3}
