"""`/resolutions`: for simulations of the rules service; not part of the public API."""

from __future__ import annotations

from fastapi import APIRouter

from shared.api import ResolutionList, ResolutionsIn
from shared.events import TicketCommand
from shared.messaging.outbox import Outbox
from tickets.domain.storable import storable
from tickets.resolutions import resolve

ESCAPED_NUL = "\\u0000"


def resolutions_router(outbox: Outbox) -> APIRouter:
    router = APIRouter(prefix="/resolutions")

    @router.post("")
    async def create(request: ResolutionsIn) -> ResolutionList:
        commands = [_storable(command) for command in request.commands]
        return ResolutionList(items=await resolve(outbox.engine, commands))

    return router


def _storable(command: TicketCommand) -> TicketCommand:
    return storable(command) if ESCAPED_NUL in command.model_dump_json() else command
