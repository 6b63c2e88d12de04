"""`/ticket-views` and `/ticket-views/{id}`.

Who made one sees it, and everybody sees a shared one. Only its owner changes it; a shared one anybody may delete, so that none stays
behind whose owner has left.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Row

from shared.api import Page, SavedView, SavedViewIn, SavedViewPatch, TicketFilter
from shared.clock import rfc3339
from shared.http import Actor, Cursor, IdempotencyKey, IfMatch, Limit, ProblemError, check_if_match, encode_cursor, with_etag
from shared.messaging.outbox import Outbox
from tickets.adapters.saved_views import change_view, delete_view, get_view, insert_view, list_views
from tickets.api.common import new_id, one_line_title, time_cursor
from tickets.domain.storable import without_nul


def saved_views_router(outbox: Outbox) -> APIRouter:
    router = APIRouter(prefix="/ticket-views")

    @router.get("")
    async def index(actor: Actor, limit: Limit = 50, cursor: Cursor = None) -> Page[SavedView]:
        async with outbox.engine.connect() as conn:
            rows = await list_views(conn, actor, time_cursor(cursor), limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        following = encode_cursor(rfc3339(rows[-1].created_at), rows[-1].id) if more else None
        return Page(items=[_shown(row) for row in rows], next=following)

    @router.post("", status_code=201)
    async def create(request: SavedViewIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> SavedView:
        view_id = new_id(actor, key)
        async with outbox.transaction() as unit:
            values = {**_values(request), "id": view_id, "owner": actor, "created_at": unit.clock()}
            await insert_view(unit.conn, values)
            view = _shown(await get_view(unit.conn, view_id, actor))
        response.headers["Location"] = f"/api/v1/ticket-views/{view_id}"
        with_etag(response, view.version)
        return view

    @router.get("/{view_id}")
    async def read(view_id: str, response: Response, actor: Actor) -> SavedView:
        async with outbox.engine.connect() as conn:
            view = _shown(await get_view(conn, view_id, actor))
        with_etag(response, view.version)
        return view

    @router.patch("/{view_id}")
    async def change(view_id: str, request: SavedViewPatch, response: Response, actor: Actor, if_match: IfMatch = None) -> SavedView:
        async with outbox.transaction() as unit:
            row = await get_view(unit.conn, view_id, actor, lock=True)
            check_if_match(if_match, row.version)
            if row.owner != actor:
                raise ProblemError(403, "Somebody else's view", f"Only {row.owner} can change it; save a view of your own instead.")
            values = {name: value for name, value in _values(request).items() if value != row._mapping[name]}  # noqa: SLF001 -- SQLAlchemy's public name
            if values:
                await change_view(unit.conn, row.id, values)
            view = _shown(await get_view(unit.conn, view_id, actor))
        with_etag(response, view.version)
        return view

    @router.delete("/{view_id}", status_code=204)
    async def delete(view_id: str, actor: Actor, if_match: IfMatch = None) -> None:
        async with outbox.transaction() as unit:
            row = await get_view(unit.conn, view_id, actor, lock=True)
            check_if_match(if_match, row.version)
            await delete_view(unit.conn, row.id)

    return router


def _values(request: SavedViewIn | SavedViewPatch) -> dict[str, Any]:
    """The fields given, as the table keeps them. Raises ProblemError 422."""
    values: dict[str, Any] = without_nul(request.model_dump(mode="json", exclude_none=True))
    if "name" in values:
        values["name"] = one_line_title(values["name"], "name")
    return values


def _shown(row: Row[Any]) -> SavedView:
    return SavedView(
        id=row.id, name=row.name, shared=row.shared, owner=row.owner, filter=TicketFilter.model_validate(row.filter), version=row.version
    )
