"""A stand-in for the services behind the console's pages: their paths and bodies, a memory, and one of each state worth seeing.

What it answers are the models of `shared.api`, so a page that reads a field the services do not have fails here too.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response

from shared import api
from shared.http import ProblemError, install_problems
from tests.kit.stand_in_answers import serve_answers
from tests.kit.stand_in_erasures import serve_erasures
from tests.kit.stand_in_fetcher import serve_fetcher
from tests.kit.stand_in_outgoing import serve_outgoing
from tests.kit.stand_in_registry import serve_registry
from tests.kit.stand_in_rules import serve_rules
from tests.kit.stand_in_senders import serve_senders
from tests.kit.stand_in_simulations import serve_simulations
from tests.kit.stand_in_spam import serve_spam
from tests.kit.stand_in_templates import serve_templates
from tests.kit.stand_in_tickets import serve_tickets
from tests.kit.stand_in_webhooks import serve_webhooks
from tests.kit.stand_in_world import SERVICE_HOSTS, World


def stand_in(world: World) -> FastAPI:
    """The application; it refuses the next change with `world.refuse` when a test sets it."""
    app = FastAPI()
    install_problems(app)
    parts = (
        serve_fetcher,
        serve_rules,
        serve_simulations,
        serve_spam,
        serve_tickets,
        serve_answers,
        serve_outgoing,
        serve_erasures,
        serve_registry,
        serve_senders,
        serve_templates,
        _serve_all,
        serve_webhooks,
    )
    for add in parts:
        add(app, world)

    @app.middleware("http")
    async def refuse(request: Request, call_next: Any) -> Any:
        refusal, world.refuse = (world.refuse, None) if request.method != "GET" else (None, world.refuse)
        if refusal is not None:
            return Response(refusal.problem.model_dump_json(), refusal.status, media_type="application/problem+json")
        return await call_next(request)

    return app


def _serve_all(app: FastAPI, world: World) -> None:
    def service(request: Request) -> str:
        host = request.headers["host"].partition(":")[0]
        return next(name for name, address in SERVICE_HOSTS.items() if address == host)

    @app.get("/health/ready")
    def ready(request: Request) -> Response:
        checks = '{"database": "ok", "kafka": "ok", "consumers": "ok"}'
        if service(request) == "notifier":
            return Response('{"status": "not ready", "checks": {"database": "ok", "kafka": "not connected", "consumers": "ok"}}', 503)
        return Response(f'{{"status": "ok", "checks": {checks}}}')

    @app.get("/dead-letters")
    def letters(request: Request) -> api.Page[api.DeadLetter]:
        return api.Page(items=world.letters.get(service(request), []))

    @app.post("/dead-letters/{key}/retry")
    def retry(key: str) -> dict[str, str]:
        raise ProblemError(409, "It failed again", "RecursionError: 200 nested parts")

    @app.post("/dead-letters/{key}/drop")
    def drop(key: str, wanted: api.DropRequest, request: Request) -> dict[str, str]:
        world.letters[service(request)] = []
        return {"id": key, "state": "dropped"}
