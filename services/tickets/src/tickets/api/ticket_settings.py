"""`/ticket-settings`. Who may change them is for the console to check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import TicketSettings, TicketSettingsPatch
from shared.http import IfMatch, ProblemError, check_if_match, with_etag
from shared.mail.words import one_line
from shared.messaging.outbox import Outbox
from tickets.adapters.desk_settings import NAME, change_settings, lock_settings, read_settings

DELIVERED: dict[str, Any] = {
    "status_names": {"open": "Open", "in_progress": "In progress", "waiting": "Waiting for the customer", "closed": "Closed"},
    "priorities": ["low", "normal", "high", "urgent"],
    "categories": [],
}
PLAIN = ("undo_seconds", "automatic_per_sender", "automatic_per_mailbox", "acknowledge_unchecked")
"""Taken as they are given."""
MAX_PRIORITY = 40


def ticket_settings_router(outbox: Outbox) -> APIRouter:
    router = APIRouter(prefix="/ticket-settings")

    @router.get("")
    async def read(response: Response) -> TicketSettings:
        async with outbox.engine.connect() as conn:
            return await _shown(conn, response)

    @router.patch("")
    async def change(request: TicketSettingsPatch, response: Response, if_match: IfMatch = None) -> TicketSettings:
        async with outbox.transaction() as unit:
            row = await lock_settings(unit.conn, NAME, DELIVERED)
            check_if_match(if_match, row.version)
            value = {**row.value, **_changed(request, row.value)}
            if value != row.value:
                await change_settings(unit.conn, NAME, value)
            return await _shown(unit.conn, response)

    return router


async def _shown(conn: AsyncConnection, response: Response) -> TicketSettings:
    row = await read_settings(conn, NAME)
    shown = TicketSettings(**row.value, version=row.version) if row else TicketSettings(**DELIVERED)
    with_etag(response, shown.version)
    return shown


def _changed(request: TicketSettingsPatch, before: dict[str, Any]) -> dict[str, Any]:
    """The fields given, in clean words; a status that was not given keeps its name. Raises ProblemError 422."""
    changed: dict[str, Any] = {}
    if request.status_names is not None:
        names = {status: _name("status_names", name) for status, name in request.status_names.items()}
        changed["status_names"] = {**before["status_names"], **names}
    if request.priorities is not None:
        changed["priorities"] = _names("priorities", request.priorities)
        if long := next((name for name in changed["priorities"] if len(name) > MAX_PRIORITY), None):
            raise _invalid(f"priorities: {long[:MAX_PRIORITY]}… has more than {MAX_PRIORITY} characters")
    changed |= {name: value for name in PLAIN if (value := getattr(request, name)) is not None}
    if request.categories is not None:
        changed["categories"] = _names("categories", request.categories)
    return changed


def _names(field: str, given: Sequence[str]) -> list[str]:
    """Each once, whatever its case, in the order given."""
    found: dict[str, str] = {}
    for name in given:
        clean = _name(field, name)
        found.setdefault(clean.casefold(), clean)
    return list(found.values())


def _name(field: str, given: str) -> str:
    if name := one_line(given):
        return name
    raise _invalid(f"{field}: a name must not be blank")


def _invalid(detail: str) -> ProblemError:
    return ProblemError(422, "The request is not valid", detail)
