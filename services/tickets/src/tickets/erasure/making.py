"""This service's eraser and its two consumers, put together."""

from __future__ import annotations

from typing import Any

from shared.archive import Archive
from shared.erasure.eraser import Eraser
from shared.events import ErasureReport
from shared.messaging.consumer import Consumer
from shared.messaging.outbox import Outbox, Unit
from shared.messaging.received import Received
from shared.topics import PRIVACY_ERASURES, PRIVACY_REPORTS
from tickets.adapters.tables import ERASED, MESSAGING
from tickets.erasure.requests import record, record_own
from tickets.erasure.steps import steps
from tickets.settings import Settings


def make_eraser(outbox: Outbox, archive: Archive) -> Eraser:
    """It begins when the fetcher has named the mails, and writes its report down itself."""
    return Eraser("tickets", outbox, ERASED, steps(archive), after_fetcher=True, tell=record_own)


def make_erasure_consumers(eraser: Eraser, outbox: Outbox, settings: Settings) -> list[Consumer[Any]]:
    """Of what is to be erased, and of what the services did."""
    common: dict[str, Any] = {"outbox": outbox, "tables": MESSAGING, "settings": settings}

    async def on_report(unit: Unit, received: Received[ErasureReport]) -> None:
        await eraser.on_report(unit, received)
        if not received.tombstone:
            await record(unit, received.body)

    erasures = Consumer("tickets", PRIVACY_ERASURES, eraser.on_erasure, **common)
    return [erasures, Consumer("tickets", PRIVACY_REPORTS, on_report, **common)]
