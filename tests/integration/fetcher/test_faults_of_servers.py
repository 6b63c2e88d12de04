"""Servers and networks that fail in the middle of it: every scan ends soon, with plain words, and no mail is ever cut short."""

from __future__ import annotations

import asyncio
import hashlib
import imaplib
import itertools
import os
import socket
import threading
import time
from base64 import encodebytes
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.connection import Connection
from fetcher.adapters.imap.errors import IMAP_ERRORS
from fetcher.mailbox import Mailbox
from fetcher.settings import Settings
from shared.api import SslType
from tests.integration.fetcher.imap_script import Answer, Folder, ScriptedImap, ok
from tests.integration.fetcher.rig import Rig, append, header, mail, running
from tests.kit.dovecot import PASSWORD, Dovecot
from tests.kit.eventually import eventually_async
from tests.kit.proxy import Fault, FaultProxy

pytestmark = pytest.mark.connected

QUICK = {"CONNECT_TIMEOUT": "1", "READ_TIMEOUT": "1"}
MAIL_BYTES = 700_000
CUTS = [0, 1, 2, 10, 20, 21, 22, 25, 30, 100, 1_000, 8_192, 65_536, 65_537, 100_000, 500_000, 699_000, 700_000, 900_000, 948_000]
"""Bytes of the answer that pass before the connection ends. The mail has about 948,000 on the wire."""


def big(number: int) -> bytes:
    return mail(f"Mail {number}", f"<{number}@big>", encodebytes(os.urandom(MAIL_BYTES)).decode().replace("\n", "\r\n"))


async def test_a_connection_cut_at_any_byte_of_a_mail_gives_the_whole_mail_once(rig: Rig, dovecot: Dovecot, user: str) -> None:
    raws = {}
    with FaultProxy(dovecot.port) as proxy:
        scanner_id = await rig.add_scanner(proxy.port, user, PASSWORD)
        for number, after in enumerate(CUTS):
            raws[f"Mail {number}"] = raw = big(number)
            append(dovecot.port, user, PASSWORD, [raw])
            proxy.faults = [Fault("cut", after, mark=b" BODY[] ")]
            assert await rig.scan(scanner_id), f"cut after {after} bytes"
            assert not proxy.faults
        assert proxy.connections == 2 * len(CUTS), "each scan lost one connection, and read on with another"
    records = await rig.raw_mails(scanner_id)
    lines = {line.subject: line for line in await rig.lines(scanner_id)}
    assert len(records) == len({header(one, "ce_id") for one in records}) == len(CUTS)
    for subject, raw in raws.items():
        line = lines[subject]
        assert (line.state, line.size, line.sha256) == ("published", len(raw), hashlib.sha256(raw).hexdigest())
        assert await rig.tools.archive.get(line.archive_key) == raw


@pytest.mark.parametrize("fault", ["stall", "garbage", "slow"])
async def test_a_mail_that_does_not_get_through_is_read_whole_when_it_does(rig: Rig, dovecot: Dovecot, user: str, fault: str) -> None:
    raws = [mail(f"Mail {number}", f"<{number}@x>", "x" * 200_000) for number in range(3)]
    append(dovecot.port, user, PASSWORD, raws)
    with FaultProxy(dovecot.port) as proxy:
        scanner_id = await rig.add_scanner(proxy.port, user, PASSWORD, parameters=QUICK)
        proxy.fault = Fault(fault, 90_000, mark=b" BODY[] ", rate=100)  # type: ignore[arg-type]  # a parameter is a str
        began = time.monotonic()
        await rig.scan(scanner_id)
        assert time.monotonic() - began < 90
        assert await rig.raw_mails(scanner_id) == []
        proxy.fault = Fault()
        assert await rig.scan(scanner_id)
    assert sorted(record.value for record in await rig.raw_mails(scanner_id)) == sorted(raws)
    assert (await rig.state(scanner_id))["last_error"] is None


