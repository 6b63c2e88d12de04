"""Waiting for news: IDLE (RFC 2177) where the server offers it, for several folders with NOTIFY (RFC 5465), else for the next scan.

Between IDLE and DONE the event loop waits for the socket: thousands of idle mailboxes need no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fetcher.adapters.imap.connection import Opened
from fetcher.adapters.imap.errors import IMAP_ERRORS
from fetcher.adapters.imap.push import News, Offer, ask, begin, look, offer
from fetcher.domain.folder_names import INBOX
from fetcher.mailbox import Mailbox
from shared.observability import get_logger

log = get_logger("push")


@dataclass(frozen=True)
class Times:
    """In seconds.

    renew: IDLE begins anew, well before the 29 minutes of RFC 2177: firewalls forget a silent connection sooner.
    look: as renew, where several folders are watched; each is looked at then, as Dovecot 2.3 has been seen to lose an announcement.
    ask: between two NOOPs where there is no IDLE.
    calm: between two wake-ups by the server, and between two looks while it sends what is no news.
    died: a connection that ended sooner is not made anew before.
    """

    renew: float = 540.0
    look: float = 60.0
    ask: float = 10.0
    calm: float = 0.1
    died: float = 10.0


async def mode(mailbox: Mailbox, folders: Sequence[str]) -> Literal["push", "poll"]:
    """`push` where news of all the folders reaches us by itself. Without NOTIFY several are `poll`, though INBOX is announced."""
    if not mailbox.open or not folders:
        return "poll"
    try:
        return "push" if (await mailbox.call(offer)).covers(folders) else "poll"
    except IMAP_ERRORS:
        mailbox.open = False
        return "poll"


async def watch(
    mailbox: Mailbox,
    folders: Sequence[str],
    wake: asyncio.Event,
    seconds: float,
    looks: Mapping[str, Opened],
    times: Times = Times(),
) -> None:
    """Return when a folder has news, `wake` is set, or after `seconds`. `looks`: the folders as they were when they were read.

    Never raises for what the server does: the next scan finds out.
    """
    began = time.monotonic()
    waking = asyncio.ensure_future(wake.wait())
    try:
        if mailbox.open and folders and not wake.is_set():
            pause = await _Watch(mailbox, waking, began + seconds, times).run(folders, looks)
            seconds = min(seconds, pause)
        await _rest(waking, began + seconds)
    finally:
        waking.cancel()


async def _rest(waking: asyncio.Future[Literal[True]], until: float) -> None:
    await asyncio.wait({waking}, timeout=max(0.0, until - time.monotonic()))


class _Watch:
    def __init__(self, mailbox: Mailbox, waking: asyncio.Future[Literal[True]], ends: float, times: Times) -> None:
        self._mailbox = mailbox
        self._waking = waking
        self._ends = ends
        self._times = times

    async def run(self, folders: Sequence[str], looks: Mapping[str, Opened]) -> float:
        """Seconds that should have passed since the beginning before the next scan."""
        try:
            await self._until_news(folders, looks)
        except IMAP_ERRORS as error:
            self._mailbox.open = False
            log.info("the connection ended while it waited for news", server=self._mailbox.account.server, error=str(error)[:200])
            return self._times.died
        return self._times.calm

    async def _until_news(self, folders: Sequence[str], looks: Mapping[str, Opened]) -> None:
        first = INBOX if INBOX in folders else folders[0]
        offered = await self._mailbox.call(offer)
        others = [name for name in folders if name != first] if offered.notify and offered.idle else []
        news, came = await self._mailbox.call(lambda c: begin(c, first, others, looks))
        if not came:
            await self._wait(offered, news)

    async def _wait(self, offered: Offer, news: News) -> None:
        idle, came = offered.idle, False
        while not came and not self._over(self._ends):
            if idle:
                idle, came = await self._idle(news)
                if news.others and not came and not self._over(self._ends):
                    came = news.grown(await self._mailbox.call(lambda c: look(c, news.others)))
            else:
                await _rest(self._waking, min(self._ends, time.monotonic() + self._times.ask))
                came = not self._over(self._ends) and news.told(await self._mailbox.call(ask))

    def _over(self, until: float) -> bool:
        return self._waking.done() or time.monotonic() >= until

    async def _idle(self, news: News) -> tuple[bool, bool]:
        """One IDLE: whether the server agreed to it, and whether it told of news."""
        before = await self._mailbox.call(lambda c: c.client.wire.begin_idle())
        if before is None:
            return False, False
        try:
            renewed = time.monotonic() + (self._times.look if news.others else self._times.renew)
            came = news.told(before) or await self._listen(news, min(self._ends, renewed))
        except asyncio.CancelledError:
            with contextlib.suppress(*IMAP_ERRORS):
                self._mailbox.wire.say_done()
            raise
        timeout = self._mailbox.account.read_timeout
        return True, news.told(await self._mailbox.call(lambda c: c.client.wire.end_idle(timeout))) or came

    async def _listen(self, news: News, until: float) -> bool:
        """While idle. A server that talks without pause is heard now and then: TCP slows it down, and other mailboxes go on."""
        wire = self._mailbox.wire
        while not self._over(until):
            lines = wire.heard()
            if news.told(lines):
                return True
            if lines or wire.more_at_once():
                await _rest(self._waking, time.monotonic() + self._times.calm)
            else:
                await self._readable(wire.sock.fileno(), until)
        return False

    async def _readable(self, descriptor: int, until: float) -> None:
        loop = asyncio.get_running_loop()
        readable = loop.create_future()

        def heard() -> None:
            loop.remove_reader(descriptor)
            readable.set_result(None)

        loop.add_reader(descriptor, heard)
        try:
            await asyncio.wait({readable, self._waking}, timeout=max(0.0, until - time.monotonic()), return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(descriptor)
