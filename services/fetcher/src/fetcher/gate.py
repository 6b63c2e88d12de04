"""What a fetcher may have open and under way at once: connections, working scans, bytes of mails in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from shared.observability import CONNECTIONS

KEPT_PART = 0.75
"""Of the connections as many may wait for news; the rest is for mailboxes that are looked at and left again."""


class Gate:
    """Connections, per fetcher and per server. Who waits, waits its turn."""

    def __init__(self, most: int, most_per_server: int) -> None:
        self._most = most
        self._most_per_server = min(most, most_per_server)
        self._all = asyncio.Semaphore(most)
        self._servers: dict[str, asyncio.Semaphore] = {}
        self._kept: Counter[str] = Counter()

    async def enter(self, server: str) -> Pass:
        """Wait for a connection to be free; give the pass back by `leave`."""
        one = self._servers.setdefault(server, asyncio.Semaphore(self._most_per_server))
        await one.acquire()
        try:
            await self._all.acquire()
        except BaseException:
            one.release()
            raise
        CONNECTIONS.inc()
        return Pass(self, server)

    def keep(self, one: Pass) -> bool:
        """Whether the connection may stay open between scans; it is counted from then on."""
        if one.kept:
            return True
        full = self._kept.total() >= self._most * KEPT_PART or self._kept[one.server] >= self._most_per_server * KEPT_PART
        if not full:
            one.kept = True
            self._kept[one.server] += 1
        return not full

    def leave(self, one: Pass) -> None:
        """The connection is closed. Once is enough, twice does no harm."""
        if one.left:
            return
        one.left = True
        if one.kept:
            self._kept[one.server] -= 1
        CONNECTIONS.dec()
        self._all.release()
        self._servers[one.server].release()


@dataclass
class Pass:
    """The right to one connection to a server."""

    gate: Gate
    server: str
    kept: bool = False
    left: bool = False


class Slots:
    """Scans at work. A scan that waits long for its server lends its slot away, so that mailboxes that hang hold up no other."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._taking: set[asyncio.Future[bool]] = set()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Work in it."""
        async with self._free:
            yield

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """While waiting, within `slot`. Who is cancelled meanwhile does not wait for the slot to come back: it is taken back for it."""
        self._free.release()
        try:
            yield
            await self._free.acquire()
        except BaseException:
            taking = asyncio.ensure_future(self._free.acquire())
            self._taking.add(taking)
            taking.add_done_callback(self._taking.discard)
            raise


@dataclass
class ByteBudget:
    """Bytes of mails in memory, over all mailboxes. One mail above it passes alone."""

    most: int
    _used: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Wait until so many bytes are free; they are given back at the end."""
        wanted = min(size, self.most)
        async with self._changed:
            await self._changed.wait_for(lambda: self._used + wanted <= self.most)
            self._used += wanted
        try:
            yield
        finally:
            self._used -= wanted
            async with self._changed:
                self._changed.notify_all()
