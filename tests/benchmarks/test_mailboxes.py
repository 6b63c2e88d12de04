"""`make bench`: three fetchers on 10,000 mailboxes that are made up; leases, scheduler and scans on a real Postgres.

How the database and the fetchers are kept busy by mailboxes in which nothing happens, how late scans begin, and how long it takes until
shares are even. MAILCONVERTER_BENCH_SECONDS: how long is measured between a start and a kill (120). docs/scaling.md holds the results.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
import pytest
from pydantic import SecretStr

from shared.database import migrate
from shared.secrets import new_ring
from shared.service import migrations_folder
from tests.kit.eventually import eventually
from tests.kit.stack import EmbeddedStack

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

MAILBOXES = 10_000
SERVERS = 500
INTERVAL_S = 60
SECONDS = float(os.environ.get("MAILCONVERTER_BENCH_SECONDS", "120"))
FIRST_ROUND_S = 240.0
ADD_MAILBOXES = """
insert into scanners (id, name, server, port, protocol, username, password, address, auth, ssl_type, ssl_method, parameters,
    pec, enabled, find, after_scanning, start_from, interval_seconds, push, next_scan_at)
select 's-' || n, 'Mailbox ' || n, 'imap' || n %% %(servers)s || '.example', 993, 'imap4', 'user' || n, '', '', 'password', 'ssl',
    'validate', '{}', false, true, 'all', 'none', 'everything', %(interval)s, false,
    now() + n * interval '1 second' * %(interval)s / %(count)s
from generate_series(1, %(count)s) n;
"""
ADD_FOLDERS = "insert into folders (scanner_id, generation, name, uid_validity) select id, 1, 'INBOX', 1 from scanners"
"""As after a first scan, of which each is a handful of commits."""
LOOK = """
select sum(xact_commit) as transactions, sum(tup_inserted + tup_updated + tup_deleted) as rows_written,
    (select n_tup_hot_upd::float / greatest(1, n_tup_upd) from pg_stat_user_tables where relname = 'scanners') as hot,
    (select pg_total_relation_size('scanners')) as bytes
