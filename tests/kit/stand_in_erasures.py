"""The stand-in's erasures: one done, one under way, and those a test asks for."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import FastAPI, Request

from shared import api
from shared.http import ProblemError
from tests.kit.stand_in_mailboxes import ago
from tests.kit.stand_in_world import World, one

SERVICES = ("fetcher", "rules", "tickets", "notifier")
OWN = "help@company.example"


def erasures() -> dict[str, api.Erasure]:
    """What was asked for before."""
    done = api.Erasure(
        id="e1",
        state="done",
        requested_by="user:otto@company.example",
        created_at=ago(days=4),
        finished_at=ago(days=4),
        parts=[part(name) for name in SERVICES],
    )
    running = api.Erasure(
        id="e2",
        address="carla.with-a-rather-long-name@a-long-domain.customer.example",
        state="running",
        requested_by="user:otto@company.example",
        created_at=ago(minutes=1),
        parts=[part("fetcher")],
        waiting_for=["rules", "tickets", "notifier"],
    )
    return {done.id: done, running.id: running}


def part(service: str) -> api.ErasurePart:
    """A service's report."""
    kept = ["Kafka keeps the events of mail.raw, mail.outcomes until 2026-12-23 (30 days)."] if service == "tickets" else []
    removed = {"mails": 3, "mails_of_others": 1} if service != "rules" else {}
    return api.ErasurePart(service=service, removed=removed, kept=kept, finished_at=datetime.now(UTC))


def serve_erasures(app: FastAPI, world: World) -> None:
    """`/erasures`, in the world's memory."""
    world.erasures.update(erasures())

    @app.get("/erasures")
    def index() -> api.Page[api.Erasure]:
        return api.Page(items=sorted(world.erasures.values(), key=lambda item: item.created_at, reverse=True))

    @app.post("/erasures", status_code=202)
    def start(wanted: api.ErasureIn, request: Request) -> api.Job:
        if wanted.address == OWN:
            raise ProblemError(409, "A mailbox of your own", f"{OWN} is the address of a mailbox of yours. Delete the mailbox instead.")
        made = api.Erasure(
            id="e3",
            address=wanted.address,
            state="running",
            requested_by=request.headers["x-actor"],
            created_at=datetime.now(UTC),
            waiting_for=list(SERVICES),
        )
        world.erasures[made.id] = made
        return api.Job(id="tickets-e3", state="running", done=0, total=4, result={"erasure_id": made.id})

    @app.get("/erasures/{key}")
    def read(key: str) -> api.Erasure:
        return one(world.erasures, key, "erasure")
