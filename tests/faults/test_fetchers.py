"""Fetchers that are killed, added, stopped and frozen while mails arrive in the mailboxes they share."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import SecretStr

from shared import topics
from shared.database import migrate
from shared.service import migrations_folder
from shared.topics import MAIL_RAW
from tests.integration.fetcher.rig import append, header, mail
from tests.kit import dovecot as dovecot_kit
from tests.kit.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.kit.eventually import eventually
from tests.kit.fetcher_process import FetcherProcess, Place, fetcher_process
from tests.kit.stack import TestStack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

MAILBOXES = 60
CONNECTIONS = 14
CONNECTIONS_PER_SERVER = 12
LEASE_S = 8.0


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    if not dovecot_kit.installed():
        pytest.skip(dovecot_kit.MISSING)
    with running_dovecot() as server:
        yield server


@pytest.fixture
def place(stack: TestStack, tmp_path: Path) -> Place:
    namespace = f"fetchers-{uuid.uuid4().hex[:8]}"
    asyncio.run(topics.apply(stack.kafka_bootstrap, namespace))
    url = stack.database_url(f"fetchers_{uuid.uuid4().hex[:8]}")
    migrate(migrations_folder("fetcher"), SecretStr(url))
    return Place.new(url, stack.kafka_bootstrap, namespace, tmp_path / "archive")


class Arrivals:
    """Mails that arrive in the mailboxes one after another, until `stop`."""

    def __init__(self, port: int, users: list[str]) -> None:
        self.sent: Counter[str] = Counter()
        self._port = port
        self._users = users
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> int:
        """How many arrived."""
        self._stopping.set()
        self._thread.join(30)
        return self.sent.total()

    def _run(self) -> None:
        number = 0
        while not self._stopping.wait(0.1):
            user = self._users[number % len(self._users)]
            append(self._port, user, PASSWORD, [mail(f"Mail {number} for {user}", f"<{number}@{user}>")])
            self.sent[f"Mail {number} for {user}"] += 1
            number += 1


class Connections:
    """The most connections seen at once: of each fetcher by its own metric, at the server by its processes."""

    def __init__(self, dovecot: Dovecot) -> None:
        self.fetchers: list[FetcherProcess] = []
        self.most_of_one = 0
        self.most_at_server = 0
        self._dovecot = dovecot
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _run(self) -> None:
        assert self._dovecot._process is not None
        server = psutil.Process(self._dovecot._process.pid)
        while not self._stopping.wait(0.5):
            names = [_name(one) for one in server.children()]
            self.most_at_server = max(self.most_at_server, names.count("imap"))
            self.most_of_one = max([self.most_of_one, *(_connections(one) for one in list(self.fetchers))])


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def _connections(fetcher: FetcherProcess) -> int:
    """By its metrics; 0 where it is gone, or going."""
    try:
        text = fetcher.api.get("/metrics").text
    except Exception:  # noqa: BLE001 -- killed in this moment
        return 0
    return int(next(float(line.split()[1]) for line in text.splitlines() if line.startswith("mailconverter_imap_connections ")))


class Database:
    """What is asked of it, from outside of the fetchers."""

    def __init__(self, place: Place) -> None:
        self._url = place.database_url.replace("+psycopg", "")

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(query, values).fetchall()

    def shares(self) -> dict[str, int]:
        """Mailboxes by holder."""
        return dict(self.rows("select lease_holder, count(*) from scanners where lease_holder is not null group by 1"))

    def holders(self, fetcher: FetcherProcess) -> list[str]:
        """The ids under which a process ever joined and is still known."""
        found = self.rows("select id from fetchers where id like %(name)s order by started_at", name=f"%-{fetcher.process.pid}-%")
        return [str(one) for (one,) in found]


def _until_even(database: Database, fetchers: int, mailboxes: int = MAILBOXES) -> float:
    """Seconds until all mailboxes are held by so many, none with more than one above or below its share."""
    began = time.monotonic()

    def even() -> bool:
        held = database.shares()
        assert (sum(held.values()), len(held)) == (mailboxes, fetchers), held
        assert all(abs(count - mailboxes / fetchers) <= 1 for count in held.values()), held
        return True

    eventually(even, 60, what="even shares")
    return time.monotonic() - began


@contextmanager
def _mailboxes(place: Place, log: Path, port: int, users: list[str], **settings: Any) -> Iterator[None]:
    """Scanners of these users, added by a fetcher that holds none of them for long."""
    with fetcher_process(place, log, first_scan_after_seconds="30") as first:
        for user in users:
            first.add_scanner(port, user, PASSWORD, **settings)
    yield


def test_no_mail_is_lost_or_doubled_while_fetchers_come_and_go(place: Place, dovecot: Dovecot, tmp_path: Path) -> None:
    database, users = Database(place), [f"user{number}@company.example" for number in range(MAILBOXES)]
    bounds = {"max_connections": str(CONNECTIONS), "max_connections_per_server": str(CONNECTIONS_PER_SERVER)}
    arrivals, watched = Arrivals(dovecot.port, users), Connections(dovecot)
    measured: dict[str, float] = {}
    with ExitStack() as running:
        running.enter_context(_mailboxes(place, tmp_path / "adding.log", dovecot.port, users, interval_seconds=2))

        def fetcher(name: str) -> FetcherProcess:
            made = running.enter_context(fetcher_process(place, tmp_path / f"{name}.log", None, **bounds))
            watched.fetchers.append(made)
            return made

        killed, stopped, _ = (fetcher(name) for name in ("one", "two", "three"))
        arrivals.start()
        watched.start()
        measured["shares even after the start of three"] = _until_even(database, 3)

        [dead] = database.holders(killed)
        its = [one for (one,) in database.rows("select id from scanners where lease_holder = %(dead)s", dead=dead)]
        killed.process.send_signal(signal.SIGKILL)
        began = time.monotonic()
        moment = database.rows("select now()")[0][0]
        scanned = "select count(*) from scanners where id = any(%(its)s) and lease_holder <> %(dead)s and last_scan_at > %(moment)s"
        for what, count in (("first", 1), ("all", len(its))):
            eventually(lambda n=count: database.rows(scanned, its=its, dead=dead, moment=moment)[0][0] >= n, 40, what=f"{what} taken over")  # type: ignore[misc]  # bound now
            measured[f"{what} of the killed one's mailboxes scanned by another after"] = time.monotonic() - began
        measured["shares even after that"] = _until_even(database, 2)

        fetcher("four")
        measured["shares even after one more"] = _until_even(database, 3)
        stopped.process.terminate()
        measured["shares even after a SIGTERM"] = _until_even(database, 2)
        sent = arrivals.stop()
        published = "select count(*) from ledger where state = 'published'"
        eventually(lambda: database.rows(published)[0][0] >= sent, 60, what=f"{sent} mails published")
        watched.stop()

    for what, seconds in measured.items():
        print(f"{what}: {seconds:.1f} s")
    print(f"{sent} mails; at most {watched.most_of_one} connections of a fetcher, {watched.most_at_server} at the server")
    lines = database.rows("select id, subject, state from ledger")
    assert Counter(subject for _, subject, _ in lines) == arrivals.sent
    assert {state for _, _, state in lines} == {"published"}
    ids = {header(record, "ce_id") for record in asyncio.run(_raw_mails(place))}
    assert ids == {mail_id for mail_id, _, _ in lines}
    assert measured["first of the killed one's mailboxes scanned by another after"] < 30
    assert measured["all of the killed one's mailboxes scanned by another after"] < 30
    assert watched.most_of_one <= CONNECTIONS_PER_SERVER
    # One of ours that brings mails, and processes of connections that were just closed.
    assert watched.most_at_server <= 3 * CONNECTIONS_PER_SERVER + 5


def test_a_frozen_fetcher_joins_anew_gets_its_share_again_and_doubles_nothing(place: Place, dovecot: Dovecot, tmp_path: Path) -> None:
    database, users = Database(place), [f"user{number}@company.example" for number in range(6)]
    arrivals = Arrivals(dovecot.port, users)
    with ExitStack() as running:
        settings = {"interval_seconds": 1, "push": False, "after_scanning": "read"}
        running.enter_context(_mailboxes(place, tmp_path / "adding.log", dovecot.port, users, **settings))
        fetchers = [running.enter_context(fetcher_process(place, tmp_path / f"{n}.log", lease_seconds=str(LEASE_S))) for n in range(2)]
        arrivals.start()
        _until_even(database, 2, len(users))
        frozen = fetchers[0]
        [before] = database.holders(frozen)
        frozen.process.send_signal(signal.SIGSTOP)
        eventually(lambda: list(database.shares().values()) == [len(users)], 30, what="the other one holds all")
        eventually(lambda: not database.holders(frozen), 30)
        log = (tmp_path / "0.log").stat().st_size
        frozen.process.send_signal(signal.SIGCONT)
        _until_even(database, 2, len(users))
        [after] = database.holders(frozen)
        sent = arrivals.stop()
        eventually(lambda: database.rows("select count(*) from ledger where state = 'published' and not flag_wanted")[0][0] >= sent, 60)
        said = (tmp_path / "0.log").read_bytes()[log:]
    assert before != after, "it has joined anew"
    assert b'"event": "joined"' in said
    lines = database.rows("select id, subject from ledger")
    assert Counter(subject for _, subject in lines) == arrivals.sent
    assert {header(record, "ce_id") for record in asyncio.run(_raw_mails(place))} == {mail_id for mail_id, _ in lines}


async def _raw_mails(place: Place) -> list[Any]:
    """All records of `mail.raw`."""
    name = MAIL_RAW.full_name(place.namespace)
    partitions = [TopicPartition(name, number) for number in range(MAIL_RAW.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=place.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found.extend(records)
        return found
    finally:
        await consumer.stop()
