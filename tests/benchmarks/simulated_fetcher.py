"""A fetcher whose mailboxes are made up. All is real but the IMAP connections; Kafka and the archive are not touched by idle mailboxes.

`python -m tests.benchmarks.simulated_fetcher NAME REPORT`, with the settings of a fetcher; ends with SIGTERM. Into the file REPORT goes
a JSON line a second: mailboxes held, how late each scan of that second began (seconds), statements so far by their first word.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.accounts import Accounts
from fetcher.adapters.imap.connection import Connection, Opened
from fetcher.adapters.leases import Lease
from fetcher.adapters.scanners import ScannerRow
from fetcher.app import SPARE_THREADS, make_tools
from fetcher.gate import Gate
from fetcher.publish import Publisher
from fetcher.scan import Done, Held, Scanning
from fetcher.scheduler import Scheduler
from fetcher.settings import Settings
from shared.archive import Archive
from shared.clock import utc_now
from shared.database import make_engine
from shared.messaging.producer import make_producer
from shared.observability import MAILBOXES_HELD, configure_logging
from shared.secrets import KeyRing
from shared.settings import load_settings

CONNECT_S = 0.06
"""Connecting, TLS and the greeting over 20 ms."""
ANSWER_S = 0.02


class IdleMailbox(Connection):
    """A server 20 ms away, with one empty folder."""

    def connect(self) -> None:
        time.sleep(CONNECT_S)

    def login(self) -> str:
        time.sleep(ANSWER_S)
        return "PLAIN"

    def select(self, folder: str, *, writable: bool) -> Opened:  # noqa: ARG002 -- as Connection has it
        time.sleep(ANSWER_S)
        return Opened(uid_validity=1, uid_next=1, exists=0)

    def search(self, low: int, exists: int, *, unread: bool = False) -> list[int]:  # noqa: ARG002 -- as Connection has it
        time.sleep(ANSWER_S)
        return []

    def noop(self) -> None:
        time.sleep(ANSWER_S)

    def expect(self, size: int) -> None:
        pass

    def abandon(self) -> None:
        pass

    def close(self) -> None:
        pass


class TimedScanning(Scanning):
    """Notes how late scans begin, by the times in the database."""

    late: list[float]

    async def scan(self, scanner: ScannerRow, held: Held, lease: Lease) -> Done:
        self.late.append((utc_now() - scanner.next_scan_at).total_seconds())
        return await super().scan(scanner, held, lease)


def count_statements(engine: AsyncEngine) -> Counter[str]:
    """By their first word; without BEGIN, COMMIT, ROLLBACK and the pool's pings."""
    counted: Counter[str] = Counter()

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def count(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        counted[statement.split(None, 1)[0].lower()] += 1

    return counted


async def report(path: Path, scanning: TimedScanning, counted: Counter[str]) -> None:
    """A line a second, for ever."""
    with path.open("w", buffering=1) as file:
        while True:
            late, scanning.late = scanning.late, []
            shown = [round(one, 3) for one in late]
            held = int(MAILBOXES_HELD._value.get())
            file.write(json.dumps({"at": time.time(), "held": held, "late": shown, "statements": counted}) + "\n")
            await asyncio.sleep(1)


async def run(name: str, path: Path) -> None:
    """The scheduler as `fetcher.app` wires it."""
    settings = load_settings(Settings, "fetcher")
    configure_logging("fetcher", "WARNING")
    engine = make_engine(settings.database_url, application=name)
    pool = ThreadPoolExecutor(settings.max_connections + SPARE_THREADS)
    publisher = Publisher(make_producer(settings.kafka_bootstrap, name), settings.namespace)
    tools = make_tools(engine, Archive(settings.archive_url), publisher, settings)
    scanning = TimedScanning(tools, settings, Accounts(settings, KeyRing(settings.secret_keys.get_secret_value()), engine), pool)
    scanning.late = []
    scanning.connection = IdleMailbox
    gate = Gate(settings.max_connections, settings.max_connections_per_server)
    scheduler = asyncio.create_task(Scheduler(engine, settings, scanning, gate, name).run())
    reporting = asyncio.create_task(report(path, scanning, count_statements(engine)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, scheduler.cancel)
    await asyncio.wait({scheduler})
    reporting.cancel()
    await asyncio.gather(reporting, return_exceptions=True)
    await engine.dispose()
    await asyncio.to_thread(pool.shutdown)


def main(arguments: Sequence[str]) -> None:
    asyncio.run(run(arguments[0], Path(arguments[1])))


if __name__ == "__main__":
    main(sys.argv[1:])
