"""The tickets service's part of the stand-in about answers: to whom they go, drafts, files, sending and taking back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import uuid4

from fastapi import FastAPI, Header, Request

from shared import api
from shared.events import DeliveryState, OutgoingMode
from shared.http import ProblemError, check_if_match, not_found

if TYPE_CHECKING:
    from tests.kit.stand_in_world import World

IfMatch = Annotated[str | None, Header(alias="If-Match")]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]
Actor = Annotated[str, Header(alias="X-Actor")]
Kind = Literal["reply", "comment"]
HELP = "help@company.example"
NOBODY = "The mail of this ticket names no address to answer to; write an internal note instead."
NO_MAIL = "No mail came in on this ticket, so there is nobody to answer; write an internal note instead."
NO_ADDRESS = "You have no mail address of your own yet, so no answer can leave from it."


@dataclass
class Answers:
    """What the service knows of answers; a test changes it to see what becomes of it."""

    drafts: dict[int, api.Draft] = field(default_factory=dict)
    saved: int = 0
    """How many times a draft was kept."""
    uploads: dict[str, api.Upload] = field(default_factory=dict)
    bytes: dict[str, bytes] = field(default_factory=dict)
    sent: list[tuple[int, api.ReplyIn]] = field(default_factory=list)
    writing: dict[int, list[str]] = field(default_factory=dict)
    personal_sender: str | None = None
    refusal: str | None = None
    files_limit: int = 50 * 1000 * 1000
    undo_seconds: int = 120


def mail_came(world: World, key: int) -> bool:
    return any(message.kind == "mail" for message in world.messages[key])


def why_not(world: World, key: int) -> str | None:
    """Why nobody can be answered."""
    if world.answers.refusal:
        return world.answers.refusal
    if not mail_came(world, key):
        return NOBODY if world.tickets[key].source == "mail" else NO_MAIL
    return None if world.tickets[key].sender else NOBODY


def serve_answers(app: FastAPI, world: World) -> None:
    """Its paths."""
    for add in (_serve_answering, _serve_drafts, _serve_sending):
        add(app, world)


def _serve_answering(app: FastAPI, world: World) -> None:
    @app.get("/tickets/{key}/answering")
    def answering(key: int) -> api.Answering:
        ticket, known = world.tickets[key], world.answers
        refusal = why_not(world, key)
        to = [ticket.sender] if ticket.sender and not refusal else []
        first = next((message for message in world.messages[key] if message.direction == "in"), None)
        return api.Answering(
            sender=HELP,
            to=to,
            copies=[api.CopyChoice(address=one, ticked=True) for one in ticket.watchers]
            + ([api.CopyChoice(address="boss@customer.example", name="Ben Boss", ticked=False)] if ticket.watchers else []),
            subject=f"Re: {ticket.title} - Ticket Id: {key}" if to else "",
            quoted=f"On 23 November, {ticket.sender} wrote:\n> {first.text.splitlines()[0]}" if first else "",
            personal_sender=known.personal_sender,
            personal_refusal=None if known.personal_sender else NO_ADDRESS,
            refusal=refusal,
            writing=known.writing.get(key, []),
            files_limit=known.files_limit,
            files_blocked=["exe", "application/x-msdownload"],
            undo_seconds=known.undo_seconds,
        )

    @app.post("/tickets/{key}/uploads", status_code=201)
    async def upload(key: int, name: str, request: Request) -> api.Upload:
        body = await request.body()
        made = api.Upload(id=f"up-{key}-{len(world.answers.uploads)}", name=name, type=request.headers["content-type"], size=len(body))
        world.answers.uploads[made.id], world.answers.bytes[made.id] = made, body
        return made


def files(world: World, key: int, ids: list[str]) -> list[api.AttachmentView]:
    """Those of the ids that are there."""
    own = [file for message in world.messages[key] for file in message.attachments]
    sent = [api.AttachmentView(**item.model_dump()) for item in world.answers.uploads.values()]
    return list({file.id: file for file in [*own, *sent] if file.id in ids}.values())


def _serve_drafts(app: FastAPI, world: World) -> None:
    @app.get("/tickets/{key}/draft")
    def draft(key: int) -> api.Draft:
        if key not in world.answers.drafts:
            raise not_found("draft", key)
        return world.answers.drafts[key]

    @app.put("/tickets/{key}/draft")
    def keep(key: int, wanted: api.DraftIn, if_match: IfMatch = None) -> api.Draft:
        check_if_match(if_match, world.answers.drafts[key].version if key in world.answers.drafts else 0)
        world.answers.saved += 1
        there = files(world, key, wanted.attachments)
        made = api.Draft(**wanted.model_dump(), files=there, version=world.answers.saved, updated_at=datetime.now(UTC))
        world.answers.drafts[key] = made
        return made

    @app.delete("/tickets/{key}/draft", status_code=204)
    def throw_away(key: int, if_match: IfMatch = None) -> None:
        check_if_match(if_match, world.answers.drafts[key].version if key in world.answers.drafts else 0)
        world.answers.drafts.pop(key, None)


def _serve_sending(app: FastAPI, world: World) -> None:
    def place(key: int, message_id: str) -> int:
        return next(index for index, item in enumerate(world.messages[key]) if item.id == message_id)

    @app.post("/tickets/{key}/replies", status_code=201)
    def reply(key: int, wanted: api.ReplyIn, actor: Actor, idempotency_key: Key = None) -> api.Message:
        known = next((item for item in world.messages[key] if item.id == idempotency_key), None)
        if known is not None:
            return known
        if why := why_not(world, key):
            raise ProblemError(409, "Nobody to answer", why)
        if wanted.mode == "personal" and world.answers.personal_sender is None:
            raise ProblemError(409, "No address of your own", NO_ADDRESS)
        world.answers.sent.append((key, wanted))
        made = answer_of(world, key, wanted, actor, idempotency_key or str(uuid4()))
        world.messages[key].append(made)
        world.answers.drafts.pop(key, None)
        return made

    @app.post("/tickets/{key}/messages/{message_id}/cancel")
    def cancel(key: int, message_id: str) -> api.Message:
        index = place(key, message_id)
        message = world.messages[key][index]
        left = message.undo_until is None or message.undo_until < datetime.now(UTC)
        known = world.outgoing.get(message_id)
        if left and not (known and known.cancellable):
            raise ProblemError(409, "Left already", "The answer has left already.")
        if known is not None:
            world.outgoing[message_id] = known.model_copy(update={"state": "cancelled", "cancellable": False, "retryable": False})
        sent = (reply for number, reply in reversed(world.answers.sent) if number == key)
        wanted = next(sent, api.ReplyIn(body=message.text))
        world.answers.saved += 1
        there = files(world, key, wanted.attachments)
        draft = api.Draft(**wanted.model_dump(), files=there, version=world.answers.saved, updated_at=datetime.now(UTC))
        world.answers.drafts[key] = draft
        world.messages[key][index] = _cancelled(message)
        return world.messages[key][index]


def answer_of(
    world: World, key: int, wanted: api.ReplyIn, actor: str, message_id: str, kind: Literal["reply", "comment"] = "reply"
) -> api.Message:
    """The answer as it is shown while it waits."""
    ticket, now = world.tickets[key], datetime.now(UTC)
    to, cc = [ticket.sender or ""], ticket.watchers if wanted.cc is None else wanted.cc
    files = [item for item in world.answers.uploads.values() if item.id in wanted.attachments]
    return api.Message(
        id=message_id,
        kind=kind,
        direction="out",
        sender=actor,
        text=wanted.body,
        attachments=[api.AttachmentView(**item.model_dump()) for item in files],
        mode=OutgoingMode(wanted.mode),
        recipients=to,
        cc=cc,
        delivery=DeliveryState.QUEUED,
        deliveries=[api.DeliveryView(recipient=one, state=DeliveryState.QUEUED, at=now) for one in [*to, *cc]],
        undo_until=now + timedelta(seconds=world.answers.undo_seconds),
        created_at=now,
    )


def _cancelled(message: api.Message) -> api.Message:
    gone: dict[str, Any] = {"state": DeliveryState.CANCELLED, "detail": "Taken back"}
    deliveries = [item.model_copy(update=gone) for item in message.deliveries]
    return message.model_copy(update={"delivery": DeliveryState.CANCELLED, "deliveries": deliveries, "undo_until": None})
