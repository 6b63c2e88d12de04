"""Mailboxes that hang, refuse or trickle beside mailboxes that are well: those are read on time, at first and later.

What one fetcher may do at once is set so low that the bad ones, if they could, would use all of it up several times.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

import pytest
from sqlalchemy import text

from fetcher.settings import Settings
from shared.clock import utc_now
from tests.integration.fetcher.imap_script import ScriptedImap
from tests.integration.fetcher.rig import Rig, append, mail, rig_on, running
from tests.kit.dovecot import PASSWORD, Dovecot
from tests.kit.eventually import eventually_async
from tests.kit.ports import free_port
from tests.kit.proxy import Fault, FaultProxy

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]

HANGING, REFUSING, TRICKLING = 30, 10, 5
WELL, WELL_BESIDE_TRICKLING = 10, 5
INTERVAL_S = 2
READ_TIMEOUT_S = 20.0
LATE_S = 18.0
"""A quiet machine takes one or two, a busy one may take many; but whoever waits for a bad mailbox waits for its time-out."""
# Names of this machine: connections are counted by the server's name.
HANGS, REFUSES, TRICKLES, IS_WELL = "127.1", "127.0.1", "localhost", "127.0.0.1"


@dataclass(frozen=True)
class Bad:
    """Ports of the servers that are not well."""

    hanging: int
    refusing: int
    trickling: int


@pytest.fixture
def bad(dovecot: Dovecot) -> Iterator[Bad]:
    over = threading.Event()

    def hang(_tag: str, _command: str, _arguments: str) -> list[bytes] | None:
        over.wait(READ_TIMEOUT_S * 3)
        return None

    with ExitStack() as servers:
        hanging = servers.enter_context(ScriptedImap(hang))
        trickling = servers.enter_context(FaultProxy(dovecot.port))
        trickling.fault = Fault("slow", rate=1)
        servers.callback(over.set)
        yield Bad(hanging.port, free_port(), trickling.port)


@pytest.fixture
async def small(settings: Settings) -> AsyncIterator[Rig]:
    """With room for four scans at work, ten connections to a server, forty in all."""
    bounds = {"max_scans": 4, "max_connections_per_server": 10, "max_connections": 40, "read_timeout_seconds": READ_TIMEOUT_S}
    async with rig_on(settings.model_copy(update=bounds)) as rig:
        yield rig


async def test_mailboxes_that_are_well_are_read_on_time_whatever_others_do(small: Rig, dovecot: Dovecot, bad: Bad) -> None:
    for number in range(HANGING):
        await _add(small, HANGS, bad.hanging, f"hangs-{number}")
    for number in range(REFUSING):
        await _add(small, REFUSES, bad.refusing, f"refuses-{number}")
    for number in range(TRICKLING):
        await _add(small, TRICKLES, bad.trickling, f"trickles-{number}")
    well = {f"well-{n}-{time.time_ns()}": IS_WELL for n in range(WELL)}
    well |= {f"beside-{n}-{time.time_ns()}": TRICKLES for n in range(WELL_BESIDE_TRICKLING)}
    for user, server in well.items():
        await _add(small, server, dovecot.port, user)
    await _append(dovecot, list(well), "First")

    async with running(small.settings):
        published = await eventually_async(lambda: _published(small, "First", len(well)), 90, what="the first mails")
        _on_time(await _joined(small), published)

        await eventually_async(lambda: _failed(small, HANGING // 3 + TRICKLING), 120, what="failures of the bad ones")
        for title in ("Second", "Third"):
            await _append(dovecot, list(well), title)
            sent = utc_now()
            published = await eventually_async(lambda: _published(small, title, len(well)), 60, what=f"{title} mails")  # noqa: B023 -- awaited at once
            _on_time(sent, published, INTERVAL_S)


async def _add(rig: Rig, server: str, port: int, user: str) -> None:
    await rig.add_scanner(port, user, PASSWORD, server=server, interval_seconds=INTERVAL_S, push=False)


async def _append(dovecot: Dovecot, users: list[str], title: str) -> None:
    for user in users:
        await asyncio.to_thread(append, dovecot.port, user, PASSWORD, [mail(title, f"<{title}-{user}@x>")])


async def _published(rig: Rig, title: str, count: int) -> list[datetime]:
    """When they were, once all are."""
    async with rig.engine.connect() as conn:
        found = await conn.execute(text("select published_at from ledger where subject = :title and state = 'published'"), {"title": title})
        moments = [row.published_at for row in found]
    return moments if len(moments) == count else []


async def _joined(rig: Rig) -> datetime:
    """When the fetcher began to take mailboxes, all of which were due."""
    async with rig.engine.connect() as conn:
        moment: datetime = (await conn.execute(text("select started_at from fetchers"))).scalar_one()
    return moment


async def _failed(rig: Rig, count: int) -> bool:
    async with rig.engine.connect() as conn:
        query = text("select count(*) from scanners where failures > 0 and (name like 'hangs%' or name like 'trickles%')")
        return int(await conn.scalar(query) or 0) >= count


def _on_time(since: datetime, published: list[datetime], due_after: float = 0.0) -> None:
    late = max((one - since).total_seconds() for one in published) - due_after
    print(f"the last mail was published {late:.1f} s after it was due")
    assert late < LATE_S
