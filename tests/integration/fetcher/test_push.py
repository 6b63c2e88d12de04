"""Waiting for news: IDLE, NOTIFY, neither; a connection that dies meanwhile, a server that talks without pause."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.connection import Opened
from fetcher.mailbox import Mailbox
from fetcher.push import Times, mode, watch
from shared.api import SslMethod, SslType
from tests.integration.fetcher.imap_script import Folder, ScriptedImap
from tests.integration.fetcher.rig import USER_PASSWORD, append, mail
from tests.kit.certificates import self_signed
from tests.kit.dovecot import PASSWORD, Dovecot, Setup, running_dovecot
from tests.kit.eventually import eventually_async
from tests.kit.proxy import FaultProxy
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected
LONG = 30.0
QUICK = Times(renew=0.3, look=0.3, ask=0.2, calm=0.05, died=0.2)


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8, thread_name_prefix="push test")


@asynccontextmanager
async def opened(port: int, user: str, pool: ThreadPoolExecutor, read_timeout: float = 10) -> AsyncIterator[Mailbox]:
    mailbox = Mailbox(Account("127.0.0.1", port, user, PASSWORD, SslType.NONE, read_timeout=read_timeout), pool)
    await mailbox.ensure_open()
    try:
        yield mailbox
    finally:
        await mailbox.close()


async def looks_of(mailbox: Mailbox, folders: Sequence[str]) -> dict[str, Opened]:
    return {name: await mailbox.select(name, writable=False) for name in folders}


@asynccontextmanager
async def watching(
    mailbox: Mailbox, folders: Sequence[str], looks: Mapping[str, Opened], times: Times = QUICK, wake: asyncio.Event | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """It waits already when the test goes on, as far as a quarter of a second is enough for that."""
    task = asyncio.create_task(watch(mailbox, folders, wake or asyncio.Event(), LONG, looks, times))
    await asyncio.wait({task}, timeout=0.25)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def within(task: asyncio.Task[None], seconds: float) -> float:
    began = time.monotonic()
    await asyncio.wait_for(asyncio.shield(task), seconds)
    return time.monotonic() - began


async def test_a_mail_that_arrives_ends_the_wait(dovecot: Dovecot, user: str, pool: ThreadPoolExecutor) -> None:
    async with opened(dovecot.port, user, pool) as mailbox:
        looks = await looks_of(mailbox, ["INBOX"])
        assert await mode(mailbox, ["INBOX"]) == "push"
        async with watching(mailbox, ["INBOX"], looks, Times()) as task:
            assert not task.done(), "nothing came yet"
            await asyncio.to_thread(append, dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
            assert await within(task, 5) < 2
        assert (await mailbox.select("INBOX", writable=False)).exists == 1, "the connection goes on after it"


@pytest.mark.parametrize("ssl_type", [SslType.SSL, SslType.STARTTLS])
async def test_a_mail_is_heard_of_over_tls(tmp_path: Path, user: str, pool: ThreadPoolExecutor, ssl_type: SslType) -> None:
    """Where bytes may wait inside the encryption while the socket is silent, and the socket speak of nothing that is a line."""
    with running_dovecot(Setup(certificate=self_signed(tmp_path))) as server:
        port = server.tls_port if ssl_type is SslType.SSL else server.port
        mailbox = Mailbox(Account("127.0.0.1", port, user, PASSWORD, ssl_type, SslMethod.NO_VALIDATE, read_timeout=10), pool)
        await mailbox.ensure_open()
        for number in range(3):
            looks = await looks_of(mailbox, ["INBOX"])
            async with watching(mailbox, ["INBOX"], looks) as task:
                assert not task.done()
                await asyncio.to_thread(append, server.port, user, PASSWORD, [mail("Next", f"<{number}@x>")])
                await within(task, 5)
        assert mailbox.open
        await mailbox.close()


async def test_the_sandbox_mail_server_is_heard_too(stack: TestStack, greenmail_user: str, pool: ThreadPoolExecutor) -> None:
    account = Account("127.0.0.1", stack.imap_port, greenmail_user, USER_PASSWORD, SslType.NONE, read_timeout=10)
    mailbox = Mailbox(account, pool)
    await mailbox.ensure_open()
    for number in range(3):
        looks = await looks_of(mailbox, ["INBOX"])
        async with watching(mailbox, ["INBOX"], looks, Times()) as task:
            assert not task.done()
            await asyncio.to_thread(append, stack.imap_port, greenmail_user, USER_PASSWORD, [mail("Next", f"<{number}@x>")])
            await within(task, 5)
    await mailbox.close()


async def test_a_renewed_idle_still_hears(dovecot: Dovecot, user: str, pool: ThreadPoolExecutor) -> None:
    async with opened(dovecot.port, user, pool) as mailbox:
        looks = await looks_of(mailbox, ["INBOX"])
        async with watching(mailbox, ["INBOX"], looks) as task:
            await asyncio.wait({task}, timeout=5 * QUICK.renew)
            assert not task.done()
            await asyncio.to_thread(append, dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
            await within(task, 5)
        assert mailbox.open


async def test_a_mail_between_search_and_idle_is_not_slept_over(dovecot: Dovecot, user: str, pool: ThreadPoolExecutor) -> None:
    """The server announces it in the answer to NOOP, before anybody idles, and never again."""
    async with opened(dovecot.port, user, pool) as mailbox:
        looks = await looks_of(mailbox, ["INBOX"])
        append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
        await mailbox.call(lambda c: c.noop())
        await asyncio.wait_for(watch(mailbox, ["INBOX"], asyncio.Event(), LONG, looks), 5)


async def test_two_folders_are_heard_on_one_connection_where_notify_is_offered(
    dovecot: Dovecot, user: str, pool: ThreadPoolExecutor
) -> None:
    folders = ["INBOX", 'Copies "2"']
    with FaultProxy(dovecot.port) as proxy:
        async with opened(proxy.port, user, pool) as mailbox, opened(dovecot.port, user, pool) as other:
            await other.call(lambda c: c.client.create_folder(folders[1]))
            assert await mode(mailbox, folders) == "push"
            for name in (*folders, *folders):
                looks = await looks_of(mailbox, folders)
                async with watching(mailbox, folders, looks, Times()) as task:
                    assert not task.done()
                    await other.call(lambda c, name=name: c.client.append(name, mail("Next")))  # type: ignore[misc]  # mypy: default of a lambda
                    await within(task, 5)
        assert proxy.connections == 1


async def test_a_mail_in_the_other_folder_before_the_wait_is_told_by_notify(dovecot: Dovecot, user: str, pool: ThreadPoolExecutor) -> None:
    append(dovecot.port, user, PASSWORD, [mail("First", "<first@x>")], "Copies")
    async with opened(dovecot.port, user, pool) as mailbox:
        looks = await looks_of(mailbox, ["Copies", "INBOX"])
        append(dovecot.port, user, PASSWORD, [mail("Second", "<second@x>")], "Copies")
        await asyncio.wait_for(watch(mailbox, ["Copies", "INBOX"], asyncio.Event(), LONG, looks), 5)


async def test_a_folder_the_server_does_not_announce_after_all_is_polled(dovecot: Dovecot, user: str, pool: ThreadPoolExecutor) -> None:
    """Dovecot 2.3 takes names beyond ASCII, and never speaks of them."""
    append(dovecot.port, user, PASSWORD, [mail("First", "<first@x>")], "Copies")
    with FaultProxy(dovecot.port, lambda data: data.replace(b"* STATUS Copies", b"* XSTATUS Copies")) as proxy:
        async with opened(proxy.port, user, pool) as mailbox:
            looks = await looks_of(mailbox, ["Copies", "INBOX"])
            async with watching(mailbox, ["Copies", "INBOX"], looks):
                assert await eventually_async(lambda: _is_unheard(mailbox, "Copies"))
        assert await mode(mailbox, ["Copies", "INBOX"]) == "poll"


async def test_an_announcement_the_server_loses_is_found_when_it_is_looked_for(
    dovecot: Dovecot, user: str, pool: ThreadPoolExecutor
) -> None:
    """As above, but the answers to STATUS get through: only what is announced does not."""
    append(dovecot.port, user, PASSWORD, [mail("First", "<first@x>")], "Copies")
    with FaultProxy(dovecot.port, lambda data: data if b" OK " in data else data.replace(b"* STATUS Copies", b"* XSTATUS Copies")) as proxy:
        async with opened(proxy.port, user, pool) as mailbox:
            looks = await looks_of(mailbox, ["Copies", "INBOX"])
            async with watching(mailbox, ["Copies", "INBOX"], looks) as task:
                await asyncio.to_thread(append, dovecot.port, user, PASSWORD, [mail("Second", "<second@x>")], "Copies")
                await within(task, 5)


async def _is_unheard(mailbox: Mailbox, folder: str) -> bool:
    return folder in mailbox.wire.unheard


async def test_without_notify_inbox_is_heard_and_the_others_wait_for_the_next_scan(
    dovecot: Dovecot, user: str, pool: ThreadPoolExecutor
) -> None:
    append(dovecot.port, user, PASSWORD, [mail("First", "<first@x>")], "Copies")
    with FaultProxy(dovecot.port, lambda data: data.replace(b" NOTIFY", b"")) as proxy:
        async with opened(proxy.port, user, pool) as mailbox:
            looks = await looks_of(mailbox, ["Copies", "INBOX"])
            assert await mode(mailbox, ["Copies", "INBOX"]) == "poll"
            async with watching(mailbox, ["Copies", "INBOX"], looks, Times()) as task:
                await asyncio.to_thread(append, dovecot.port, user, PASSWORD, [mail("Second", "<second@x>")], "Copies")
                await asyncio.wait({task}, timeout=1.5)
                assert not task.done()
                await asyncio.to_thread(append, dovecot.port, user, PASSWORD, [mail("Third", "<third@x>")])
                await within(task, 5)


async def test_without_idle_the_server_is_asked_now_and_then(dovecot: Dovecot, user: str, pool: ThreadPoolExecutor) -> None:
    with FaultProxy(dovecot.port, lambda data: data.replace(b" IDLE", b"")) as proxy:
        async with opened(proxy.port, user, pool) as mailbox:
            looks = await looks_of(mailbox, ["INBOX"])
            assert await mode(mailbox, ["INBOX"]) == "poll"
            async with watching(mailbox, ["INBOX"], looks) as task:
                await asyncio.wait({task}, timeout=3 * QUICK.ask)
                assert not task.done()
                await asyncio.to_thread(append, dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
                await within(task, 5)


async def test_flags_and_deletions_are_no_news_and_a_mail_after_a_deletion_is(
    dovecot: Dovecot, user: str, pool: ThreadPoolExecutor
) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>"), mail("Two", "<two@x>")])
    async with opened(dovecot.port, user, pool) as mailbox, opened(dovecot.port, user, pool) as other:
        looks = await looks_of(mailbox, ["INBOX"])
        await other.select("INBOX", writable=True)
        async with watching(mailbox, ["INBOX"], looks, Times()) as task:
            await other.call(lambda c: c.mark_read([1, 2]))
            await other.call(lambda c: (c.client.delete_messages([1]), c.client.expunge()))
            await asyncio.wait({task}, timeout=1.5)
            assert not task.done()
            await asyncio.to_thread(append, dovecot.port, user, PASSWORD, [mail("Three", "<three@x>")])
            await within(task, 5)


async def test_whoever_wants_a_scan_now_ends_the_wait_at_once(dovecot: Dovecot, user: str, pool: ThreadPoolExecutor) -> None:
    wake = asyncio.Event()
    async with opened(dovecot.port, user, pool) as mailbox:
        looks = await looks_of(mailbox, ["INBOX"])
        async with watching(mailbox, ["INBOX"], looks, Times(), wake) as task:
            wake.set()
            assert await within(task, 5) < 1
        assert mailbox.open
        assert (await mailbox.select("INBOX", writable=False)).exists == 0


@pytest.mark.alone
async def test_a_wait_that_is_cancelled_leaves_a_connection_that_signs_out(dovecot: Dovecot, user: str, pool: ThreadPoolExecutor) -> None:
    async with opened(dovecot.port, user, pool) as mailbox:
        looks = await looks_of(mailbox, ["INBOX"])
        async with watching(mailbox, ["INBOX"], looks, Times()) as task:
            task.cancel()
            await asyncio.wait({task}, timeout=5)
        began = time.monotonic()
        await mailbox.close()
        assert time.monotonic() - began < 1.5, "the server answered DONE and LOGOUT"


async def test_a_dead_connection_ends_the_wait_but_not_at_once_when_it_dies_early(
    dovecot: Dovecot, user: str, pool: ThreadPoolExecutor
) -> None:
    """Else a server that hangs up whenever somebody idles would see a sign-in after the other."""
    with FaultProxy(dovecot.port) as proxy:
        async with opened(proxy.port, user, pool) as mailbox:
            looks = await looks_of(mailbox, ["INBOX"])
            async with watching(mailbox, ["INBOX"], looks, Times(died=1.5)) as task:
                proxy.cut()
                assert await within(task, 5) > 0.8
            assert not mailbox.open
            await mailbox.ensure_open()
            looks = await looks_of(mailbox, ["INBOX"])
            async with watching(mailbox, ["INBOX"], looks, Times(died=0.1)) as task:
                proxy.cut()
                assert await within(task, 5) < 0.5


async def test_a_silent_death_is_noticed_when_idle_is_renewed(dovecot: Dovecot, user: str, pool: ThreadPoolExecutor) -> None:
    with FaultProxy(dovecot.port) as proxy:
        async with opened(proxy.port, user, pool, read_timeout=1) as mailbox:
            looks = await looks_of(mailbox, ["INBOX"])
            async with watching(mailbox, ["INBOX"], looks, Times(renew=1.0, died=0.1)) as task:
                proxy.stall()
                await within(task, 10)
            assert not mailbox.open


@pytest.mark.alone
@pytest.mark.parametrize("line", [b"* 1 FETCH (FLAGS ())\r\n", b"* OK still here\r\n", b"* 2 EXISTS\r\n"])
async def test_a_server_that_talks_without_pause_starves_nobody(pool: ThreadPoolExecutor, line: bytes) -> None:
    folder = Folder({1: mail("One"), 2: mail("Two")})

    def answer(tag: str, command: str, arguments: str) -> list[bytes] | None:
        return [b"+ idling", *[line * 10_000] * 500] if command == "IDLE" else folder(tag, command, arguments)

    with ScriptedImap(answer, capability="IMAP4rev1 IDLE") as server:
        async with opened(server.port, "anna", pool) as mailbox:
            looks = await looks_of(mailbox, ["INBOX"])
            async with watching(mailbox, ["INBOX"], looks, Times()) as task:
                began, worst = time.monotonic(), 0.0
                while time.monotonic() - began < 1:
                    before = time.monotonic()
                    await asyncio.sleep(0)
                    worst = max(worst, time.monotonic() - before)
                assert not task.done()
                assert worst < 3
                assert len(mailbox.wire._ahead) < 100_000


@pytest.mark.alone
async def test_a_hundred_idle_mailboxes_need_no_threads(dovecot: Dovecot, user: str) -> None:
    pool = ThreadPoolExecutor(4, thread_name_prefix="few")
    wake = asyncio.Event()
    async with AsyncExitStack() as stack:
        mailboxes = [await stack.enter_async_context(opened(dovecot.port, f"{number}.{user}", pool)) for number in range(100)]
        looks = [await looks_of(one, ["INBOX"]) for one in mailboxes]
        tasks = [asyncio.create_task(watch(one, ["INBOX"], wake, 60, look, Times())) for one, look in zip(mailboxes, looks, strict=True)]
        await asyncio.wait(tasks, timeout=3)
        assert not any(task.done() for task in tasks)
        assert sum(thread.name.startswith("few") for thread in threading.enumerate()) <= 4
        await asyncio.to_thread(append, dovecot.port, f"42.{user}", PASSWORD, [mail("One", "<one@x>")])
        await asyncio.wait_for(asyncio.shield(tasks[42]), 10)
        assert sum(task.done() for task in tasks) == 1
        wake.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
