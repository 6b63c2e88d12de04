"""Settings → adapters → application; nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from shared.messaging.consumer import Consumer
from shared.messaging.outbox import Outbox
from shared.service import Service
from shared.topics import MAIL_DELIVERIES, SCANNERS, TICKET_COMMANDS, TICKET_EVENTS
from tickets import handlers, news
from tickets.adapters.tables import MESSAGING
from tickets.api import routers
from tickets.erasure.making import make_eraser, make_erasure_consumers
from tickets.jobs import Jobs
from tickets.registry.connecting import JOB_KIND as CONNECT
from tickets.registry.connecting import connect_next
from tickets.registry.importing import JOB_KIND as IMPORT
from tickets.registry.importing import import_next
from tickets.retention import Retention
from tickets.search import Search
from tickets.settings import Settings
from tickets.spam import JOB_KIND as SPAM
from tickets.spam import mark_next
from tickets.sweep import Sweep
from tickets.unspam import JOB_KIND as UNSPAM
from tickets.unspam import restore_next
from tickets.webhooks import events as webhook_events
from tickets.webhooks.making import make_sender

JOBS = {SPAM: mark_next, UNSPAM: restore_next, CONNECT: connect_next, IMPORT: import_next}
"""What carries out which kind of job."""


def make_consumers(outbox: Outbox, settings: Settings) -> list[Consumer[Any]]:
    """One per topic; nothing is read before `Service` subscribes them."""
    common: dict[str, Any] = {"outbox": outbox, "tables": MESSAGING, "settings": settings}
    commands = Consumer(
        "tickets",
        TICKET_COMMANDS,
        handlers.on_command,
        begin=handlers.on_commands,
        locks=handlers.locks_of,
        on_failure=handlers.on_command_failure,
        **common,
    )
    scanners = Consumer("tickets", SCANNERS, handlers.on_scanner, **common)
    deliveries = Consumer("tickets", MAIL_DELIVERIES, news.on_delivery, begin=news.on_deliveries, **common)
    changes = Consumer("tickets", TICKET_EVENTS, webhook_events.on_event, begin=webhook_events.on_events, **common)
    return [commands, scanners, deliveries, changes]


def create_app(settings: Settings) -> FastAPI:
    service = Service("tickets", settings, MESSAGING, archive=True)
    jobs = Jobs(service.outbox, JOBS)
    eraser = make_eraser(service.outbox, service.archive)
    for consumer in (*make_consumers(service.outbox, settings), *make_erasure_consumers(eraser, service.outbox, settings)):
        service.consume(consumer)
    service.loop(Sweep(service.outbox, timedelta(seconds=settings.sweep_after_seconds), settings.sweep_interval_seconds).run)
    service.loop(jobs.run)
    service.loop(Search(service.engine, settings.search_languages).run)
    service.loop(make_sender(service.outbox, settings).run)
    service.loop(eraser.run)
    service.loop(Retention(service.outbox, service.archive, settings.purge_deleted_after_days).run)
    return service.app(routers(service.outbox, service.archive, jobs, settings))
