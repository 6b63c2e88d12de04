"""Promise 1 and 2 at the fetcher: a crash between any two steps of a batch, then another scan, gives each mail once."""

from __future__ import annotations

import imaplib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fetcher.adapters.imap.errors import LeaseLostError
from fetcher.fetch import Batch
from fetcher.poll import FolderScan
from fetcher.publish import Item
from fetcher.scan import Scanning
from tests.integration.fetcher.rig import Rig, append, flags, header, mail
from tests.kit.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.connected

STEPS = ("record", "archive", "publish", "confirm", "flag")


class PowerCutError(BaseException):
    """Not an Exception: nothing may handle it."""


def crashing(step: str, *, after: bool) -> type[FolderScan]:
    """A scan that dies before or after one of its steps."""

    class Crashing(FolderScan):
        async def record(self, batch: Batch, failures: Mapping[int, int]) -> Any:
            return await self._step("record", super().record(batch, failures))

        async def archive(self, items: Sequence[Item]) -> None:
            await self._step("archive", super().archive(items))

        async def publish(self, items: Sequence[Item]) -> Any:
            return await self._step("publish", super().publish(items))

        async def confirm(self, items: Sequence[Item], refused: Mapping[str, str], last_uid: int) -> None:
            await self._step("confirm", super().confirm(items, refused, last_uid))

        async def flag(self, uids: Sequence[int]) -> None:
            await self._step("flag", super().flag(uids))

        @staticmethod
        async def _step(name: str, work: Any) -> Any:
            if name == step and not after:
                work.close()
                raise PowerCutError
            result = await work
            if name == step:
                raise PowerCutError
            return result

    return Crashing


def freezing(step: str) -> type[FolderScan]:
    """A scan whose process stands still after one of its steps, for longer than two thirds of its lease."""

    class Freezing(FolderScan):
        async def record(self, batch: Batch, failures: Mapping[int, int]) -> Any:
            return await self._step("record", super().record(batch, failures))

        async def archive(self, items: Sequence[Item]) -> None:
            await self._step("archive", super().archive(items))

        async def publish(self, items: Sequence[Item]) -> Any:
            return await self._step("publish", super().publish(items))

        async def _step(self, name: str, work: Any) -> Any:
            result = await work
            if name == step:
                member = self._lease.membership
                member.clock = lambda: member.renewed_at + member.seconds * 0.7
            return result

    return Freezing


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_leaves_each_mail_published_under_one_id(
    rig: Rig, dovecot: Dovecot, user: str, step: str, after: bool
) -> None:
    raws = [mail(f"Mail {number}", f"<{number}.{user}>") for number in range(4)]
    append(dovecot.port, user, PASSWORD, raws)
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, after_scanning="read")
    broken = Scanning(rig.tools, rig.settings, rig.scanning._accounts, rig.scanning._pool)
    broken.folder_scan = crashing(step, after=after)

    with pytest.raises(PowerCutError):
        await rig.scan(scanner_id, broken)
    await rig.scan(scanner_id)

    lines = await rig.lines(scanner_id)
    assert [(line.subject, line.state) for line in lines] == [(f"Mail {number}", "published") for number in range(4)]
    by_id = {header(record, "ce_id"): record.value for record in await rig.raw_mails(scanner_id)}
    assert sorted(by_id.values()) == sorted(raws), "every mail once, repeated only under its id"
    repeats = Counter(header(record, "ce_id") for record in await rig.raw_mails(scanner_id)).values()
    assert max(repeats) == (2 if (step, after) in {("publish", True), ("confirm", False)} else 1)
    assert all(b"\\Seen" in line for line in flags(dovecot.port, user, PASSWORD))


@pytest.mark.parametrize(("step", "published"), [("record", 0), ("archive", 0), ("publish", 4)])
async def test_a_fetcher_frozen_past_two_thirds_of_its_lease_writes_no_more(
    rig: Rig, dovecot: Dovecot, user: str, step: str, published: int
) -> None:
    raws = [mail(f"Mail {number}", f"<{number}.{user}>") for number in range(4)]
    append(dovecot.port, user, PASSWORD, raws)
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, after_scanning="read")
    frozen = Scanning(rig.tools, rig.settings, rig.scanning._accounts, rig.scanning._pool)
    frozen.folder_scan = freezing(step)

    with pytest.raises(LeaseLostError):
        await rig.scan(scanner_id, frozen)
    assert len(await rig.raw_mails(scanner_id)) == published
    assert not any(b"\\Seen" in line for line in flags(dovecot.port, user, PASSWORD)), "it still wrote into the mailbox"

    await rig.scan(scanner_id)
    by_id = {header(record, "ce_id"): record.value for record in await rig.raw_mails(scanner_id)}
    assert sorted(by_id.values()) == sorted(raws)
    assert all(b"\\Seen" in line for line in flags(dovecot.port, user, PASSWORD))


async def test_a_mail_deleted_after_the_crash_is_published_from_the_archive(rig: Rig, dovecot: Dovecot, user: str) -> None:
    await _crash(rig, dovecot, user, "archive", after=True)
    scanner_id = (await rig.api.get("/scanners")).json()["items"][0]["id"]
    _delete_all(dovecot.port, user)
    await rig.scan(scanner_id)
    assert [line.state for line in await rig.lines(scanner_id)] == ["published"]
    assert len(await rig.raw_mails(scanner_id)) == 1


async def test_a_mail_deleted_before_it_was_archived_is_gone(rig: Rig, dovecot: Dovecot, user: str) -> None:
    await _crash(rig, dovecot, user, "record", after=True)
    scanner_id = (await rig.api.get("/scanners")).json()["items"][0]["id"]
    _delete_all(dovecot.port, user)
    await rig.scan(scanner_id)
    [line] = await rig.lines(scanner_id)
    assert (line.state, line.outcome_type) == ("done", "gone")
    assert await rig.raw_mails(scanner_id) == []


async def _crash(rig: Rig, dovecot: Dovecot, user: str, step: str, *, after: bool) -> None:
    append(dovecot.port, user, PASSWORD, [mail("Only", "<only@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    broken = Scanning(rig.tools, rig.settings, rig.scanning._accounts, rig.scanning._pool)
    broken.folder_scan = crashing(step, after=after)
    with pytest.raises(PowerCutError):
        await rig.scan(scanner_id, broken)


def _delete_all(port: int, user: str) -> None:
    client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    client.login(user, PASSWORD)
    client.select("INBOX")
    client.store("1:*", "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.logout()
