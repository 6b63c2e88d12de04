"""A thousand stored mails simulated: the archive, Postgres and HTTP are real; tickets is a stand-in, in the same process."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from rules.settings import RulesSettings
from shared.database import migrate
from shared.service import migrations_folder
from tests.benchmarks.mixed_mails import mixed_mails
from tests.integration.rules.desk import Desk, raw_record
from tests.integration.rules.simulating import Simulating
from tests.integration.rules.tickets_server import TicketsServer
from tests.kit.stack import TestStack

pytestmark = [pytest.mark.bench, pytest.mark.connected, pytest.mark.timeout(600)]

MAILS: Final = 1_000
RULES: Final = 50
ASKED_S: Final = 10.0
BATCH: Final = 200
LOOK_EVERY_S: Final = 0.1


@pytest.fixture
def tickets() -> Iterator[TicketsServer]:
    with TicketsServer() as server:
        yield server


@pytest.fixture
async def at(stack: TestStack, tmp_path: Path, tickets: TicketsServer) -> AsyncIterator[Simulating]:
    url = SecretStr(stack.database_url("rules"))
    await asyncio.to_thread(migrate, migrations_folder("rules"), url)
    desk = Desk(RulesSettings(database_url=url, service_token=SecretStr("x" * 16), archive_url=tmp_path.as_uri()))
    await asyncio.to_thread(desk.service.archive.initialise)
    async with desk.service.engine.begin() as conn:
        await conn.execute(text("truncate scanners, decisions, simulations, inbox, outbox cascade"))
    await desk.scanner()
    yield Simulating(desk, tickets)
    await desk.client.aclose()
    await desk.service.engine.dispose()


async def test_a_thousand_stored_mails_in_ten_seconds(at: Simulating) -> None:
    size = await fill(at)
    began, cpu = time.perf_counter(), cpu_seconds()
    simulation_id = await at.ask({"last": MAILS}, rules=draft())
    running = asyncio.create_task(at.simulator.run_one())
    seen = await follow(at, simulation_id, running)
    took, spent = time.perf_counter() - began, cpu_seconds() - cpu
    found = await at.show(simulation_id)
    print(f"\n{MAILS} mails, {size / MAILS / 1024:.1f} KiB each, {RULES} rules, {len(at.tickets.asked)} questions to tickets")
    print(f"  {took:.2f} s, {MAILS / took:.0f} mails/s, {spent:.2f} s of CPU, with the stand-in's")
    print(f"  progress {seen['done']}; the slowest answer of the API meanwhile {seen['slowest']:.3f} s")
    assert (found["state"], found["done"], found["changed"]) == ("done", MAILS, MAILS)
    assert took < ASKED_S
    assert len(seen["done"]) >= took


async def fill(at: Simulating) -> int:
    """The mails in the archive and decided; their bytes together."""
    mails = [(f"m{number}", raw) for number, raw in enumerate(mixed_mails(MAILS))]
    await at.desk.service.archive.put_many([(f"s/{mail_id}", raw) for mail_id, raw in mails])
    for begin in range(0, MAILS, BATCH):
        await at.desk.mails(*(raw_record(mail_id, raw) for mail_id, raw in mails[begin : begin + BATCH]))
    return sum(len(raw) for _, raw in mails)


def draft() -> list[dict[str, Any]]:
    """Rules few mails match, and one for the rest."""
    few = [
        {
            "name": f"rule {number}",
            "conditions": [{"field": "subject", "operator": "regex", "value": rf"order (?P<ticket>{number}\d)\b"}],
            "action": {"type": "update_ticket"},
        }
        for number in range(RULES - 1)
    ]
    return [*few, {"name": "rest", "action": {"type": "create_ticket"}}]


async def follow(at: Simulating, simulation_id: str, running: asyncio.Task[bool]) -> dict[str, Any]:
    """As a page polls: the progress it saw, and how long the slowest answer took."""
    done, slowest = [0], 0.0
    while not running.done():
        began = time.perf_counter()
        job = await at.job(simulation_id)
        slowest = max(slowest, time.perf_counter() - began)
        if job["done"] != done[-1]:
            done.append(job["done"])
        await asyncio.wait({running}, timeout=LOOK_EVERY_S)
    assert await running
    return {"done": done, "slowest": slowest}


def cpu_seconds() -> float:
    """User and system, of all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
