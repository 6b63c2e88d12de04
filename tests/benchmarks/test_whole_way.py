"""`make bench`: 2,000 mails through the whole way.

Per stage: the stages before have finished and the ones after stand still, so each figure is the stage's own. End to end: all run. Latency:
mails one at a time into an idle system, from the IMAP APPEND to the ticket's row. CPU: user and system seconds of each service's process.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psutil
import psycopg
import pytest

from tests.kit.eventually import eventually
from tests.kit.mail import Mailbox, compose, with_attachment
from tests.kit.smtp_sink import SmtpSink
from tests.kit.system import System

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1200)]

MAILS = 2000
ANSWERS = 200
LATENCY_MAILS = 60
WORDS = [
    "invoice",
    "order",
    "delivery",
    "broken",
    "refund",
    "please",
    "help",
    "thanks",
    "account",
    "password",
    "printer",
    "bicycle",
    "garden",
    "quickly",
    "Tuesday",
]


def test_whole_way(system: System, imap_server: tuple[str, int, str], smtp_sink: SmtpSink) -> None:
    host, port, password = imap_server
    mailbox = Mailbox(host, port, "bench@desk.example", password)
    mailbox.append(_mails(mailbox.user, "Stage", MAILS))
    scanner_id = system.api.add_mailbox(mailbox, "127.0.0.1", smtp_sink.port, interval_seconds=1, enabled=False)
    for name in ("rules", "tickets"):
        system.parts[name].stop()

    rows = [("stage", "mails/s", "seconds")]
    rows.append(_stage("fetcher: IMAP → mail.raw", lambda: _enable(system, scanner_id), lambda: _published(system, scanner_id)))
    rows.append(_stage("rules: mail.raw → command", system.parts["rules"].start, lambda: _decided(system)))
    rows.append(_stage("tickets: command → ticket", system.parts["tickets"].start, lambda: _tickets(system)))
    eventually(lambda: _count(system, "fetcher", "select count(*) from ledger where outcome_type is not null") == MAILS, 120)
    system.parts["tickets"].wait_ready()

    before = _cpu(system)
    begin = time.monotonic()
    mailbox.append(_mails(mailbox.user, "Whole", MAILS))
    appended = time.monotonic() - begin
    eventually(lambda: _tickets(system) == 2 * MAILS, 300, every=0.05)
    whole = time.monotonic() - begin
    eventually(lambda: _count(system, "fetcher", "select count(*) from ledger where outcome_type is not null") == 2 * MAILS, 120)
    cpu = {name: _cpu(system)[name] - before[name] for name in before}
    rows.append(("end to end (all at once)", f"{MAILS / whole:,.0f}", f"{whole:.1f}"))
    rows.append(("  of it the APPENDs", f"{MAILS / appended:,.0f}", f"{appended:.1f}"))

    rows.append(_answers(system, scanner_id, smtp_sink))
    latencies = sorted(_latency(system, mailbox, number) for number in range(LATENCY_MAILS))
    _show(rows, latencies, cpu)


def _mails(address: str, series: str, count: int) -> list[bytes]:
    """Plain mails of 1–12 KB, every twentieth with an attachment of 100 KB; the same in every run."""
    dice = random.Random(series)
    mails = []
    for number in range(count):
        body = "\n".join(" ".join(dice.choices(WORDS, k=10)) for _ in range(dice.randint(10, 150)))
        mail = compose(f"customer{number}@customer.example", address, f"{series} {number}", body)
        if number % 20 == 0:
            with_attachment(mail, "scan.pdf", dice.randbytes(100_000))
        mails.append(mail.as_bytes())
    return mails


def _enable(system: System, scanner_id: str) -> None:
    system.api.request("PATCH", f"/scanners/{scanner_id}", json={"enabled": True}).raise_for_status()


def _stage(name: str, start: Callable[[], object], done: Callable[[], int]) -> tuple[str, str, str]:
    """The rate between the first and the last mail of the stage, so that the start of a process does not count."""
    start()
    first: float | None = None
    seen = 0
    while seen < MAILS:
        seen = done()
        if first is None and seen:
            first, at_first = time.monotonic(), seen
        time.sleep(0.01)
    assert first is not None
    seconds = max(time.monotonic() - first, 1e-6)
    return name, f"{(MAILS - at_first) / seconds:,.0f}", f"{seconds:.1f}"


def _published(system: System, scanner_id: str) -> int:
    return _count(system, "fetcher", "select count(*) from ledger where scanner_id = %s and published_at is not null", scanner_id)


def _decided(system: System) -> int:
    return _count(system, "rules", "select count(*) from decisions")


def _tickets(system: System) -> int:
    return _count(system, "tickets", "select count(*) from tickets")


def _count(system: System, service: str, query: str, *arguments: Any) -> int:
    with psycopg.connect(_dsn(system, service), connect_timeout=5) as connection:
        row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return int(row[0])


def _dsn(system: System, service: str) -> str:
    return system.sources.databases[service].replace("postgresql+psycopg://", "postgresql://")


def _answers(system: System, scanner_id: str, sink: SmtpSink) -> tuple[str, str, str]:
    tickets = system.api.get("/tickets", scanner_id=scanner_id, limit=ANSWERS)["items"]
    begin = time.monotonic()
    for ticket in tickets:
        system.api.post(f"/tickets/{ticket['id']}/comments", {"body": "Thank you, we are on it."})
    eventually(lambda: len(sink.accepted) >= len(tickets), 120, every=0.02)
    seconds = time.monotonic() - begin
    return "comment → SMTP (by the API)", f"{len(tickets) / seconds:,.0f}", f"{seconds:.1f}"


def _latency(system: System, mailbox: Mailbox, number: int) -> float:
    """Seconds from the end of APPEND to the ticket's row, as Postgres stamped it."""
    title = f"Latency {number}"
    mailbox.append([compose("quick@customer.example", mailbox.user, title).as_bytes()])
    appended = time.time()
    with psycopg.connect(_dsn(system, "tickets"), connect_timeout=5, autocommit=True) as connection:

        def row() -> tuple[datetime] | None:
            return connection.execute("select created_at from tickets where title = %s", [title]).fetchone()

        created = eventually(row, 30, every=0.005)[0]
    return max(0.0, min(time.time(), created.timestamp()) - appended)


def _cpu(system: System) -> dict[str, float]:
    """User and system seconds of each service, with its children."""
    used = {}
    for name, part in system.parts.items():
        assert part.pid is not None
        times = psutil.Process(part.pid).cpu_times()
        used[name] = times.user + times.system
    return used


def _show(rows: list[tuple[str, str, str]], latencies: list[float], cpu: dict[str, float]) -> None:
    print(f"\n{MAILS} mails; {psutil.cpu_count()} processors")
    for row in rows:
        print(f"{row[0]:<34}{row[1]:>10}{row[2]:>10}")
    p50, p99 = statistics.median(latencies), statistics.quantiles(latencies, n=100, method="inclusive")[98]
    worst = f"max {latencies[-1] * 1000:.0f} ms ({len(latencies)} mails)"
    print(f"APPEND → ticket row: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, {worst}")
    print("CPU seconds per 1,000 mails: " + ", ".join(f"{name} {used / MAILS * 1000:.2f}" for name, used in cpu.items()))
