"""`/tickets/{id}/uploads`: a file for an answer, its bytes as the body."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from shared.api import Upload
from shared.archive import Archive
from shared.http import Actor, IdempotencyKey
from shared.messaging.outbox import Outbox
from tickets.answer_files import refuse_size
from tickets.api.common import new_id
from tickets.api.views import upload_view
from tickets.domain.files import Policy
from tickets.uploads import Incoming, receive

Name = Annotated[str, Query(min_length=1, max_length=500, description="The file's name")]


def uploads_router(outbox: Outbox, archive: Archive, policy: Policy) -> APIRouter:
    router = APIRouter(prefix="/tickets/{ticket_id}/uploads")

    @router.post("", status_code=201)
    async def upload(ticket_id: int, name: Name, request: Request, actor: Actor, key: IdempotencyKey = None) -> Upload:
        declared = request.headers.get("content-length", "")
        refuse_size(int(declared) if declared.isdecimal() else 0, policy)
        file = Incoming(new_id(actor, key), ticket_id, actor, name, request.headers.get("content-type", ""), request.stream())
        return upload_view(await receive(outbox, archive, file, policy))

    return router
