"""SMTP identities of the stand-in, and the own account of whoever asks."""

from __future__ import annotations

from uuid import uuid4

from fastapi import FastAPI

from shared import api
from shared.http import ProblemError, invalid
from tests.kit.stand_in_world import World, changed, new_sender, one

WORKS = api.TestResult(ok=True, message="Signed in as help@company.example.", steps=["Connected", "STARTTLS", "Signed in"])
REFUSED = api.TestResult(
    ok=False, message="The server refused the recipient.", steps=["MAIL FROM: 250 ok", "RCPT TO: 550 5.1.1 no such user here"]
)


def _tested(world: World, wanted: api.SenderTestIn | None) -> api.TestResult:
    """A test mail to nobody@… is refused."""
    to = wanted.to if wanted else None
    world.tested.append(to)
    return REFUSED if (to or "").startswith("nobody@") else WORKS


def serve_senders(app: FastAPI, world: World) -> None:
    """Its paths."""

    @app.get("/senders")
    def senders() -> api.Page[api.Sender]:
        return api.Page(items=list(world.senders.values()))

    @app.post("/senders", status_code=201)
    def create(wanted: api.SenderIn) -> api.Sender:
        values = wanted.model_dump(exclude={"password"})
        if wanted.oauth is not None:
            values |= {"oauth": wanted.oauth.model_dump(exclude={"client_secret", "refresh_token"})}
        made = new_sender(str(uuid4()), **values)
        world.senders[made.id] = made
        return made

    @app.get("/senders/{key}")
    def sender(key: str) -> api.Sender:
        return one(world.senders, key, "sender")

    @app.patch("/senders/{key}")
    def change(key: str, patch: api.SenderPatch) -> api.Sender:
        fields = patch.model_dump(exclude_unset=True, exclude={"password"})
        if patch.oauth is not None:
            world.secrets[key] = patch.oauth.model_dump(include={"client_secret"}, exclude_none=True)
            fields |= {"oauth": patch.oauth.model_dump(exclude={"client_secret", "refresh_token"})}
        return changed(world.senders, key, fields)

    @app.post("/senders/{key}/test")
    def test(key: str, wanted: api.SenderTestIn | None = None) -> api.TestResult:
        one(world.senders, key, "sender")
        return _tested(world, wanted)

    @app.delete("/senders/{key}", status_code=204)
    def delete(key: str) -> None:
        if key == "smtp-1":
            raise ProblemError(409, "Still used", "The mailbox Support answers by it; choose another one there first.")
        world.senders.pop(key)

    _serve_own(app, world)


def _serve_own(app: FastAPI, world: World) -> None:
    @app.get("/me/sender")
    def own() -> api.PersonalSender:
        if world.own_sender is None:
            raise ProblemError(404, "No own SMTP account", "PUT /me/sender sets one.")
        return world.own_sender

    @app.put("/me/sender")
    def set_own(wanted: api.PersonalSenderIn) -> api.PersonalSender:
        if wanted.auth == "password" and not wanted.password and world.own_sender is None:
            raise invalid([("password", "is needed: none is saved for this server and user name")])
        world.own_sender = api.PersonalSender(id="own", **wanted.model_dump(exclude={"password"}))
        return world.own_sender

    @app.delete("/me/sender", status_code=204)
    def forget() -> None:
        world.own_sender = None

    @app.post("/me/sender/test")
    def test_own(wanted: api.SenderTestIn | None = None) -> api.TestResult:
        return _tested(world, wanted)
