"""`make bench`: the fetcher beside `mbsync`, on the same mails, in one run.

One mailbox for one process, the same mails spread over eight mailboxes for several. Each round measures `mbsync` and then the fetcher, so
that what the machine does besides falls on both; the figures are medians of the rounds. The clock runs on the work only: `mbsync` from its
start to its end; the fetchers from the first scan's start to the end of the last, which is after the last acknowledgement. Both write to
memory. MAILCONVERTER_BENCH_MAILS and MAILCONVERTER_BENCH_ROUNDS make it shorter or steadier.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from pydantic import SecretStr

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.connection import Connection
from fetcher.adapters.imap.fetch import LargeLiteral
from fetcher.publish import INLINE_BYTES
from shared import topics
from shared.api import SslType
from shared.archive import Archive
from shared.database import migrate
from shared.messaging.producer import Message, Producer
from shared.service import migrations_folder
from tests.benchmarks.mixed_mails import mixed_mails
from tests.kit import dovecot as dovecot_kit
from tests.kit.delay_proxy import delayed
from tests.kit.dovecot import PASSWORD, Dovecot
from tests.kit.eventually import eventually
from tests.kit.fetcher_process import FetcherProcess, Place, fetcher_process
from tests.kit.maildir import Maildir
from tests.kit.stack import EmbeddedStack

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

MAILS = int(os.environ.get("MAILCONVERTER_BENCH_MAILS", "10000"))
ROUNDS = int(os.environ.get("MAILCONVERTER_BENCH_ROUNDS", "3"))
DELAY_S = 0.02
SETTINGS: dict[str, Any] = {"first_scan_after_seconds": "3600", "lease_seconds": "120"}
"""Nothing is scanned before Scan now, and no machine under load costs a fetcher its mailboxes."""
TOGETHER = 150
"""Mails of a batch, when the steps are measured alone."""
HEADERS = {f"ce_attribute{number}": "a value of usual length" for number in range(18)}
"""As many as a `mail.raw` event has."""
ONE = "one@company.example"
MANY = [f"part{number}@company.example" for number in range(8)]
MBSYNC = """\
FSync no

IMAPStore far
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs LOGIN

MaildirStore near
Path {folder}/
Inbox {folder}/inbox

Channel all
Far :far:
Near :near:
Patterns INBOX
Sync Pull
Create Near
SyncState *
"""


@dataclass
class Measured:
    """Rates and CPU of the rounds."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, seconds: float, cpu: float) -> None:
        self.seconds.append(seconds)
        self.cpu.append(cpu)

    @property
    def rate(self) -> float:
        return MAILS / statistics.median(self.seconds)

    @property
    def cpu_per_1000(self) -> float:
        return statistics.median(self.cpu) / MAILS * 1000


@dataclass(frozen=True)
class Bench:
    stack: EmbeddedStack
    memory: Path

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """In memory, gone afterwards."""
        made = Path(tempfile.mkdtemp(dir=self.memory))
        yield made
        shutil.rmtree(made)

    def mbsync(self, port: int) -> tuple[float, float]:
        """Seconds, and CPU seconds."""
        with self.folder() as folder:
            config = folder / "mbsyncrc"
            config.write_text(MBSYNC.format(port=port, user=ONE, password=PASSWORD, folder=folder))
            before, begin = os.times(), time.monotonic()
            subprocess.run([_mbsync(), "-q", "-c", config, "all"], check=True, timeout=600, env={"HOME": str(folder), "PATH": os.defpath})
            seconds, after = time.monotonic() - begin, os.times()
            assert len(list((folder / "inbox" / "new").iterdir())) == MAILS
        return seconds, after.children_user + after.children_system - before.children_user - before.children_system

    def fetch(self, port: int, users: list[str], processes: int) -> tuple[float, float]:
        """Seconds, and CPU seconds of the fetchers alone."""
        name = f"bench{uuid.uuid4().hex[:8]}"
        url = self.stack.database_url(name)
        migrate(migrations_folder("fetcher"), SecretStr(url))
        asyncio.run(topics.apply(self.stack.kafka_bootstrap, name))
        with self.folder() as folder, contextlib.ExitStack() as running:
            place = Place.new(url, self.stack.kafka_bootstrap, name, folder / "archive")
            logs = [folder / f"fetcher{number}.log" for number in range(processes)]
            fetchers = [running.enter_context(fetcher_process(place, log, **SETTINGS)) for log in logs]
            return _scanned(place, fetchers, port, users)


