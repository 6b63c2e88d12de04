"""Entry: settings → adapters → application; nothing else."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.accounts import Accounts
from fetcher.adapters.tables import ERASED, MESSAGING
from fetcher.api.folders import FolderApi
from fetcher.api.ledger import LedgerApi
from fetcher.api.mails import MailApi
from fetcher.api.oauth import OAuthApi
from fetcher.api.scanners import ScannerApi
from fetcher.check.jobs import Checker
from fetcher.check.mailbox import Doors
from fetcher.erasure import steps
from fetcher.gate import ByteBudget, Gate, Slots
from fetcher.handlers import on_outcome, on_outcomes
from fetcher.poll import Tools
from fetcher.publish import Publisher
from fetcher.released import Releaser
from fetcher.scan import Scanning
from fetcher.scheduler import Scheduler
from fetcher.settings import Settings
from fetcher.sweep import Sweeper
from shared.archive import Archive
from shared.erasure.eraser import Eraser
from shared.messaging.consumer import Consumer
from shared.secrets import KeyRing
from shared.service import Service
from shared.topics import MAIL_OUTCOMES, PRIVACY_ERASURES

SPARE_THREADS = 16
"""For connection tests and folder lists, and for connections being closed."""


def make_tools(engine: AsyncEngine, archive: Archive, publisher: Publisher, settings: Settings) -> Tools:
    """What all scans of a process work with, bounded together."""
    slots, budget = Slots(settings.max_scans), ByteBudget(settings.memory_bytes)
    return Tools(engine, archive, publisher, settings.batch_mails, settings.batch_bytes, slots, budget)


def create_app(settings: Settings) -> FastAPI:
    """The fetcher. Nothing connects before the application starts."""
    service = Service("fetcher", settings, MESSAGING, archive=True)
    keys = KeyRing(settings.secret_keys.get_secret_value())
    pool = ThreadPoolExecutor(settings.max_connections + SPARE_THREADS, thread_name_prefix="imap")
    tools = make_tools(service.engine, service.archive, Publisher(service.producer, settings.namespace), settings)
    accounts = Accounts(settings, keys, service.engine)
    scanning = Scanning(tools, settings, accounts, pool)
    gate = Gate(settings.max_connections, settings.max_connections_per_server)
    name = f"{settings.instance or socket.gethostname()}-{os.getpid()}"
    common: dict[str, Any] = {"outbox": service.outbox, "tables": MESSAGING, "settings": settings}
    eraser = Eraser("fetcher", service.outbox, ERASED, steps(service.archive))
    service.consume(Consumer("fetcher", MAIL_OUTCOMES, on_outcome, begin=on_outcomes, **common))
    service.consume(Consumer("fetcher", PRIVACY_ERASURES, eraser.on_erasure, **common))
    service.loop(eraser.run)
    service.loop(Scheduler(service.engine, settings, scanning, gate, name).run)
    service.loop(Sweeper(tools, settings).run)
    service.loop(Releaser(tools).run)
    service.loop(accounts.tokens.tokens.run)
    service.loop(Checker(tools, settings, Doors(accounts, gate, pool)).run)
    scanner_api = ScannerApi(service.outbox, keys, accounts, pool, settings.first_scan_after_seconds)
    folder_api = FolderApi(service.outbox, accounts, pool)
    ledger_api = LedgerApi(service.engine, settings)
    oauth_api = OAuthApi(service.engine, keys, accounts.tokens.tokens)
    return service.app([scanner_api.router(), oauth_api.router(), folder_api.router(), MailApi(tools).router(), ledger_api.router()])
