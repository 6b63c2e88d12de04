"""The stand-in's spam list. Work on many tickets stands still half way until a test lets it end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from shared import api
from shared.http import ProblemError
from tests.kit.stand_in_world import World, one

OURS = "@company.example"
MANY = 100
"""More tickets than a page waits for."""


def finish_work(world: World) -> None:
    """What stands half way is done."""
    for key, job in world.jobs.items():
        world.jobs[key] = job.model_copy(update={"state": "done", "done": job.total})


def serve_spam(app: FastAPI, world: World) -> None:
    """Its rules in short: nobody at company.example is listed, no manual ticket is spam."""
    _serve_marking(app, world)
    _serve_list(app, world)


def _serve_marking(app: FastAPI, world: World) -> None:
    @app.post("/tickets/spam", status_code=202)
    def mark(wanted: api.SpamRequest) -> api.Job:
        found = [one(world.tickets, number, "ticket") for number in wanted.ticket_ids]
        if manual := [ticket.id for ticket in found if ticket.source == "manual"]:
            numbers = ", ".join(map(str, manual))
            detail = f"Ticket {numbers} was opened by hand: only tickets from mails can be spam. Nothing was done."
            raise ProblemError(409, "Not from a mail", detail, ticket_ids=manual)
        listed = sorted({_entry(ticket.sender or "", wanted.listing) for ticket in found} - {""})
        for ticket in found:
            world.tickets[ticket.id] = ticket.model_copy(update={"deleted": True})
        return _job(world, len(found), {"spammed": len(found), "skipped": [], "addresses": listed})


def _serve_list(app: FastAPI, world: World) -> None:
    @app.get("/spam-senders")
    def senders(q: str = "") -> api.Page[api.SpamSender]:
        return api.Page(items=[entry for entry in world.spam.values() if q.lower() in entry.address.lower()])

    @app.post("/spam-senders", status_code=201)
    def add(wanted: api.SpamSenderIn, request: Request) -> api.SpamSender:
        if wanted.address.lower().endswith(OURS):
            detail = f"{wanted.address} belongs to {OURS}, the domain of a mailbox of yours; a colleague's mails would be stopped."
            raise ProblemError(409, "One of your own people", detail)
        local, _, domain = wanted.address.rpartition("@")
        made = api.SpamSender(
            id=str(uuid4()),
            address=wanted.address if local else f"@{domain}",
            kind="address" if local else "domain",
            created_by=request.headers["x-actor"],
            created_at=datetime.now(UTC),
        )
        world.spam[made.id] = made
        return made

    @app.delete("/spam-senders/{key}", status_code=204)
    def remove(key: str, restore: bool = False) -> Response:
        one(world.spam, key, "entry of the spam list")
        world.spam.pop(key)
        if not restore:
            return Response(status_code=204)
        done = _job(world, 44, {"restored": 3, "released": 41, "kept": 0})
        return JSONResponse(done.model_dump(mode="json"), 202)


def _job(world: World, total: int, result: dict[str, Any]) -> api.Job:
    half = total >= MANY
    job = api.Job(
        id=f"tickets-{uuid4()}", state="running" if half else "done", done=total // 2 if half else total, total=total, result=result
    )
    world.jobs[job.id] = job
    return job


def _entry(sender: str, listing: str) -> str:
    if listing == "none" or not sender:
        return ""
    return sender if listing == "address" else "@" + sender.rpartition("@")[2]