def _mbsync() -> str:
    return shutil.which("mbsync") or "mbsync"


def _scanned(place: Place, fetchers: list[FetcherProcess], port: int, users: list[str]) -> tuple[float, float]:
    scanners = [fetchers[0].add_scanner(port, user, PASSWORD, push=False, interval_seconds=3600) for user in users]
    with psycopg.connect(place.database_url.replace("+psycopg", ""), autocommit=True) as conn:
        shares = "select count(*) filter (where lease_holder is null), count(distinct lease_holder) from scanners"
        eventually(lambda: conn.execute(shares).fetchone() == (0, len(fetchers)), 90, what="every fetcher's share of the mailboxes")
        before = sum(one.cpu_seconds() for one in fetchers)
        with ThreadPoolExecutor(len(scanners)) as pool:
            list(pool.map(lambda one: fetchers[0].api.post(f"/scanners/{one}/scan").raise_for_status(), scanners))
        eventually(lambda: conn.execute("select count(*) from scans").fetchone() == (len(scanners),), 900, every=0.05)
        used = sum(one.cpu_seconds() for one in fetchers) - before
        assert conn.execute("select count(*), count(published_at) from ledger").fetchone() == (MAILS, MAILS)
        query = "select max(started_at + make_interval(secs => seconds)) - min(started_at), sum(read), max(error) from scans"
        row = conn.execute(query).fetchone()
    assert row is not None
    assert row[1:] == (MAILS, None), "a scan was broken off: the clock would be wrong"
    return row[0].total_seconds(), used


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one."""
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory, by its name on every Linux
    if where is None:
        print("no /dev/shm: mails and archive are on disk")
    folder = Path(tempfile.mkdtemp(prefix="mailconverter-bench-", dir=where))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def dovecot(memory: Path) -> Iterator[Dovecot]:
    if not dovecot_kit.installed():
        pytest.skip(dovecot_kit.MISSING)
    server = Dovecot(memory / "dovecot")
    (memory / "dovecot").mkdir()
    server.start()
    files = Maildir(server, ONE).add(mixed_mails(MAILS))
    for number, user in enumerate(MANY):
        Maildir(server, user).link(files[number :: len(MANY)])
    yield server
    server.stop()


@pytest.fixture
def bench(memory: Path) -> Iterator[Bench]:
    stack = EmbeddedStack()
    yield Bench(stack, memory)
    stack.stop()


def test_the_fetcher_beside_mbsync(bench: Bench, dovecot: Dovecot) -> None:
    print(f"\n{MAILS:,} mails, {ROUNDS} rounds; {psutil.cpu_count()} processors")
    _measure(bench, "loopback", dovecot.port)
    with delayed(dovecot.port, DELAY_S) as port:
        _measure(bench, f"{DELAY_S * 1000:.0f} ms delay each way", port)


def test_what_the_steps_cost_alone(bench: Bench, dovecot: Dovecot, memory: Path) -> None:
    """The least any fetcher on this stack can need: no ledger, no header block, no service around it."""
    mails = list(mixed_mails(MAILS))
    groups = [mails[first : first + TOGETHER] for first in range(0, MAILS, TOGETHER)]
    _, theirs = bench.mbsync(dovecot.port)
    costs = {
        "reading by IMAP": _cpu(lambda: _read_all(dovecot.port)),
        "SHA-256": _cpu(lambda: [hashlib.sha256(mail).digest() for mail in mails]),
        "archive": _cpu(lambda: asyncio.run(_archive_all(memory / "floor", groups))),
        "Kafka": _cpu(lambda: asyncio.run(_produce_all(bench.stack.kafka_bootstrap, groups))),
    }
    print(f"\nCPU s/1,000 mails; mbsync {theirs / MAILS * 1000:.3f}")
    for name, seconds in (costs | {"together": sum(costs.values())}).items():
        print(f"{name:<24}{seconds / MAILS * 1000:>10.3f}{seconds / theirs:>10.2f} x mbsync")


def _cpu(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _read_all(port: int) -> None:
    connection = Connection(Account("127.0.0.1", port, ONE, PASSWORD, SslType.NONE))
    connection.connect()
    connection.login()
    opened = connection.select("INBOX", writable=False)
    listed = connection.details(connection.search(0, opened.exists))
    read = 0
    for first in range(0, len(listed), TOGETHER):
        group = listed[first : first + TOGETHER]
        connection.expect(sum(one.size for one in group))
        found = connection.bodies([one.uid for one in group])
        read += len(found)
        for data in found.values():
            if isinstance(data, LargeLiteral):
                data.spooled.file.close()
    connection.close()
    assert read == MAILS


async def _archive_all(folder: Path, groups: list[list[bytes]]) -> None:
    archive = Archive(folder.as_uri())
    archive.initialise()
    for number, group in enumerate(groups):
        await archive.put_many([(f"scanner/2026-11/{number}-{place}.eml.zst", mail) for place, mail in enumerate(group)])


async def _produce_all(bootstrap: str, groups: list[list[bytes]]) -> None:
    """Mails above the claim check's limit go without their bytes, as in the fetcher."""
    name = f"floor{uuid.uuid4().hex[:8]}"
    await topics.apply(bootstrap, name)
    producer = Producer(bootstrap, name)
    await producer.start()
    topic = f"{name}.{topics.MAIL_RAW.name}"
    for number, group in enumerate(groups):
        messages = [
            Message(topic, f"<{number}.{place}@bench.example>".encode(), HEADERS, mail if len(mail) <= INLINE_BYTES else b"")
            for place, mail in enumerate(group)
        ]
        assert await producer.send(messages) == [None] * len(group)
    await producer.stop()


