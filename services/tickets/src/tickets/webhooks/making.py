"""The parts of webhooks, put together from the settings."""

from __future__ import annotations

import random
from datetime import timedelta

from shared.messaging.outbox import Outbox
from shared.secrets import KeyRing
from tickets.adapters.webhook_store import WebhookSecrets
from tickets.settings import Settings
from tickets.webhooks.calling import Caller
from tickets.webhooks.sender import Sender
from tickets.webhooks.telling import Teller


def make_teller(outbox: Outbox, settings: Settings) -> Teller:
    """Raises ValueError for a key ring that is none."""
    secrets = WebhookSecrets(KeyRing(settings.secret_keys.get_secret_value()))
    caller = Caller(settings.webhook_timeout_seconds, outbox.clock, private=settings.webhook_private_addresses)
    return Teller(outbox, secrets, caller, random.random)


def make_sender(outbox: Outbox, settings: Settings) -> Sender:
    """Raises as `make_teller`."""
    return Sender(make_teller(outbox, settings), timedelta(days=settings.webhook_log_days))
