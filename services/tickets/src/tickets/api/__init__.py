"""The HTTP interface of tickets: the public API's own paths and bodies, called by the console."""

from __future__ import annotations

from fastapi import APIRouter

from shared.archive import Archive
from shared.messaging.outbox import Outbox
from tickets.api.comments import comments_router
from tickets.api.drafts import drafts_router
from tickets.api.erasures import erasures_router
from tickets.api.history import history_router
from tickets.api.merging import merging_router
from tickets.api.messages import messages_router
from tickets.api.records import records_router
from tickets.api.resolutions import resolutions_router
from tickets.api.saved_views import saved_views_router
from tickets.api.spam import spam_router
from tickets.api.ticket_settings import ticket_settings_router
from tickets.api.tickets import tickets_router
from tickets.api.uploads import uploads_router
from tickets.api.webhook_deliveries import webhook_deliveries_router
from tickets.api.webhooks import webhooks_router
from tickets.domain.files import Policy
from tickets.domain.registry import SORTS
from tickets.jobs import Jobs
from tickets.settings import Settings
from tickets.webhooks.making import make_teller


def routers(outbox: Outbox, archive: Archive, jobs: Jobs, settings: Settings) -> list[APIRouter]:
    """All routers; `/tickets/spam` before `/tickets/{id}`."""
    teller = make_teller(outbox, settings)
    policy = Policy.of(settings.attachment_blocked, settings.attachment_limit_bytes)
    return [
        spam_router(outbox, jobs),
        tickets_router(outbox, policy),
        history_router(outbox),
        merging_router(outbox, archive, policy),
        messages_router(outbox, archive, policy),
        comments_router(outbox, policy),
        drafts_router(outbox, policy),
        uploads_router(outbox, archive, policy),
        ticket_settings_router(outbox),
        saved_views_router(outbox),
        *(records_router(outbox, jobs, f"/{sort}s", sort) for sort in SORTS),
        resolutions_router(outbox),
        webhooks_router(outbox, teller.caller, teller.secrets),
        webhook_deliveries_router(teller),
        erasures_router(outbox),
    ]
