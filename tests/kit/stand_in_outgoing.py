"""The notifier's part of the stand-in that tells of mails that leave: the ledger of a ticket's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from shared import api
from shared.http import ProblemError, not_found
from tests.kit.stand_in_mailboxes import ago

if TYPE_CHECKING:
    from tests.kit.stand_in_world import World


def ledger() -> list[api.OutgoingDetail]:
    """Of the answers of ticket 128: one was sent at once, one is tried again."""
    common: dict[str, Any] = {"ticket_id": 128, "message_id": "<a@company.example>", "subject": "Re: Invoice", "created_at": ago(hours=2)}
    common |= {"recipients": ["anna@customer.example"], "made": True}
    waits: dict[str, Any] = {"next_try_at": ago(hours=-5, minutes=-30), "last_error": "451 4.7.1 try later"}
    waits |= {"retryable": True, "cancellable": True}
    rows: list[dict[str, Any]] = [
        {"id": "m2", "state": "sent", "tries": 1, "aliases": ["<b@server.example>"], **_told("sent", "250 2.0.0 OK: queued", 1)},
        {"id": "m5", "state": "delayed", "tries": 3, **waits, **_told("delayed", "451 4.7.1 try later", 3)},
    ]
    return [api.OutgoingDetail.model_validate(common | row) for row in rows]


def _told(state: str, words: str, tries: int) -> dict[str, Any]:
    times = {"started_at": ago(hours=1), "ended_at": ago(minutes=59)}
    history = [{"number": number, "instance": "notifier-1", "state": state, "detail": words, **times} for number in range(tries, 0, -1)]
    return {"people": [{"address": "anna@customer.example", "state": state, "detail": words, "at": ago(hours=1)}], "history": history}


def _known(world: World, key: str) -> api.OutgoingDetail:
    if key not in world.outgoing:
        raise not_found("outgoing mail", key)
    return world.outgoing[key]


def serve_outgoing(app: FastAPI, world: World) -> None:
    """Its paths."""

    @app.get("/outgoing")
    def outgoing(ticket_id: int | None = None, state: str | None = None) -> api.Page[api.Outgoing]:
        known = world.outgoing.values()
        return api.Page(items=[item for item in known if ticket_id in {None, item.ticket_id} and state in {None, item.state}])

    @app.get("/outgoing/{key}")
    def detail(key: str) -> api.OutgoingDetail:
        return _known(world, key)

    @app.post("/outgoing/{key}/retry")
    def retry(key: str) -> api.Outgoing:
        if _known(world, key).state == "sent":
            raise ProblemError(409, "Nothing to retry", "The mail is sent; only a failed or delayed one is tried again.")
        world.outgoing[key].state = "queued"
        return world.outgoing[key]
