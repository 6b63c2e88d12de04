"""The fetcher's part of the stand-in, and a provider to sign in with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from shared import api
from shared.http import ProblemError
from tests.kit.stand_in_mailboxes import new_scanner
from tests.kit.stand_in_world import World, changed, one

PROVIDER_HOST = "127.0.0.6"
"""Another site than the console, as a provider is."""
SECRETS = {"password": True, "oauth": {"client_secret", "refresh_token"}}


def serve_fetcher(app: FastAPI, world: World) -> None:
    """Its paths."""
    for add in (_serve_scanners, _serve_state, _serve_folders, _serve_sign_in, _serve_mails):
        add(app, world)


def _serve_scanners(app: FastAPI, world: World) -> None:
    @app.get("/scanners")
    def scanners() -> api.Page[api.Scanner]:
        return api.Page(items=list(world.scanners.values()))

    @app.post("/scanners", status_code=201)
    def create(wanted: api.ScannerIn) -> api.Scanner:
        signing_in = api.OAuthState(signed_in=False) if wanted.oauth else None
        made = new_scanner(str(uuid4()), **_settings(wanted), state=api.ScannerState(oauth=signing_in))
        world.scanners[made.id] = made
        world.secrets[made.id] = _secrets(wanted)
        return made

    @app.get("/scanners/{key}")
    def scanner(key: str) -> api.Scanner:
        return one(world.scanners, key, "scanner")

    @app.patch("/scanners/{key}")
    def change(key: str, patch: api.ScannerPatch) -> api.Scanner:
        world.secrets.setdefault(key, {}).update(_secrets(patch))
        made = changed(world.scanners, key, _settings(patch))
        if made.oauth is not None and made.state.oauth is None:
            made.state.oauth = api.OAuthState(signed_in=False)
        return made

    @app.delete("/scanners/{key}", status_code=204)
    def delete(key: str) -> None:
        world.scanners.pop(key)


def _settings(given: api.ScannerIn | api.ScannerPatch) -> dict[str, Any]:
    return given.model_dump(exclude_unset=True, exclude=SECRETS)  # type: ignore[arg-type]  # a mapping of its fields


def _secrets(given: api.ScannerIn | api.ScannerPatch) -> dict[str, str]:
    secrets = {"password": given.password, "client_secret": given.oauth.client_secret if given.oauth else None}
    return {name: value for name, value in secrets.items() if value}


def _serve_state(app: FastAPI, world: World) -> None:
    @app.post("/scanners/{key}/test")
    def test(key: str) -> api.TestResult:
        steps = ["Connected to imap.company.example:993", "TLS 1.3, the certificate is valid until 2027-03-01"]
        if key == "billing":
            return api.TestResult(
                ok=False, message="The server refused the login: [AUTHENTICATIONFAILED] Invalid credentials.", steps=steps
            )
        return api.TestResult(ok=True, message="Signed in as help@company.example.", steps=[*steps, "Signed in", "INBOX has 1,204 mails"])

    @app.post("/scanners/{key}/scan", status_code=202)
    def scan(key: str) -> api.Job:
        return world.jobs["fetcher-1"]

    @app.get("/scanners/{key}/scans")
    def scans(key: str, limit: int = 50) -> api.Page[api.ScanRecord]:
        return api.Page(items=world.scans.get(key, [])[:limit])

    @app.get("/jobs/{key}")
    def job(key: str) -> api.Job:
        return one(world.jobs, key, "job")


def _serve_folders(app: FastAPI, world: World) -> None:
    @app.get("/scanners/{key}/folders")
    def folders(key: str) -> api.FolderList:
        if key == "billing":
            raise ProblemError(502, "The mailbox cannot be read", "The server refused the login of billing@company.example.")
        listed = [folder for folder in world.tree if not folder.missing or key == "renamed"]
        return api.FolderList(items=[folder.model_copy(update={"selected": _is_selected(folder)}) for folder in listed])

    def _is_selected(folder: api.Folder) -> bool:
        return folder.name in world.folders or folder.missing

    @app.put("/scanners/{key}/folders")
    def select(key: str, wanted: api.FolderSelection) -> api.FolderList:
        world.folders = wanted.selected
        return folders(key)


def _serve_sign_in(app: FastAPI, world: World) -> None:
    @app.post("/scanners/{key}/oauth")
    def begin(key: str, wanted: api.OAuthSignInIn, request: Request) -> api.OAuthSignIn:
        world.sign_ins[state := uuid4().hex] = (key, wanted.redirect_uri)
        port = request.headers["host"].rpartition(":")[2]
        return api.OAuthSignIn(url=world.provider or f"http://{PROVIDER_HOST}:{port}/authorize?{urlencode({'state': state})}")

    @app.get("/authorize")
    def authorize(state: str) -> Response:
        """The provider's page. Providers redirect on the way, so this one does."""
        return Response(status_code=302, headers={"Location": f"/consent?{urlencode({'state': state})}"})

    @app.get("/consent")
    def consent(state: str) -> Response:
        back = world.sign_ins[state][1]
        yes, no = (f"{back}?{urlencode({'state': state} | answer)}" for answer in ({"code": "c-1"}, {"error": "access_denied"}))
        page = f'<title>Provider</title><h1>Provider</h1><a href="{yes}">Allow</a> <a href="{no}">Deny</a>'.replace("&", "&amp;")
        return HTMLResponse(page)

    @app.post("/oauth/callback")
    def end(came: api.OAuthCallbackIn) -> api.OAuthSignedIn:
        key, _ = world.sign_ins.pop(came.state, ("", ""))
        if not key:
            raise ProblemError(400, "Not a sign-in", "This sign-in is not known, or was used before. Begin again on the mailbox's page.")
        if came.code is None:
            raise ProblemError(409, "Refused", f"The provider said: {came.error}. Sign in again, and allow the access.", scanner_id=key)
        expires = datetime.now(UTC) + timedelta(hours=1)
        tokens = api.OAuthState(signed_in=True, expires_at=expires, renewed_at=datetime.now(UTC))
        scanner = world.scanners[key]
        world.scanners[key] = scanner.model_copy(update={"state": scanner.state.model_copy(update={"oauth": tokens, "last_error": None})})
        return api.OAuthSignedIn(scanner_id=key)


def _serve_mails(app: FastAPI, world: World) -> None:
    @app.get("/mails")
    def mails(q: str = "", outcome: str = "", scanner_id: str = "") -> api.Page[api.Mail]:
        fits = [
            mail
            for mail in world.mails.values()
            if q.lower() in mail.subject.lower() and (not outcome or (mail.outcome and mail.outcome.type == outcome))
        ]
        return api.Page(items=[mail for mail in fits if scanner_id in {"", mail.scanner_id}])

    @app.get("/mails/{key}")
    def mail(key: str) -> api.Mail:
        return one(world.mails, key, "mail")

    @app.get("/mails/{key}/raw")
    def raw(key: str) -> Response:
        return Response(b"Subject: raw\r\n\r\n", media_type="message/rfc822", headers={"Content-Disposition": "attachment"})

    @app.post("/mails/{key}/retry", status_code=202)
    def retry(key: str) -> api.Mail:
        world.mails[key] = one(world.mails, key, "mail").model_copy(update={"outcome": None})
        return world.mails[key]
