"""The notifier, put together."""

from __future__ import annotations

import os
import random
import socket
from datetime import timedelta

from fastapi import FastAPI

from notifier import handlers
from notifier.adapters.beginnings import Beginnings
from notifier.adapters.claimant import Claimant
from notifier.adapters.holding import Holding
from notifier.adapters.results import Results
from notifier.adapters.senders import Senders
from notifier.adapters.smtp import Patience
from notifier.adapters.tables import ERASED, MESSAGING
from notifier.api import routers
from notifier.api.oauth import oauth_router
from notifier.delivery import Deliverer
from notifier.dispatch import Dispatcher
from notifier.domain.schedule import Retries
from notifier.erasure import steps
from notifier.lane import Bounds, Tools
from notifier.settings import Settings
from notifier.tokens import SenderTokens
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
    ring = KeyRing(settings.secret_keys.get_secret_value())
    tokens = SenderTokens(service.outbox.engine, ring)
    senders = Senders(ring, tokens.source)
    patience = Patience(settings.connect_timeout_seconds, settings.command_timeout_seconds, settings.data_timeout_seconds)
    outbox = service.outbox
    service.consume(Consumer[OutgoingMail](NAME, MAIL_OUTGOING, handlers.on_outgoing, outbox=outbox, tables=MESSAGING, settings=settings))
    service.consume(Consumer[ScannerSettings](NAME, SCANNERS, handlers.on_scanner, outbox=outbox, tables=MESSAGING, settings=settings))
    eraser = Eraser(NAME, outbox, ERASED, steps(service.archive))
    service.consume(Consumer[Erasure](NAME, PRIVACY_ERASURES, eraser.on_erasure, outbox=outbox, tables=MESSAGING, settings=settings))
    service.loop(eraser.run)
    service.loop(_dispatcher(service, settings, senders, patience).run)
    service.loop(tokens.keep_fresh)
    service.loop(tokens.tokens.run)
    return service.app([*routers(outbox, service.archive, ring, senders), oauth_router(outbox.engine, ring, senders, tokens)])


def _dispatcher(service: Service, settings: Settings, senders: Senders, patience: Patience) -> Dispatcher:
    instance = settings.instance or f"{socket.gethostname()}-{os.getpid()}"
    claimant = Claimant(instance, f"{instance}/{os.urandom(6).hex()}", timedelta(seconds=settings.claim_seconds))
    first, limit = timedelta(seconds=settings.first_retry_seconds), timedelta(hours=settings.give_up_hours)
    retries = Retries(first, limit, random.random, timedelta(seconds=settings.greylisted_retry_seconds))
    results = Results(service.outbox, claimant, retries)
    deliverer = Deliverer(service.outbox, service.archive, results, service.outbox.clock)
    beginnings = Beginnings(service.outbox.engine, claimant)
    bounds = Bounds(settings.connections_per_server, settings.idle_seconds)
    holding = Holding(service.outbox.engine, results, claimant)
    tools = Tools(service.outbox, senders, deliverer, beginnings, results, claimant, holding, patience, bounds)
    return Dispatcher(tools, settings.servers_at_once)