@pytest.mark.parametrize("fault", [Fault("slow"), Fault("stall"), Fault("garbage")], ids=lambda one: str(one.then))
async def test_a_server_that_trickles_or_says_nothing_is_given_up_by_our_own_clock(
    rig: Rig, dovecot: Dovecot, user: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fetcher.mailbox.MARGIN_S", 1.0)
    with FaultProxy(dovecot.port) as proxy:
        proxy.fault = fault
        scanner_id = await rig.add_scanner(proxy.port, user, PASSWORD, parameters=QUICK)
        began = time.monotonic()
        assert not await rig.scan(scanner_id)
        assert time.monotonic() - began < 15
        assert (await rig.state(scanner_id))["last_error"]
        proxy.fault = Fault()
        assert await rig.scan(scanner_id)


def test_an_answer_has_a_bound_whatever_its_lines_are() -> None:
    with ScriptedImap(ok, greeting=b"* OK ready\r\n" + b"* OK still here\r\n" * 300_000) as server:
        connection = Connection(Account("127.0.0.1", server.port, "anna", PASSWORD, SslType.NONE))
        with pytest.raises(imaplib.IMAP4.abort, match="200,000 lines"):
            connection.connect()


async def test_packets_that_vanish_cost_the_connect_timeout(rig: Rig) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # the queue is full now, and Linux drops what comes to a full one
            scanner_id = await rig.add_scanner(port, "anna", PASSWORD, parameters=QUICK)
            began = time.monotonic()
            assert not await rig.scan(scanner_id)
            assert time.monotonic() - began < 15
    assert "did not answer in time" in (await rig.state(scanner_id))["last_error"]


@pytest.mark.alone
async def test_a_server_that_hangs_again_and_again_uses_up_no_threads_and_holds_up_no_loop(
    dovecot: Dovecot, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fetcher.mailbox.MARGIN_S", 0.5)
    pool = ThreadPoolExecutor(2, thread_name_prefix="hanging")
    with FaultProxy(dovecot.port) as proxy:
        proxy.fault = Fault("slow")
        account = Account("127.0.0.1", proxy.port, user, PASSWORD, SslType.NONE, connect_timeout=2, read_timeout=0.2)
        watched = asyncio.create_task(_worst_delay())
        for _ in range(8):
            with pytest.raises(IMAP_ERRORS):
                await Mailbox(account, pool).ensure_open()
        watched.cancel()
        proxy.fault = Fault()
        healthy = Mailbox(Account("127.0.0.1", dovecot.port, user, PASSWORD, SslType.NONE), pool)
        began = time.monotonic()
        await healthy.ensure_open()
        assert time.monotonic() - began < 4, "the threads of what was given up have ended"
        await healthy.close()
    assert (await asyncio.gather(watched))[0] < 1
    assert sum(thread.name.startswith("hanging") for thread in threading.enumerate()) <= 2


async def _worst_delay() -> float:
    """How late the event loop came back at worst, until it is cancelled."""
    worst = 0.0
    try:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            worst = max(worst, time.monotonic() - before)
    except asyncio.CancelledError:
        return worst


# --- scripts --------------------------------------------------------------------------------------------------------------------

RAW = mail("Only", "<only@x>", "Hello there, this is the text.")
Reply = Callable[[str], Iterable[bytes] | None]
REPLIES: dict[str, Reply] = {
    "NO": lambda tag: [f"{tag} NO not now".encode()],
    "NO with NUL": lambda tag: [f"{tag} NO not\0now".encode()],
    "BAD": lambda tag: [f"{tag} BAD what".encode()],
    "BYE": lambda _: [b"* BYE shutting down"],
    "cut": lambda _: None,
    "noise": lambda _: [bytes(range(256)) * 10],
    "other tag": lambda _: [b"ZZZZ1 OK done"],
    "endless line": lambda _: [b"* " + b"x" * 2_000_000],
    "endless lines": lambda _: itertools.repeat(b"* OK still here"),
    "endless counts": lambda _: itertools.repeat(b"* 5 EXISTS"),
    "endless literal": lambda _: itertools.chain([b"* 1 FETCH (UID 1 BODY[] {99999999999}"], itertools.repeat(b"x" * 65_536)),
    "many bytes": lambda _: itertools.chain([b"* 1 FETCH (UID 1 BODY[] {50000000}"], itertools.repeat(b"x" * 65_536)),
}


def at(command: str, reply: Reply) -> Answer:
    """As a folder with one mail, but with this reply to a command."""
    folder = Folder({1: RAW})

    def answer(tag: str, name: str, arguments: str) -> Iterable[bytes] | None:
        asked = arguments.split(" ", 1)[0].upper() if name == "UID" else name
        whole = command == "BODY" and "BODY" in arguments
        return reply(tag) if whole or asked == command else folder(tag, name, arguments)

    return answer


@pytest.mark.parametrize("command", ["LOGIN", "EXAMINE", "SEARCH", "FETCH"])
async def test_whatever_a_server_answers_the_scan_ends_soon_and_says_why(rig: Rig, command: str) -> None:
    before = psutil.Process().memory_info().rss
    for name, reply in REPLIES.items():
        with ScriptedImap(at(command, reply)) as server:
            scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD, parameters=QUICK)
            began = time.monotonic()
            await rig.scan(scanner_id)
            took = time.monotonic() - began
        state = await rig.state(scanner_id)
        print(f"{command:8} {name:16} {took:5.1f} s  {state['last_error']}")
        assert state["last_error"], name
        assert state["last_error"].isprintable(), name
        assert took < 30, name
        assert await rig.lines(scanner_id) == [], name
    assert psutil.Process().memory_info().rss - before < 250_000_000


@pytest.mark.parametrize("name", ["NO with NUL", "BAD", "BYE", "noise", "endless lines", "endless literal", "many bytes"])
async def test_whatever_a_server_answers_instead_of_a_mail_it_is_no_mail(rig: Rig, name: str) -> None:
    with ScriptedImap(at("BODY", REPLIES[name])) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD, parameters=QUICK)
        await rig.scan(scanner_id)
    [line] = await rig.lines(scanner_id)
    assert (line.state, line.fetch_failures) == ("seen", 1)
    assert line.outcome_reason.isprintable()
    assert await rig.raw_mails(scanner_id) == []


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 400 Bad Request", b"* BYE too many connections", b"\0\xff\0", b"x" * 2_000_000, b"* PREAUTH come in"]
)
async def test_a_greeting_that_is_none_is_told(rig: Rig, greeting: bytes) -> None:
    with ScriptedImap(at("EXAMINE", REPLIES["cut"]), greeting=greeting) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD, parameters=QUICK)
        assert not await rig.scan(scanner_id)
    assert (await rig.state(scanner_id))["last_error"].isprintable()


