"""Entry: settings → adapters → application; nothing else."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI

from fetcher.adapters.tables import MESSAGING
from fetcher.api_mails import MailApi
from fetcher.api_scanners import ScannerApi
from fetcher.handlers import on_outcome, on_outcomes
from fetcher.poll import Tools
from fetcher.publish import Publisher
from fetcher.scan import Scanning
from fetcher.scheduler import Scheduler
from fetcher.settings import Settings
from fetcher.sweep import Sweeper
from shared.messaging.consumer import Consumer
from shared.secrets import KeyRing
from shared.service import Service
from shared.topics import MAIL_OUTCOMES

SPARE_THREADS = 16
"""For connection tests and folder lists, and for connections being closed."""


def create_app(settings: Settings) -> FastAPI:
    """The fetcher. Nothing connects before the application starts."""
    service = Service("fetcher", settings, MESSAGING, archive=True)
    keys = KeyRing(settings.secret_keys.get_secret_value())
    pool = ThreadPoolExecutor(settings.max_scans + SPARE_THREADS, thread_name_prefix="imap")
    publisher = Publisher(service.producer, settings.namespace)
    tools = Tools(service.engine, service.archive, publisher, settings.batch_mails, settings.batch_bytes)
    scanning = Scanning(tools, settings, keys, pool)
    holder = f"{settings.instance or socket.gethostname()}-{os.getpid()}"
    service.consume(
        Consumer("fetcher", MAIL_OUTCOMES, on_outcome, begin=on_outcomes, outbox=service.outbox, tables=MESSAGING, settings=settings)
    )
    service.loop(Scheduler(service.engine, settings, scanning, holder[:100]).run)
    service.loop(Sweeper(tools, settings).run)
    scanner_api = ScannerApi(service.outbox, keys, scanning, pool, settings.first_scan_after_seconds)
    return service.app([scanner_api.router(), MailApi(tools, settings).router()])