def _measure(bench: Bench, link: str, port: int) -> None:
    runs: dict[str, Callable[[], tuple[float, float]]] = {
        "mbsync": lambda: bench.mbsync(port),
        "1 fetcher": lambda: bench.fetch(port, [ONE], 1),
        "2 fetchers": lambda: bench.fetch(port, MANY, 2),
        "4 fetchers": lambda: bench.fetch(port, MANY, 4),
    }
    if shutil.which("mbsync") is None:
        print("mbsync is not installed (Debian: apt-get install isync): no ratios")
        del runs["mbsync"]
    measured = {name: Measured() for name in runs}
    next(iter(runs.values()))()  # the server's caches are warm for all that is measured
    for _ in range(ROUNDS):
        for name, run in runs.items():
            measured[name].add(*run())
    _show(link, measured)


def _show(link: str, measured: dict[str, Measured]) -> None:
    print(f"\n{link:<24}{'mails/s':>10}{'CPU s/1,000':>13}{'rate / mbsync':>15}{'CPU / mbsync':>14}{'rate / one':>12}{'CPU / one':>11}")
    for name, one in measured.items():
        print(f"{name:<24}{one.rate:>10,.0f}{one.cpu_per_1000:>13.3f}{_ratio(one, measured.get('mbsync'), 15, 14)}", end="")
        print(_ratio(one, measured["1 fetcher"], 12, 11))


def _ratio(one: Measured, other: Measured | None, *widths: int) -> str:
    if other is None:
        return "".join(f"{'':>{width}}" for width in widths)
    ratios = (one.rate / other.rate, one.cpu_per_1000 / other.cpu_per_1000)
    return "".join(f"{ratio:>{width}.2f}" for ratio, width in zip(ratios, widths, strict=True))
