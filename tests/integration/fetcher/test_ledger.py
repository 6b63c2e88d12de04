"""Checks of the ledger: mailboxes, lines and outcomes compared, and what is missing queued again."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from fetcher.accounts import Accounts
from fetcher.adapters import check_jobs
from fetcher.adapters.imap.connection import SEARCH_STEP
from fetcher.api.mails import MailApi
from fetcher.check.jobs import MOST_TRIES, Checker
from fetcher.check.mailbox import Doors
from fetcher.gate import Gate
from fetcher.scan import Held
from fetcher.settings import Settings
from shared.api import LedgerReport
from shared.secrets import KeyRing
from tests.integration.fetcher.imap_script import ScriptedImap, ok
from tests.integration.fetcher.rig import RING, Rig, append, header, mail, running
from tests.kit.dovecot import PASSWORD, Dovecot
from tests.kit.eventually import eventually_async

pytestmark = pytest.mark.connected


@dataclass
class Check:
    """Runs checks when a test says so."""

    rig: Rig
    checker: Checker

    async def __call__(self, scanner_id: str | None = None, *, repair: bool = False) -> LedgerReport:
        """Ask for a check, run it, read its report."""
        job = (await self.rig.api.post("/ledger", json={"scanner_id": scanner_id, "repair": repair})).json()
        assert await self.checker.check_one()
        return LedgerReport.model_validate(await self.result(job["id"]))

    async def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.rig.api.get(f"/jobs/{job_id}")).json()
        return found

    async def result(self, job_id: str) -> Any:
        job = await self.job(job_id)
        assert (job["state"], job["done"]) == ("done", job["total"]), job
        return job["result"]


@pytest.fixture
async def check(rig: Rig) -> AsyncIterator[Check]:
    pool = ThreadPoolExecutor(8)
    doors = Doors(Accounts(rig.settings, KeyRing(RING), rig.engine), Gate(10, 10), pool)
    yield Check(rig, Checker(rig.tools, rig.settings, doors))
    await asyncio.to_thread(pool.shutdown)


async def do(rig: Rig, statement: str, **values: Any) -> None:
    async with rig.engine.begin() as conn:
        await conn.execute(text(statement), values)


def whats(report: LedgerReport) -> list[str]:
    return [one.what for one in report.findings]


async def read_mailbox(rig: Rig, dovecot: Dovecot, user: str, mails: list[bytes], **more: Any) -> str:
    """A scanner of a mailbox with these mails, all of them read."""
    append(dovecot.port, user, PASSWORD, mails)
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, **more)
    assert await rig.scan(scanner_id)
    return scanner_id


async def test_nothing_is_amiss_in_a_healthy_mailbox_and_deleted_mails_are_counted(
    check: Check, rig: Rig, dovecot: Dovecot, user: str
) -> None:
    mails = [mail("One", "<one@x>"), mail("Two", "<two@x>"), mail("One", "<one@x>")]
    scanner_id = await read_mailbox(rig, dovecot, user, mails)
    expunge(dovecot.port, user, "2")
    append(dovecot.port, user, PASSWORD, [mail("Not read yet", "<later@x>")])
    report = await check(scanner_id)
    assert (report.findings, report.finding_count, report.folder_count) == ([], 0, 1)
    [folder] = report.folders
    assert (folder.folder, folder.in_mailbox, folder.in_ledger, folder.gone) == ("INBOX", 3, 3, 1)


async def test_mails_from_before_the_start_are_no_gaps(check: Check, rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await read_mailbox(rig, dovecot, user, [mail("Old", "<old@x>")], start_from="now")
    await do(rig, "update folders set start_uid = 1, cursor = 1 where scanner_id = :id", id=scanner_id)
    append(dovecot.port, user, PASSWORD, [mail("New", "<new@x>")])
    assert await rig.scan(scanner_id)
    report = await check(scanner_id)
    assert whats(report) == []
    assert [(one.in_mailbox, one.in_ledger) for one in report.folders] == [(1, 1)]


async def test_a_mail_without_line_below_the_window_is_a_gap_and_repaired_once(check: Check, rig: Rig, dovecot: Dovecot, user: str) -> None:
    held = Held()
    append(dovecot.port, user, PASSWORD, [mail(f"Mail {number}", f"<{number}@x>") for number in range(5)])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id, held=held)
    lost = (await rig.lines(scanner_id))[2]
    await do(rig, "delete from ledger where id = :id", id=lost.id)
    await do(rig, "update folders set cursor = 5000 where scanner_id = :id", id=scanner_id)
    await rig.scan(scanner_id, held=held)
    assert len(await rig.lines(scanner_id)) == 4, "no scan meets it by itself"

    [gap] = (await check(scanner_id)).findings
    assert (gap.what, gap.folder, gap.uid, gap.mail_id, gap.repaired) == ("gap", "INBOX", lost.uid, lost.id, False)
    assert "--repair" in gap.detail
    [gap] = (await check(scanner_id, repair=True)).findings
    assert (gap.what, gap.mail_id, gap.repaired) == ("gap", lost.id, True)
    assert whats(await check(scanner_id)) == []

    for _ in range(2):
        await rig.scan(scanner_id, held=held)
    await held.close()
    again = [line for line in await rig.lines(scanner_id) if line.id == lost.id]
    assert [(line.state, line.subject, line.sha256) for line in again] == [("published", "Mail 2", lost.sha256)]
    records = [header(record, "ce_id") for record in await rig.raw_mails(scanner_id)]
    assert (len(records), records.count(lost.id)) == (6, 2), "once when it was first read, once more now"


async def test_a_repaired_gap_is_read_at_once_by_the_fetcher_that_holds_the_mailbox(
    settings: Settings, rig: Rig, dovecot: Dovecot, user: str
) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>"), mail("Two", "<two@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, interval_seconds=3600)
    async with running(settings) as api:
        await eventually_async(lambda: _published(rig, scanner_id, 2))
        await do(rig, "update folders set cursor = 5000 where scanner_id = :id", id=scanner_id)
        await do(rig, "delete from ledger where uid = 1")
        answer = await api.post("/ledger", json={"repair": True})
        assert answer.status_code == 202
        job = await eventually_async(lambda: _done(api, answer.headers["Location"].removeprefix("/api/v1")))
        assert [(one["what"], one["repaired"]) for one in job["result"]["findings"]] == [("gap", True)]
        await eventually_async(lambda: _published(rig, scanner_id, 2))


async def test_a_mail_whose_outcome_was_lost_is_overdue_and_published_again_under_its_id(
    check: Check, rig: Rig, dovecot: Dovecot, user: str
) -> None:
    scanner_id = await read_mailbox(rig, dovecot, user, [mail("One", "<one@x>"), mail("Two", "<two@x>")])
    first = (await rig.lines(scanner_id))[0]
    await do(rig, "update ledger set published_at = now() - interval '1 hour' where id = :id", id=first.id)
    [late] = (await check(scanner_id)).findings
    assert (late.what, late.mail_id, late.uid, late.repaired) == ("overdue", first.id, 1, False)
    assert "no outcome came" in late.detail
    [late] = (await check(repair=True)).findings
    assert (late.mail_id, late.repaired) == (first.id, True)
    assert whats(await check(scanner_id, repair=True)) == []
    records = [(header(record, "ce_id"), header(record, "ce_resend")) for record in await rig.raw_mails(scanner_id)]
    assert sorted(resend for mail_id, resend in records if mail_id == first.id) == ["", "1"]
    assert len(records) == 3


async def test_a_mail_that_was_begun_and_never_finished_is_overdue_and_its_mailbox_scanned(
    check: Check, rig: Rig, dovecot: Dovecot, user: str
) -> None:
    scanner_id = await read_mailbox(rig, dovecot, user, [mail("One", "<one@x>")])
    await do(rig, "update ledger set state = 'seen', published_at = null, seen_at = now() - interval '1 hour'")
    [late] = (await check(scanner_id)).findings
    assert (late.what, late.repaired) == ("overdue", False)
    assert "last error" in late.detail
    [late] = (await check(scanner_id, repair=True)).findings
    assert late.repaired
    assert (await rig.lines(scanner_id))[0].state == "seen"
    await rig.scan(scanner_id)
    assert whats(await check(scanner_id)) == []


async def test_one_mail_under_two_ids_is_named(check: Check, rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await read_mailbox(rig, dovecot, user, [mail("One", "<one@x>"), mail("Two", "<two@x>"), mail("One", "<one@x>")])
    first, second, _ = await rig.lines(scanner_id)
    forged = "update ledger set sha256 = :sha, message_id = :message, size = :size where id = :id"
    await do(rig, forged, sha=first.sha256, message="<other@x>", size=first.size, id=second.id)
    assert whats(await check(scanner_id)) == [], "another Message-ID is another mail, whatever the digest says"
    await do(rig, forged, sha=first.sha256, message=first.message_id, size=first.size, id=second.id)
    [double] = (await check(scanner_id, repair=True)).findings
    assert (double.what, double.mail_id, double.repaired) == ("double", second.id, False)
    assert first.id in double.detail


async def test_a_mailbox_that_refuses_is_named_and_the_others_are_compared(check: Check, rig: Rig, dovecot: Dovecot, user: str) -> None:
    good = await read_mailbox(rig, dovecot, user, [mail("One", "<one@x>")])
    bad = await rig.add_scanner(dovecot.port, user, "wrong")
    report = await check()
    [finding] = report.findings
    assert (finding.what, finding.scanner_id, finding.folder) == ("unreadable", bad, "")
    assert "user name or password" in finding.detail
    assert "Not compared: INBOX" in finding.detail
    assert [(one.scanner_id, one.in_ledger) for one in report.folders] == [(good, 1)]


async def test_a_folder_that_is_gone_is_named_and_the_others_are_compared(check: Check, rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await read_mailbox(rig, dovecot, user, [mail("One", "<one@x>")])
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["Gone", "INBOX"]})
    report = await check(scanner_id)
    assert [(one.what, one.folder) for one in report.findings] == [("unreadable", "Gone")]
    assert [one.folder for one in report.folders] == ["INBOX"]


async def test_a_renumbered_folder_is_compared_once_it_was_read_anew(check: Check, rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")], folder="Work")
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["Work"]})
    await rig.scan(scanner_id)
    await do(rig, "update folders set uid_validity = uid_validity - 1 where name = 'Work'")
    await do(rig, "update ledger set uid_validity = uid_validity - 1, id = 'the-first'")
    [finding] = (await check(scanner_id)).findings
    assert (finding.what, finding.folder) == ("unreadable", "Work")
    assert "next scan" in finding.detail
    await rig.scan(scanner_id)
    report = await check(scanner_id)
    assert report.findings == []
    assert [(one.in_mailbox, one.in_ledger, one.gone) for one in report.folders] == [(1, 1, 0)]


async def test_a_large_folder_is_asked_for_and_compared_in_steps(check: Check, rig: Rig) -> None:
    mails, lost = 2 * SEARCH_STEP + 7, {1, SEARCH_STEP, SEARCH_STEP + 1, 2 * SEARCH_STEP + 7}

    def large(tag: str, command: str, arguments: str) -> list[bytes] | None:
        done = f"{tag} OK done".encode()
        if command == "EXAMINE":
            return [f"* {mails} EXISTS".encode(), b"* OK [UIDVALIDITY 7] ok", f"* OK [UIDNEXT {mails + 1}] ok".encode(), done]
        if command == "UID" and arguments.startswith("SEARCH"):
            first, _, last = arguments.split()[1].partition(":")
            found = range(int(first), (mails if last == "*" else int(last)) + 1)
            return [("* SEARCH " + " ".join(map(str, found))).encode(), done]
        return [done]

    with ScriptedImap(large) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", "secret")
        await do(rig, "update folders set uid_validity = 7, cursor = :last where scanner_id = :id", last=mails, id=scanner_id)
        lines = """
            insert into ledger (id, scanner_id, generation, folder, uid_validity, uid, state, outcome_type)
            select md5(uid::text), :id, 1, 'INBOX', 7, uid, 'done', 'ignored' from generate_series(1, :last) uid where uid <> all(:lost)
        """
        await do(rig, lines, id=scanner_id, last=mails, lost=list(lost))
        report = await check(scanner_id)
    assert {one.uid for one in report.findings} == lost
    assert [(one.in_mailbox, one.in_ledger, one.gone) for one in report.folders] == [(mails, mails - len(lost), 0)]
    assert sum("SEARCH" in line for line in server.received) == 3


async def test_a_check_outlives_the_fetcher_that_ran_it(check: Check, rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await read_mailbox(rig, dovecot, user, [mail("One", "<one@x>")])
    job_id = (await rig.api.post("/ledger", json={})).json()["id"]
    async with rig.engine.begin() as conn:
        dead = await check_jobs.take(conn, "dead", 60)
    assert dead is not None
    assert not await check.checker.check_one(), "somebody has it"
    await do(rig, "update jobs set until = now() - interval '1 second'")
    async with rig.engine.begin() as conn:
        assert await check_jobs.take(conn, "second", 0)
        assert not await check_jobs.beat(conn, dead, 60, 0, 1), "who was taken for dead learns that it is another's"
        assert not await check_jobs.end(conn, dead, "failed", {}, 0)
    assert await check.checker.check_one()
    assert [one["scanner_id"] for one in (await check.result(job_id))["folders"]] == [scanner_id]


async def test_a_check_that_its_fetchers_never_end_is_given_up(check: Check, rig: Rig) -> None:
    job_id = (await rig.api.post("/ledger", json={})).json()["id"]
    for number in range(MOST_TRIES):
        async with rig.engine.begin() as conn:
            assert await check_jobs.take(conn, f"dead-{number}", 0)
    assert await check.checker.check_one()
    job = await check.job(job_id)
    assert job["state"] == "failed"
    assert "given up" in job["result"]["error"]


async def test_a_fetcher_that_stops_puts_its_check_back_for_the_others(check: Check, rig: Rig) -> None:
    with ScriptedImap(ok, greeting=None) as hanging:
        await rig.add_scanner(hanging.port, "anna", "secret")
        job_id = (await rig.api.post("/ledger", json={})).json()["id"]
        stopping = asyncio.create_task(check.checker.run())
        await eventually_async(lambda: _in_state(check, job_id, "running"))
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        assert (await check.job(job_id))["state"] == "queued"
        assert await check.checker.check_one()
    assert [one["what"] for one in (await check.result(job_id))["findings"]] == ["unreadable"]


async def test_a_check_is_asked_for_by_the_api(rig: Rig) -> None:
    key = {"Idempotency-Key": "once"}
    first = await rig.api.post("/ledger", json={"repair": True}, headers=key)
    assert (first.status_code, first.headers["Location"]) == (202, f"/api/v1/jobs/{first.json()['id']}")
    await do(rig, "update jobs set state = 'done'")
    assert (await rig.api.post("/ledger", json={"repair": True}, headers=key)).json()["id"] == first.json()["id"]
    one, two, other = [(await rig.api.post("/ledger", json={"repair": repair})).json()["id"] for repair in (False, False, True)]
    assert one == two, "what waits already is not queued twice"
    assert other not in {one, first.json()["id"]}
    missing = await rig.api.post("/ledger", json={"scanner_id": "nobody"})
    assert (missing.status_code, "nobody" in missing.json()["detail"]) == (404, True)


def expunge(port: int, user: str, numbers: str) -> None:
    """Delete mails by their sequence numbers, as a person does."""
    client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    try:
        client.login(user, PASSWORD)
        client.select("INBOX")
        client.store(numbers, "+FLAGS", "(\\Deleted)")
        client.expunge()
    finally:
        client.logout()


async def _published(rig: Rig, scanner_id: str, count: int) -> bool:
    return [line.state for line in await rig.lines(scanner_id)] == ["published"] * count


async def _done(api: httpx.AsyncClient, where: str) -> dict[str, Any] | None:
    job: dict[str, Any] = (await api.get(where)).json()
    return job if job["state"] == "done" else None


async def _in_state(check: Check, job_id: str, state: str) -> bool:
    return bool((await check.job(job_id))["state"] == state)


async def test_a_mail_shows_its_places_and_what_became_of_its_move(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await read_mailbox(rig, dovecot, user, [mail("One", "<one@x>"), mail("One", "<one@x>")])
    first, further = await rig.lines(scanner_id)
    await do(rig, "update ledger set move_to = 'Done', move_error = 'The folder Done is missing' where id = :id", id=first.id)
    shown = (await rig.api.get(f"/mails/{first.id}")).json()
    assert [(one["folder"], one["uid"], one["mail_id"]) for one in shown["places"]] == [("INBOX", 1, first.id), ("INBOX", 2, further.id)]
    assert (shown["move_to"], shown["move_error"]) == ("Done", "The folder Done is missing")
    assert (await rig.api.get(f"/mails/{further.id}")).json()["places"] == shown["places"]
    assert [one["places"] for one in (await rig.api.get("/mails")).json()["items"]] == [[], []]


async def test_words_are_looked_for_in_steps_and_the_next_page_goes_on(rig: Rig) -> None:
    lines = """
        insert into ledger (id, scanner_id, generation, folder, uid_validity, uid, state, subject)
        select 'm' || uid, 's', 1, 'INBOX', 7, uid, 'seen', case when uid in (1, 4, 25) then 'A needle' else 'Hay' end
        from generate_series(1, 25) uid order by uid
    """
    await do(rig, lines)
    api = MailApi(rig.tools, searched_at_once=10)
    pages = [await api.list_mails(q="NEEDLE")]
    while pages[-1].next is not None:
        pages.append(await api.list_mails(q="NEEDLE", cursor=pages[-1].next))
    assert [[one.uid for one in page.items] for page in pages] == [[25], [], [4, 1]]
    first = await api.list_mails(q="hay", limit=4)
    assert [one.uid for one in first.items] == [24, 23, 22, 21]
    assert [one.uid for one in (await api.list_mails(q="hay", limit=4, cursor=first.next)).items] == [20, 19, 18, 17]