from pg_stat_database where datname = current_database()
"""


class Fetcher:
    """A simulated one, as a process of its own."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.report = folder / f"{name}.jsonl"
        argv = [sys.executable, "-m", "tests.benchmarks.simulated_fetcher", name, str(self.report)]
        with (folder / f"{name}.log").open("wb") as log:
            self.process = psutil.Popen(argv, env=os.environ | environment, stdout=log, stderr=log)

    def lines(self, since: float = 0.0, until: float = float("inf")) -> list[dict[str, Any]]:
        """Of the report, within a span of time."""
        if not self.report.exists():
            return []
        text = self.report.read_text()
        found = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [line for line in found if since <= line["at"] <= until]

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@dataclass
class World:
    stack: EmbeddedStack
    url: str
    folder: Path
    environment: dict[str, str]
    fetchers: dict[str, Fetcher]

    def add(self, name: str) -> None:
        self.fetchers[name] = Fetcher(name, self.folder, self.environment)

    def database_cpu(self) -> float:
        """Of all Postgres processes, those that have ended included."""
        process = self.stack.stack.postgres.process
        assert process is not None
        server = psutil.Process(process.pid)
        ended = server.cpu_times().children_user + server.cpu_times().children_system
        living = sum(one.cpu_times().user + one.cpu_times().system for one in [server, *server.children(recursive=True)])
        return float(ended + living)

    def ask(self, query: str) -> dict[str, Any]:
        with psycopg.connect(self.url.replace("+psycopg", ""), row_factory=psycopg.rows.dict_row) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return row

    def shares(self) -> list[int]:
        """Mailboxes held, by fetchers that hold any, least first."""
        rows = self.ask(
            "select coalesce(array_agg(n order by n), '{}') as n from"
            " (select count(*) as n from scanners where lease_holder is not null group by lease_holder) x"
        )
        return [int(count) for count in rows["n"]]

    def until_even(self, fetchers: int) -> float:
        """Seconds until everything is held, by so many, with shares that differ by two at most."""
        began = time.monotonic()
        eventually(lambda: self._even(fetchers), 120, every=0.2, what="even shares")
        return time.monotonic() - began

    def _even(self, fetchers: int) -> bool:
        held = self.shares()
        assert (sum(held), len(held)) == (MAILBOXES, fetchers), held
        assert held[-1] - held[0] <= 2, held
        return True


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A Postgres of its own, so that its CPU is ours alone."""
    stack = EmbeddedStack()
    url = stack.database_url(f"mailboxes_{uuid4().hex[:8]}")
    migrate(migrations_folder("fetcher"), SecretStr(url))
    settings = {
        "DATABASE_URL": url,
        "SERVICE_TOKEN": "of-the-simulation",
        "SECRET_KEYS": new_ring(),
        "ARCHIVE_URL": (tmp_path / "archive").as_uri(),  # is not opened
    }
    environment = {f"MAILCONVERTER_FETCHER__{name}": value for name, value in settings.items()}
    made = World(stack, url, tmp_path, environment, {})
    try:
        yield made
    finally:
        for fetcher in made.fetchers.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                fetcher.process.terminate()
        for fetcher in made.fetchers.values():
            fetcher.process.wait(60)
        stack.stop()


def test_ten_thousand_idle_mailboxes(world: World) -> None:
    with psycopg.connect(world.url.replace("+psycopg", "")) as connection:
        connection.execute(ADD_MAILBOXES, {"servers": SERVERS, "interval": INTERVAL_S, "count": MAILBOXES})
        connection.execute(ADD_FOLDERS)
    rows: list[tuple[str, str]] = []
    for name in ("one", "two", "three"):
        world.add(name)
    rows.append(("shares even after a start of three, s", f"{world.until_even(3):.1f}"))
    unseen = "select count(*) as n from scanners where last_scan_at is null"
    eventually(lambda: world.ask(unseen)["n"] == 0, FIRST_ROUND_S, every=1, what="a first scan of each")
    rows += _steady(world)

    world.fetchers["one"].process.send_signal(signal.SIGKILL)
    rows.append(("shares even after a kill, s", f"{world.until_even(2):.1f}"))
    killed = time.time()
    world.add("four")
    rows.append(("shares even after an addition, s (the start of its process included)", f"{world.until_even(3):.1f}"))
    rows.append(("lateness in the minute around both, max, s", f"{max(_late(world, killed - 30, time.time())):.1f}"))
    print()
    for name, value in rows:
        print(f"{name:75} {value:>12}")


def _steady(world: World) -> list[tuple[str, str]]:
    """All rates in a second, while nothing happens but scans."""
    before, cpu = world.ask(LOOK), world.database_cpu()
    own = {name: one.cpu() for name, one in world.fetchers.items()}
    began = time.time()
    eventually(lambda: time.time() - began > SECONDS, SECONDS + 5, every=1)
    ended = time.time()
    after, took = world.ask(LOOK), ended - began
    database, fetching = world.database_cpu() - cpu, sum(one.cpu() - own[name] for name, one in world.fetchers.items())
    late = sorted(_late(world, began, ended))
    statements = _statements(world, began, ended)
    return [
        ("scans", f"{len(late) / took:.0f}"),
        *((f"statements: {word}", f"{count / took:.0f}") for word, count in statements.most_common()),
        ("statements for a scan", f"{statements.total() / len(late):.2f}"),
        ("transactions", f"{float(after['transactions'] - before['transactions']) / took:.0f}"),
        ("rows written", f"{float(after['rows_written'] - before['rows_written']) / took:.0f}"),
        ("rows written in place (HOT), part", f"{after['hot']:.2f}"),
        ("table scanners with its indexes, MiB", f"{after['bytes'] / 2**20:.1f}"),
        ("CPU of Postgres, cores", f"{database / took:.2f}"),
        ("CPU of the three fetchers, cores", f"{fetching / took:.2f}"),
        ("CPU of fetchers for 1,000 idle scans, s", f"{fetching / len(late) * 1000:.2f}"),
        *((f"lateness p{part}, s", f"{late[int(len(late) * part / 100)]:.3f}") for part in (50, 99)),
        ("lateness max, s", f"{late[-1]:.3f}"),
        ("shares", "/".join(map(str, world.shares()))),
        ("memory of a fetcher, MiB", f"{max(one.process.memory_info().rss for one in world.fetchers.values()) / 2**20:.0f}"),
    ]


def _late(world: World, began: float, ended: float) -> list[float]:
    return [late for one in world.fetchers.values() for line in one.lines(began, ended) for late in line["late"]]


def _statements(world: World, began: float, ended: float) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in world.fetchers.values():
        lines = one.lines(began, ended)
        total.update(lines[-1]["statements"])
        total.subtract(lines[0]["statements"])
    return total
