"""Desks of 10,000, 100,000 and 1,000,000 tickets: what people and mails ask of them takes as long on each.

The service's own API and consumers on a real Postgres; the three desks are asked in turn, so that whatever else the machine does hits all
of them. Takes a quarter of an hour on two cores that do other work, most of it for making the desks, and 7 GB of disk.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import pytest
from pydantic import SecretStr
from sqlalchemy import event, text

from shared.database import migrate
from shared.events import TicketCommand
from shared.service import migrations_folder
from tests.benchmarks.growing_desk import LOADED, SEED, make_desk, word
from tests.integration.tickets.rig import REPLY, Rig, command, mail
from tests.kit.stack import TestStack
from tickets.adapters.ticket_list import Filter, list_tickets

pytestmark = [pytest.mark.bench, pytest.mark.connected, pytest.mark.alone, pytest.mark.timeout(1800)]

SIZES: Final = (10_000, 100_000, 1_000_000)
ROUNDS: Final = 12
WARM_ROUNDS: Final = 2
MAILS: Final = 50
SPAM: Final = 200
READING: Final = "reading for the search"
"""Behind the scenes: printed, and nobody waits for it."""
ASKED: Final = 2.0
PLAN_SIGNS: Final = ("Scan", "Sort", "Join", "Loop", "Limit", "Append", "Index Cond", "Filter", "Buffers: shared", "Execution")

LISTS: Final[Mapping[str, dict[str, Any]]] = {
    "all": {},
    "status": {"status": "open"},
    "two statuses": {"status": ["open", "waiting"]},
    "assignee": {"assignee": "op3@company.example"},
    "status and assignee": {"status": "open", "assignee": "op3@company.example"},
    "nobody's, open": {"assignee": "nobody", "status": "open"},
    "scanner": {"scanner_id": "s2"},
    "scanner and status": {"scanner_id": "s2", "status": "waiting"},
    "contact": {"contact_id": "contact-3"},
    "tag": {"tag": "customer"},
    "rare tag": {"tag": "legal"},
    "priority and scanner": {"priority": "urgent", "scanner_id": "s3"},
    "category nobody uses": {"category": "unheard of"},
}
SEARCHES: Final[Mapping[str, dict[str, Any]]] = {
    "common word": {"q": word(0)},
    "middling word": {"q": word(120) + " "},
    "rare word": {"q": word(9000) + " "},
    "common and middling": {"q": f"{word(1)} {word(90)} "},
    "unfinished": {"q": word(60)[:4]},
    "phrase": {"q": f'"{word(0)} {word(3)}"'},
    "address": {"q": "person7@firm7.example "},
    "common, status": {"q": word(2), "status": "open"},
    "middling, tag": {"q": word(150) + " ", "tag": "customer"},
    "no such word": {"q": "xylophonist "},
}
Times = dict[str, dict[int, list[float]]]


@pytest.fixture
async def desks(stack: TestStack, tmp_path: Path) -> AsyncIterator[dict[int, Rig]]:
    made: dict[int, Rig] = {}
    for size in SIZES:
        began = time.perf_counter()
        url = stack.database_url(f"growth_{size}")
        await asyncio.to_thread(migrate, migrations_folder("tickets"), SecretStr(url))
        rig = made[size] = Rig(url, tmp_path / str(size))
        await rig.start()
        await make_desk(rig.engine, size)
        async with rig.engine.connect() as conn:
            bytes_used = await conn.scalar(text("select pg_database_size(current_database())"))
        print(f"\n{size:>9,} tickets: {bytes_used / 2**20:,.0f} MiB, made in {time.perf_counter() - began:.0f} s", end="")
    yield made
    for rig in made.values():
        await rig.stop()


async def test_nothing_takes_twice_as_long_with_a_hundred_times_the_tickets(desks: dict[int, Rig]) -> None:
    await print_plans(desks[SIZES[-1]])
    before = await sequential_scans(desks[SIZES[-1]])
    kinds, each = await measure(desks)
    show("each list and search", each)
    show("all", kinds)
    low, high = SIZES[0], SIZES[-1]
    ratios = {kind: (median(by[high]) / median(by[low]), p95(by[high]) / p95(by[low])) for kind, by in kinds.items()}
    print("".join(f"\n  {kind:22} median x {middle:.2f}, p95 x {slow:.2f}" for kind, (middle, slow) in ratios.items()))
    assert await sequential_scans(desks[SIZES[-1]]) == before, "a table that grows was read from end to end"
    assert {kind: slow for kind, (_, slow) in ratios.items() if kind != READING and slow > ASKED} == {}


async def sequential_scans(rig: Rig) -> dict[str, int]:
    """How often each table that grows was read from end to end."""
    query = text("select relname, seq_scan from pg_stat_user_tables where relname = any(:names)")
    async with rig.engine.connect() as conn:
        await conn.execute(text("select pg_stat_force_next_flush()"))
        return {row.relname: row.seq_scan for row in await conn.execute(query, {"names": list(LOADED)})}


async def measure(desks: Mapping[int, Rig]) -> tuple[Times, Times]:
    """Seconds by kind of act, and by each list and search."""
    kinds: Times = defaultdict(lambda: defaultdict(list))
    each: Times = defaultdict(lambda: defaultdict(list))
    for turn in range(WARM_ROUNDS + ROUNDS):
        for size in random.Random(turn).sample(SIZES, len(SIZES)):
            for name, seconds in [one async for one in a_round(desks[size], random.Random(SEED + turn), size, turn)]:
                if turn >= WARM_ROUNDS:
                    kind, _, detail = name.partition(": ")
                    kinds[kind][size].append(seconds)
                    each[name if detail else kind][size].append(seconds)
    return kinds, {name: by for name, by in each.items() if ": " in name}


async def a_round(rig: Rig, chance: random.Random, size: int, turn: int) -> AsyncIterator[tuple[str, float]]:
    for name, params in LISTS.items():
        yield f"list: {name}", await timed(rig.get("/tickets", **params))
    for name, params in SEARCHES.items():
        yield f"search: {name}", await timed(rig.get("/tickets", **params))
    for _ in range(10):
        yield "open", await timed(open_ticket(rig, chance.randrange(1, size + 1)))
    for _ in range(5):
        yield "update", await timed(update_ticket(rig, chance.randrange(1, size + 1)))
    mails = await answers(rig, chance, size)
    yield f"{MAILS} mails", await timed(rig.carry_out(*mails))
    assert await appended(rig, mails) == MAILS
    if turn % 2 == 0:
        yield f"{SPAM} tickets as spam", await timed(mark_as_spam(rig, chance, size))
    yield READING, await timed(rig.read_for_search())


async def timed(work: Awaitable[Any]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def open_ticket(rig: Rig, number: int) -> None:
    await rig.get(f"/tickets/{number}")
    await rig.get(f"/tickets/{number}/messages")


async def update_ticket(rig: Rig, number: int) -> None:
    answer = await rig.api.patch(
        f"/tickets/{number}", json={"status": "in_progress", "priority": "high", "assignee": "op9@company.example"}
    )
    assert answer.status_code in {200, 409}, answer.text


async def answers(rig: Rig, chance: random.Random, size: int) -> list[TicketCommand]:
    """Mails of the customers of so many tickets of the first scanner, found by the Message-ID they answer."""
    numbers = [8 * number for number in chance.sample(range(1, size // 8 + 1), MAILS * 3)]
    query = text("select id, sender from tickets where id = any(:numbers) and deleted_at is null limit :count")
    async with rig.engine.connect() as conn:
        rows = (await conn.execute(query, {"numbers": numbers, "count": MAILS})).all()
    parents = [(row.sender, f"<m1-{row.id}@mail.example>") for row in rows]
    contents = [mail(sender=sender, subject="Re: it", in_reply_to=[parent], references=[parent]) for sender, parent in parents]
    return [command(content, [REPLY]) for content in contents]


async def appended(rig: Rig, commands: list[TicketCommand]) -> int:
    query = text("select count(*) from messages where mail_id = any(:ids)")
    async with rig.engine.connect() as conn:
        return int(await conn.scalar(query, {"ids": [one.mail_id for one in commands]}) or 0)


async def mark_as_spam(rig: Rig, chance: random.Random, size: int) -> None:
    numbers = [number for number in chance.sample(range(1, size + 1), SPAM * 2) if number % 10][:SPAM]
    answer = await rig.api.post("/tickets/spam", json={"ticket_ids": numbers, "listing": "none"})
    assert answer.status_code == 202, answer.text
    await rig.run_jobs()


def p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1]


def show(title: str, times: Times) -> None:
    print(f"\n\n{title}: ms p50/p95" + "".join(f"{size:>18,}" for size in SIZES))
    for name, by in times.items():
        figures = "".join(f"{median(by[size]) * 1000:>9.1f}/{p95(by[size]) * 1000:>8.1f}" for size in SIZES)
        print(f"  {name:32}{figures}")


async def print_plans(rig: Rig) -> None:
    """What Postgres does for each list and search: the nodes that read, and what they touched."""
    for name, params in {**LISTS, **SEARCHES}.items():
        print(f"\n\n{name}: {params}", end="")
        for statement, values in await statements(rig, params):
            async with rig.engine.connect() as conn:
                plan = await conn.exec_driver_sql(f"explain (analyze, buffers, timing off, costs off) {statement}", values)
                lines = [row[0] for row in plan]
            kept = [
                line for line in lines if any(sign in line for sign in ("Scan", "Sort", "Join", "Loop", "Limit", "Append", "Execution"))
            ]
            print("", *kept, sep="\n    ", end="")


async def statements(rig: Rig, params: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Those that look for the numbers of a page."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if "tickets" in statement or "ticket_search" in statement:
            seen.append((statement, values))

    status = params.get("status", [])
    nobody = params.get("assignee") == "nobody"
    given = {**params, "status": (status,) if isinstance(status, str) else tuple(status), "nobody": nobody}
    wanted = Filter(**{**given, "assignee": None if nobody else params.get("assignee")})
    event.listen(rig.engine.sync_engine, "before_cursor_execute", note)
    async with rig.engine.connect() as conn:
        await list_tickets(conn, wanted, None, 50)
    event.remove(rig.engine.sync_engine, "before_cursor_execute", note)
    return seen[:-1]
