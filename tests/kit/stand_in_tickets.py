"""The tickets service's part of the stand-in: tickets, their messages and history, saved views, the desk's settings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import FastAPI, Header, Query, Request, Response

from shared import api
from shared.events import TicketEventType
from shared.http import ProblemError, check_if_match, decode_cursor, encode_cursor
from tests.kit.stand_in_answers import answer_of, mail_came, why_not
from tests.kit.stand_in_world import World, changed, one

IfMatch = Annotated[str | None, Header(alias="If-Match")]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]
Actor = Annotated[str, Header(alias="X-Actor")]
TOLD = ("title", "status", "priority", "category", "assignee", "tags", "watchers", "external_code", "merged_into", "attention")
ORIGINAL = (
    b"Received: from mx.customer.example\r\nFrom: Anna Keller <anna@customer.example>\r\n"
    b"Subject: Invoice wrong\r\n\r\nMy invoice is wrong. <b>Bold?</b>\r\n"
)


def serve_tickets(app: FastAPI, world: World) -> None:
    """Its paths."""
    desk = _Desk(world)
    for add in (_serve_list, _serve_single, _serve_belonging, _serve_messages, _serve_views, _serve_settings):
        add(app, desk)


class _Desk:
    """Changes as the service makes them: versions rise, and each leaves an entry in the history."""

    def __init__(self, world: World) -> None:
        self.world = world

    def change(self, key: int, values: dict[str, Any], actor: str, kind: str = "updated", other: int | None = None) -> api.Ticket:
        before = one(self.world.tickets, key, "ticket")
        after = changed(self.world.tickets, key, values | {"updated_at": datetime.now(UTC)})
        self.remember(key, kind, actor, _differences(before, after), other)
        return after

    def remember(self, key: int, kind: str, actor: str, changes: list[api.FieldChange], other: int | None = None) -> None:
        number = 1 + max((entry.id for known in self.world.history.values() for entry in known), default=0)
        entry = api.TicketChange(
            id=number, at=datetime.now(UTC), actor=actor, type=TicketEventType(kind), changes=changes, other_ticket_id=other
        )
        self.world.history.setdefault(key, []).append(entry)

    def open(self, values: dict[str, Any], messages: list[api.Message]) -> api.Ticket:
        now, number = datetime.now(UTC), 1 + max(self.world.tickets, default=0)
        fields = {"status": "open", "priority": "normal", "source": "manual", "description": ""} | values
        made = api.Ticket(id=number, version=1, created_at=now, updated_at=now, message_count=len(messages), **fields)
        self.world.tickets[number], self.world.messages[number] = made, messages
        return made


def _differences(before: api.Ticket, after: api.Ticket) -> list[api.FieldChange]:
    one_side, other = before.model_dump(mode="json"), after.model_dump(mode="json")
    pairs = [(name, _shown(one_side[name]), _shown(other[name])) for name in TOLD]
    return [api.FieldChange(field=name, before=old, after=new) for name, old, new in pairs if old != new]


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


def _serve_list(app: FastAPI, desk: _Desk) -> None:
    @app.get("/tickets")
    def tickets(
        actor: Actor,
        status: Annotated[list[api.TicketStatus] | None, Query()] = None,
        q: str = "",
        source: str = "",
        scanner_id: str = "",
        contact_id: str = "",
        assignee: str = "",
        tag: str = "",
        priority: str = "",
        category: str = "",
        attention: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> api.Page[api.Ticket]:
        exact = {"source": source, "scanner_id": scanner_id, "priority": priority, "category": category}
        before = (decode_cursor(cursor, 1) or [1 << 62])[0]

        def fits(item: api.Ticket) -> bool:
            return (
                not item.deleted
                and item.id < before
                and (not status or item.status in status)
                and all(not value or getattr(item, name) == value for name, value in exact.items())
                and _given_to(item.assignee, assignee, actor)
                and (not contact_id or (item.contact is not None and item.contact.id == contact_id))
                and (not tag or tag in item.tags)
                and (not attention or item.attention is not None)
                and _says(item, q)
            )

        listed = sorted(filter(fits, desk.world.tickets.values()), key=lambda item: item.id, reverse=True)
        return api.Page(items=listed[:limit], next=encode_cursor(listed[limit - 1].id) if len(listed) > limit else None)


def _given_to(assignee: str | None, wanted: str, actor: str) -> bool:
    given = {"": assignee, "nobody": None, "me": actor.partition(":")[2]}.get(wanted, wanted)
    return assignee == given


def _says(ticket: api.Ticket, q: str) -> bool:
    """A number, or words (with quotes: together) of the title or sender."""
    if q.removeprefix("#").isdecimal():
        return ticket.id == int(q.removeprefix("#"))
    return q.strip('"').lower() in f"{ticket.title} {ticket.sender or ''}".lower()


def _serve_single(app: FastAPI, desk: _Desk) -> None:
    @app.post("/tickets", status_code=201)
    def create(wanted: api.TicketIn, actor: Actor) -> api.Ticket:
        record = desk.world.contacts.get(wanted.contact_id or "")
        values = wanted.model_dump(exclude={"contact_id"}) | {"contact": api.RecordRef(id=record.id, name=record.name) if record else None}
        made = desk.open(values, [])
        desk.remember(made.id, "created", actor, [])
        return made

    @app.get("/tickets/{key}")
    def ticket(key: int) -> api.Ticket:
        return one(desk.world.tickets, key, "ticket")

    @app.patch("/tickets/{key}")
    def change(key: int, patch: api.TicketPatch, actor: Actor, if_match: IfMatch = None) -> api.Ticket:
        check_if_match(if_match, ticket(key).version)
        values = patch.model_dump(exclude_unset=True)
        if "contact_id" in values:
            record = desk.world.contacts.get(values.pop("contact_id") or "")
            values["contact"] = api.RecordRef(id=record.id, name=record.name) if record else None
        if "attention" in values:
            values["attention"] = None
        return desk.change(key, values, actor)

    @app.delete("/tickets/{key}", status_code=204)
    def delete(key: int, actor: Actor, if_match: IfMatch = None) -> None:
        check_if_match(if_match, ticket(key).version)
        desk.change(key, {"deleted": True}, actor, "deleted")

    @app.post("/tickets/{key}/restore")
    def restore(key: int, actor: Actor) -> api.Ticket:
        return desk.change(key, {"deleted": False}, actor, "restored")

    @app.get("/tickets/{key}/history")
    def history(key: int, limit: int = 50, cursor: str | None = None) -> api.Page[api.TicketChange]:
        before = (decode_cursor(cursor, 1) or [1 << 62])[0]
        entries = [entry for entry in reversed(desk.world.history.get(key, [])) if entry.id < before]
        return api.Page(items=entries[:limit], next=encode_cursor(entries[limit - 1].id) if len(entries) > limit else None)


def _serve_belonging(app: FastAPI, desk: _Desk) -> None:
    def into(key: int, other: int, actor: str) -> api.Ticket:
        if key == other or one(desk.world.tickets, other, "ticket").deleted:
            raise ProblemError(409, "Not into this ticket", f"Ticket {other} cannot take it; choose another one.")
        desk.world.messages[other] += desk.world.messages[key]
        desk.world.messages[key] = []
        desk.remember(other, "merged", actor, [], key)
        return desk.change(key, {"merged_into": other, "status": "closed"}, actor, "merged", other)

    @app.post("/tickets/{key}/merge")
    def merge(key: int, wanted: api.MergeIn, actor: Actor) -> api.Ticket:
        return into(key, wanted.into, actor)

    @app.post("/tickets/{key}/accept")
    def accept(key: int, actor: Actor) -> api.Ticket:
        points_at = one(desk.world.tickets, key, "ticket").linked_ticket_id
        if points_at is None:
            raise ProblemError(409, "Points at no ticket", f"Ticket {key} points at no other one; merge it by number.")
        return into(key, points_at, actor)

    @app.post("/tickets/{key}/split", status_code=201)
    def split(key: int, wanted: api.SplitIn, actor: Actor) -> api.Ticket:
        message = next(item for item in desk.world.messages[key] if item.id == wanted.message_id)
        desk.world.messages[key].remove(message)
        source = one(desk.world.tickets, key, "ticket")
        values = {"title": wanted.title or source.title, "source": source.source, "sender": source.sender, "scanner_id": source.scanner_id}
        made = desk.open(values, [message])
        desk.remember(key, "split", actor, [], made.id)
        desk.remember(made.id, "split", actor, [], key)
        return made


def _serve_messages(app: FastAPI, desk: _Desk) -> None:
    @app.get("/tickets/{key}/messages")
    def messages(key: int, limit: int = 50, cursor: str | None = None) -> api.Page[api.Message]:
        start = (decode_cursor(cursor, 1) or [0])[0]
        there = desk.world.messages[key]
        more = len(there) > start + limit
        return api.Page(items=there[start : start + limit], next=encode_cursor(start + limit) if more else None)

    @app.get("/tickets/{key}/messages/{message_id}/original")
    def original(key: int, message_id: str) -> Response:
        if not any(item.id == message_id and item.mail_id for item in desk.world.messages[key]):
            raise ProblemError(404, "No such original", "This message was made of no mail.")
        return Response(desk.world.originals.get(message_id, ORIGINAL), media_type="message/rfc822")

    @app.get("/tickets/{key}/attachments/{attachment_id}")
    def attachment(key: int, attachment_id: str) -> Response:
        there = [file for message in desk.world.messages[key] for file in message.attachments]
        file = next(file for file in there if file.id == attachment_id)
        return Response(desk.world.files.get(attachment_id, b"bytes"), media_type=file.type)

    @app.post("/tickets/{key}/comments", status_code=201)
    def comment(key: int, wanted: api.CommentIn, actor: Actor, idempotency_key: Key = None) -> api.Message:
        known = next((item for item in desk.world.messages[key] if item.id == idempotency_key), None)
        if known is not None:
            return known
        message_id, drafts = idempotency_key or str(uuid4()), desk.world.answers.drafts
        mailed = not wanted.internal and (one(desk.world.tickets, key, "ticket").source == "mail" or mail_came(desk.world, key))
        if mailed and (why := why_not(desk.world, key)):
            raise ProblemError(409, "Nobody to answer", why)
        if mailed:
            reply = api.ReplyIn(body=wanted.body, cc=wanted.cc, attachments=wanted.attachments)
            made = answer_of(desk.world, key, reply, actor, message_id, "comment")
        else:
            made = _written(wanted, actor, message_id)
        desk.world.messages[key].append(made)
        if key in drafts and (not wanted.internal or drafts[key].mode == "note"):
            del drafts[key]
        desk.change(key, {"message_count": len(desk.world.messages[key])}, actor, "commented")
        return made


def _written(wanted: api.CommentIn, actor: str, message_id: str) -> api.Message:
    """What nobody gets by mail."""
    kind: Any = "note" if wanted.internal else "comment"
    return api.Message(id=message_id, kind=kind, direction="out", sender=actor, text=wanted.body, created_at=datetime.now(UTC))


def _serve_views(app: FastAPI, desk: _Desk) -> None:
    def own(key: str, request: Request) -> api.SavedView:
        view = one(desk.world.views, key, "saved view")
        if view.owner != request.headers["x-actor"] and not view.shared:
            raise ProblemError(404, "No such saved view", "There is no such saved view.")
        return view

    @app.get("/ticket-views")
    def views(actor: Actor) -> api.Page[api.SavedView]:
        return api.Page(items=[view for view in desk.world.views.values() if view.shared or view.owner == actor])

    @app.post("/ticket-views", status_code=201)
    def create(wanted: api.SavedViewIn, actor: Actor) -> api.SavedView:
        made = api.SavedView(id=str(uuid4()), owner=actor, **wanted.model_dump())
        desk.world.views[made.id] = made
        return made

    @app.patch("/ticket-views/{key}")
    def change(key: str, patch: api.SavedViewPatch, request: Request, if_match: IfMatch = None) -> api.SavedView:
        check_if_match(if_match, own(key, request).version)
        return changed(desk.world.views, key, patch.model_dump(exclude_unset=True))

    @app.delete("/ticket-views/{key}", status_code=204)
    def delete(key: str, request: Request) -> None:
        del desk.world.views[own(key, request).id]


def _serve_settings(app: FastAPI, desk: _Desk) -> None:
    @app.get("/ticket-settings")
    def settings() -> api.TicketSettings:
        return desk.world.ticket_settings

    @app.patch("/ticket-settings")
    def change(patch: api.TicketSettingsPatch, if_match: IfMatch = None) -> api.TicketSettings:
        known = desk.world.ticket_settings
        check_if_match(if_match, known.version)
        values: dict[str, Any] = known.model_dump() | patch.model_dump(exclude_unset=True) | {"version": known.version + 1}
        desk.world.ticket_settings = api.TicketSettings.model_validate(values)
        return desk.world.ticket_settings
