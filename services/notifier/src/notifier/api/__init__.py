"""The HTTP interface of the notifier: the public API's own paths and bodies, called by the console."""

from __future__ import annotations

from fastapi import APIRouter

from notifier.adapters.senders import Senders
from notifier.api.outgoing import outgoing_router
from notifier.api.personal import personal_router
from notifier.api.senders import senders_router
from notifier.api.templates import templates_router
from notifier.button import TestButton
from shared.archive import Archive
from shared.messaging.outbox import Outbox
from shared.secrets import KeyRing


def routers(outbox: Outbox, archive: Archive, ring: KeyRing, senders: Senders) -> list[APIRouter]:
    """All routers but that of signing in."""
    button = TestButton(senders)
    own = personal_router(outbox, senders, button)
    return [senders_router(outbox, ring, senders, button), own, templates_router(outbox), outgoing_router(outbox, archive)]
