"""The webhooks' paths of the stand-in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request

from shared import api
from shared.http import ProblemError
from tests.kit.stand_in_world import World, changed, one

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def serve_webhooks(app: FastAPI, world: World) -> None:
    @app.get("/webhooks")
    def index() -> api.Page[api.Webhook]:
        return api.Page(items=list(world.webhooks.values()))

    @app.post("/webhooks", status_code=201)
    def create(wanted: api.WebhookIn, request: Request) -> api.Webhook:
        by = request.headers["x-actor"]
        made = api.Webhook(id=str(uuid4()), created_by=by, created_at=datetime.now(UTC), **wanted.model_dump())
        world.webhooks[made.id] = made
        return made.model_copy(update={"secret": SECRET})

    @app.get("/webhooks/{key}")
    def read(key: str) -> api.Webhook:
        return one(world.webhooks, key, "webhook")

    @app.patch("/webhooks/{key}")
    def change(key: str, patch: api.WebhookPatch) -> api.Webhook:
        fields = patch.model_dump(exclude_unset=True, exclude={"new_secret"})
        if patch.new_secret:
            fields["previous_secret_until"] = datetime.now(UTC) + timedelta(hours=24)
        made = changed(world.webhooks, key, fields)
        return made.model_copy(update={"secret": SECRET}) if patch.new_secret else made

    @app.delete("/webhooks/{key}", status_code=204)
    def delete(key: str) -> None:
        world.webhooks.pop(key)

    _serve_deliveries(app, world)


def _serve_deliveries(app: FastAPI, world: World) -> None:
    @app.get("/webhooks/{key}/deliveries")
    def told(key: str, state: str = "") -> api.Page[api.WebhookDelivery]:
        return api.Page(items=[item for item in world.webhook_calls.values() if item.webhook_id == key and state in {"", item.state}])

    @app.post("/webhooks/{key}/test")
    def test(key: str) -> api.WebhookDelivery:
        good = key == "w1"
        values: dict[str, Any] = (
            {"state": "delivered", "status": 204} if good else {"state": "failed", "error": "No answer within 15 seconds."}
        )
        return api.WebhookDelivery(id="t1", webhook_id=key, type="webhook.test", tries=1, created_at=datetime.now(UTC), **values)

    @app.post("/webhooks/{key}/deliveries/{call}/retry", status_code=202)
    def retry(key: str, call: str) -> api.WebhookDelivery:
        if not one(world.webhooks, key, "webhook").enabled:
            raise ProblemError(409, "Switched off", "The webhook is switched off; switch it on first.")
        found = one(world.webhook_calls, call, "delivery")
        world.webhook_calls[call] = found.model_copy(update={"state": "waiting", "next_try_at": datetime.now(UTC)})
        return world.webhook_calls[call]
