"""OAuth 2.0 from the provider to the mail: a local OAuth server, and an SMTP server that asks it about each token."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from shared.events import OutgoingMail, ScannerSettings
from tests.integration.notifier.parts import Bus, Handler, Notifier, ScriptedServer, answer, sender_body
from tests.kit.eventually import eventually, eventually_async
from tests.kit.oauth_server import CLIENT_ID, CLIENT_SECRET, OAuthServer

pytestmark = pytest.mark.connected
USER = "help@help.example"
CALLBACK = "https://console.company.example/oauth/callback"


class TokenHandler(Handler):
    """Lets in whoever has a token that the provider knows."""

    def __init__(self, provider: OAuthServer) -> None:
        super().__init__()
        self.provider = provider
        self.ways: list[str] = []
        self.tokens: list[str] = []

    async def handle_MAIL(self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802 -- aiosmtpd's name
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 -- aiosmtpd's name
        return await self._let_in(server, "XOAUTH2", args, "user=")

    async def auth_OAUTHBEARER(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 -- aiosmtpd's name
        return await self._let_in(server, "OAUTHBEARER", args, "n,a=")

    async def _let_in(self, server: SMTP, way: str, args: list[str], before_user: str) -> AuthResult:
        first, *others = base64.b64decode(args[1]).decode().split("\x01")
        token = next(one for one in others if one.startswith("auth=Bearer ")).removeprefix("auth=Bearer ")
        self.ways.append(way)
        self.tokens.append(token)
        asked = await asyncio.to_thread(httpx.post, self.provider.introspection, data={"token": token}, timeout=10)
        good = asked.json().get("username") == first.removeprefix(before_user).rstrip(",") == USER
        if not good:
            await server.challenge_auth(b'{"status":"invalid_token"}')
        return AuthResult(success=good, handled=False)


@pytest.fixture
def provider() -> Iterator[OAuthServer]:
    with OAuthServer(user=USER) as server:
        yield server


def server_of(provider: OAuthServer, *, without: str = "") -> ScriptedServer:
    server = ScriptedServer(auth_require_tls=False, auth_exclude_mechanism=["PLAIN", "LOGIN", without])
    server.handler = TokenHandler(provider)
    server.start()
    return server


@pytest.fixture
def by_token(provider: OAuthServer) -> Iterator[ScriptedServer]:
    server = server_of(provider)
    yield server
    server.stop()


async def identity(notifier: Notifier, bus: Bus, server: ScriptedServer, provider: OAuthServer, **oauth: Any) -> tuple[str, str]:
    """Ids of an SMTP identity and of a mailbox that answers by it; its person has signed in, unless `oauth` says otherwise."""
    settings = {"provider": "oidc", "issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    settings |= {"refresh_token": provider.refresh_token()} | oauth
    body = sender_body(server.port, auth="oauth2", username=USER, oauth=settings)
    sender_id, scanner_id = notifier.call("POST", "/senders", body).raise_for_status().json()["id"], str(uuid4())
    await bus.scanner(ScannerSettings(scanner_id=scanner_id, version=1, name="Help Desk", address=USER, sender_id=sender_id))
    return sender_id, scanner_id


def signed_in(url: str) -> dict[str, str]:
    """What the provider sends the browser back with."""
    return dict(parse_qsl(urlsplit(httpx.get(url, timeout=10).headers["Location"]).query))


def tokens_of(server: ScriptedServer) -> TokenHandler:
    assert isinstance(server.handler, TokenHandler)
    return server.handler


def becomes(notifier: Notifier, mail: OutgoingMail, state: str) -> dict[str, Any]:
    def reached() -> dict[str, Any] | None:
        known: dict[str, Any] = notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()
        return known if known.get("state") == state else None

    return eventually(reached, seconds=30, what=f"the mail is {state}")


@pytest.mark.parametrize(("without", "way"), [("OAUTHBEARER", "XOAUTH2"), ("XOAUTH2", "OAUTHBEARER")])
async def test_a_mail_leaves_by_access_token(
    notifier: Notifier, bus: Bus, provider: OAuthServer, log_file: Path, without: str, way: str
) -> None:
    server = server_of(provider, without=without)
    try:
        sender_id, box = await identity(notifier, bus, server, provider)
        mail = answer(4401, box)
        await bus.outgoing(mail)
        becomes(notifier, mail, "sent")
        assert notifier.call("POST", f"/senders/{sender_id}/test").json()["ok"]
        assert tokens_of(server).ways == [way] * 2
        assert provider.count("/token") == 1, "the test takes the token of the mail"
        logged = log_file.read_text()
        assert not [token for token in {CLIENT_SECRET, *tokens_of(server).tokens} if token in logged]
    finally:
        server.stop()


async def test_an_application_signs_in_by_itself(notifier: Notifier, bus: Bus, provider: OAuthServer, by_token: ScriptedServer) -> None:
    _, box = await identity(notifier, bus, by_token, provider, grant="client_credentials", refresh_token=None)
    mail = answer(4402, box)
    await bus.outgoing(mail)
    becomes(notifier, mail, "sent")
    assert next(values for path, values in provider.asked if path == "/token")["grant_type"] == "client_credentials"


async def test_a_token_that_was_revoked_is_renewed_and_the_rotated_refresh_token_kept(
    notifier: Notifier, bus: Bus, provider: OAuthServer, by_token: ScriptedServer
) -> None:
    sender_id, box = await identity(notifier, bus, by_token, provider)
    assert notifier.call("POST", f"/senders/{sender_id}/test").json()["ok"]
    for number in range(2):
        provider.revoke_access()
        # One that was got a moment ago is not replaced: the provider would be asked at every try.
        age = "update oauth set renewed_at = renewed_at - interval '6 minutes' where sender_id = %s returning sender_id"
        assert notifier.rows(age, sender_id)
        if number:
            assert notifier.call("POST", f"/senders/{sender_id}/test").json()["ok"], "the second refresh token was rotated too"
        else:
            mail = answer(4410, box)
            await bus.outgoing(mail)
            becomes(notifier, mail, "sent")
    assert len(set(tokens_of(by_token).tokens)) == provider.count("/token") == 3
    assert notifier.call("GET", f"/senders/{sender_id}").json()["oauth_state"]["error"] is None


async def test_a_mail_waits_for_the_sign_in_and_leaves_right_after_it(
    notifier: Notifier, bus: Bus, provider: OAuthServer, by_token: ScriptedServer
) -> None:
    sender_id, box = await identity(notifier, bus, by_token, provider, refresh_token=None)
    assert not notifier.call("GET", f"/senders/{sender_id}").json()["oauth_state"]["signed_in"]
    mail = answer(4403, box)
    await bus.outgoing(mail)
    assert "sign in" in becomes(notifier, mail, "delayed")["last_error"].lower()

    begun = notifier.call("POST", f"/senders/{sender_id}/oauth", {"redirect_uri": CALLBACK}).raise_for_status().json()
    came = signed_in(begun["url"])
    assert came["state"].startswith("sender.")
    ended = notifier.call("POST", "/oauth/callback", {"state": came["state"], "code": came["code"]})
    assert (ended.status_code, ended.json()["sender_id"]) == (200, sender_id)
    becomes(notifier, mail, "sent")
    again = notifier.call("POST", "/oauth/callback", {"state": came["state"], "code": came["code"]})
    assert again.status_code == 410
    assert notifier.call("GET", f"/senders/{sender_id}").json()["oauth_state"]["signed_in"]


async def test_who_must_sign_in_again_is_told_and_the_provider_left_alone(
    notifier: Notifier, bus: Bus, provider: OAuthServer, by_token: ScriptedServer
) -> None:
    provider.switches.refuse = "invalid_grant"
    sender_id, box = await identity(notifier, bus, by_token, provider)
    mail = answer(4404, box)
    await bus.outgoing(mail)
    assert "sign in again" in becomes(notifier, mail, "delayed")["last_error"]
    for _ in range(2):
        tested = notifier.call("POST", f"/senders/{sender_id}/test").json()
        assert (tested["ok"], "sign in again" in tested["message"]) == (False, True)
    assert provider.count("/token") == 1
    assert "sign in again" in notifier.call("GET", f"/senders/{sender_id}").json()["oauth_state"]["error"]
    assert by_token.handler.taken == []


class SlowProvider(OAuthServer):
    """Rotates the refresh token at once, and takes its time to say so."""

    def __init__(self, user: str) -> None:
        super().__init__(user=user)
        self.go_on = threading.Event()
        self.go_on.set()

    def _refreshed(self, token: str) -> dict[str, Any]:
        answer = super()._refreshed(token)
        self.go_on.wait(60)
        return answer


async def test_a_stop_in_the_middle_of_a_renewal_does_not_lose_the_rotated_refresh_token(notifier: Notifier, bus: Bus) -> None:
    with SlowProvider(USER) as provider:
        server = server_of(provider)
        try:
            sender_id, _ = await identity(notifier, bus, server, provider)
            assert notifier.call("POST", f"/senders/{sender_id}/test").json()["ok"]
            notifier.stop()
            assert notifier.rows("update oauth set expires_at = now() where sender_id = %s returning sender_id", sender_id)
            provider.go_on.clear()
            notifier.start()
            eventually(lambda: provider.count("/token") == 2, 30)
            stopping = asyncio.create_task(asyncio.to_thread(notifier.stop))
            await eventually_async(lambda: asyncio.to_thread(closed, notifier), 30)
            provider.go_on.set()
            await stopping
            notifier.start()
            provider.revoke_access()
            age = "update oauth set renewed_at = renewed_at - interval '6 minutes' where sender_id = %s returning sender_id"
            assert notifier.rows(age, sender_id)
            tested = notifier.call("POST", f"/senders/{sender_id}/test").json()
            assert tested["ok"], tested
        finally:
            provider.go_on.set()
            server.stop()


def closed(notifier: Notifier) -> bool:
    """It takes no requests any more."""
    try:
        notifier.call("GET", "/health/live")
    except httpx.TransportError:
        return True
    return False
