"""The notifier, put together."""

from __future__ import annotations

import os
import random
import socket
from datetime import timedelta

from fastapi import FastAPI

from notifier import handlers
from notifier.adapters.queue import Claimant
from notifier.adapters.results import Results
from notifier.adapters.senders import Senders
from notifier.adapters.smtp import Patience
from notifier.adapters.tables import ERASED, MESSAGING
from notifier.api import outgoing_router, senders_router
from notifier.delivery import Deliverer
from notifier.dispatch import Dispatcher, Limits
from notifier.domain.schedule import Retries
from notifier.erasure import steps
from notifier.settings import Settings
from shared.erasure.eraser import Eraser
from shared.events import Erasure, OutgoingMail, ScannerSettings
from shared.messaging.consumer import Consumer
from shared.secrets import KeyRing
from shared.service import Service
from shared.topics import MAIL_OUTGOING, PRIVACY_ERASURES, SCANNERS

NAME = "notifier"


def create_app(settings: Settings) -> FastAPI:
    """Raises ValueError for a key ring that is none."""
    service = Service(NAME, settings, MESSAGING, archive=True)
    senders = Senders(KeyRing(settings.secret_keys.get_secret_value()))
    patience = Patience(settings.connect_timeout_seconds, settings.command_timeout_seconds, settings.data_timeout_seconds)
    outbox = service.outbox
    service.consume(Consumer[OutgoingMail](NAME, MAIL_OUTGOING, handlers.on_outgoing, outbox=outbox, tables=MESSAGING, settings=settings))
    service.consume(Consumer[ScannerSettings](NAME, SCANNERS, handlers.on_scanner, outbox=outbox, tables=MESSAGING, settings=settings))
    eraser = Eraser(NAME, outbox, ERASED, steps(service.archive))
    service.consume(Consumer[Erasure](NAME, PRIVACY_ERASURES, eraser.on_erasure, outbox=outbox, tables=MESSAGING, settings=settings))
    service.loop(eraser.run)
    service.loop(_dispatcher(service, settings, senders, patience).run)
    return service.app([senders_router(outbox, senders, patience), outgoing_router(outbox)])


def _dispatcher(service: Service, settings: Settings, senders: Senders, patience: Patience) -> Dispatcher:
    instance = settings.instance or f"{socket.gethostname()}-{os.getpid()}"
    claimant = Claimant(instance, f"{instance}/{os.urandom(6).hex()}", timedelta(seconds=settings.claim_seconds))
    retries = Retries(timedelta(seconds=settings.first_retry_seconds), timedelta(hours=settings.give_up_hours), random.random)
    results = Results(service.outbox, claimant, retries)
    deliverer = Deliverer(service.outbox, service.archive, claimant, results, service.outbox.clock)
    limits = Limits(settings.connections_per_server, settings.servers_at_once, settings.idle_seconds)
    return Dispatcher(service.outbox, senders, deliverer, claimant, patience, limits)