@pytest.mark.parametrize("wrong", [-40, -10, -1, 1, 5, 1_000])
async def test_a_literal_of_the_wrong_size_is_never_published(rig: Rig, wrong: int) -> None:
    size = len(RAW) + wrong
    literal = [f"* 1 FETCH (UID 1 BODY[] {{{size}}}\r\n".encode() + RAW + b")"]
    folder = Folder({1: RAW})

    def answer(tag: str, command: str, arguments: str) -> list[bytes] | None:
        asks = command == "UID" and "BODY" in arguments
        return [*literal, f"{tag} OK done".encode()] if asks else folder(tag, command, arguments)

    with ScriptedImap(answer) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD, parameters=QUICK)
        for _ in range(5):
            await rig.scan(scanner_id)
    assert await rig.raw_mails(scanner_id) == []
    [line] = await rig.lines(scanner_id)
    assert line.outcome_type == "failed"


async def test_nul_bytes_in_a_mail_change_nothing_of_it(rig: Rig) -> None:
    raw = mail("With \0 NUL", "<nul\0@x>", "before\0after")
    with ScriptedImap(Folder({1: raw})) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", PASSWORD)
        assert await rig.scan(scanner_id)
    assert [record.value for record in await rig.raw_mails(scanner_id)] == [raw]


@pytest.mark.alone
async def test_mailboxes_that_do_everything_wrong_delay_no_other(settings: Settings, dovecot: Dovecot, user: str) -> None:
    """Far more of them than scans may work at once."""
    one_at_a_time = settings.model_copy(update={"max_scans": 1})
    with FaultProxy(dovecot.port) as slow, ScriptedImap(ok, greeting=None) as silent:
        slow.fault = Fault("slow", mark=b"Logged in")
        async with running(one_at_a_time) as api:
            for number in range(6):
                port = slow.port if number % 2 else silent.port
                body = {"name": "bad", "server": "127.0.0.1", "port": port, "username": f"{number}.{user}", "password": PASSWORD}
                await api.post("/scanners", json=body | {"ssl_type": "none", "start_from": "everything"})
            append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
            body = {"name": "good", "server": "127.0.0.1", "port": dovecot.port, "username": user, "password": PASSWORD}
            answer = await api.post("/scanners", json=body | {"ssl_type": "none", "start_from": "everything"})
            scanner_id = answer.json()["id"]

            async def read() -> bool:
                return bool((await api.get("/mails", params={"scanner_id": scanner_id})).json()["items"])

            await eventually_async(read, seconds=8)
