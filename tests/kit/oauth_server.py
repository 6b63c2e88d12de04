"""A small OAuth 2.0 server of a test's own, over HTTP on loopback: it gives tokens, takes them back, and misbehaves when told to.

Authorization code with PKCE (RFC 6749, 7636), refresh tokens that rotate, client credentials, introspection (RFC 7662), discovery.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.kit.serving import Serving

CLIENT_ID = "mail-converter"
CLIENT_SECRET = "client-secret-of-the-tests"


class RefusedError(Exception):
    """An error answer of the token endpoint (RFC 6749, 5.2)."""


@dataclass
class Switches:
    """How it behaves from now on."""

    life: int = 3600
    """Seconds of an access token."""
    refuse: str = ""
    """Error code for every request of a token."""
    away: bool = False
    """Answers 503 to clients; a mail server is still told about tokens."""
    rotate: bool = True
    """Whether a refresh token is good once, and the answer carries the next."""
    deny: bool = False
    """Whether the person says no."""
    offline: bool = True
    """Whether a sign-in gives a refresh token."""
    padding: int = 0
    """Bytes that its configuration is longer."""
    authentication: str = "client_secret_post"
    """How a client shows its secret (RFC 6749, 2.3.1)."""


@dataclass
class OAuthServer(Serving):
    """Everybody who is sent to it signs in at once, as `user`."""

    user: str = "anna@company.example"
    switches: Switches = field(default_factory=Switches)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Every request: path and parameters."""
    _access: dict[str, tuple[str, float]] = field(default_factory=dict)
    _refresh: dict[str, str] = field(default_factory=dict)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_GET(self) -> None:
                outer._answer(self, dict(parse_qsl(urlsplit(self.path).query)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer._answer(self, dict(parse_qsl(body.decode())))

            def log_message(self, *_: object) -> None:
                """Nothing: pytest shows what a test prints."""

        self._server = self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        return super().__enter__()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def introspection(self) -> str:
        """Where a mail server asks about a token."""
        return f"{self.issuer}/introspect"

    def refresh_token(self, user: str = "") -> str:
        """As if somebody had signed in before."""
        token = secrets.token_urlsafe(24)
        self._refresh[token] = user or self.user
        return token

    def knows(self, refresh_token: str) -> bool:
        """Whether it would still give an access token for it."""
        return refresh_token in self._refresh

    def revoke_access(self) -> None:
        """All access tokens end before their time."""
        self._access.clear()

    def count(self, path: str) -> int:
        """Requests to a path."""
        return sum(asked == path for asked, _ in self.asked)

    # --- endpoints ------------------------------------------------------------------------------------------------------------------

    def _answer(self, request: BaseHTTPRequestHandler, values: dict[str, str]) -> None:
        path = urlsplit(request.path).path
        self.asked.append((path, values))
        if self.switches.away and path != "/introspect":
            _send(request, 503, {"error": "temporarily_unavailable"})
        elif path == "/authorize":
            self._authorize(request, values)
        else:
            _send(request, *self._reply(path, values | _basic(request)))

    def _reply(self, path: str, values: dict[str, str]) -> tuple[int, dict[str, Any]]:
        replies = {"/token": self._token, "/introspect": self._introspect, "/.well-known/openid-configuration": self._configuration}
        try:
            return 200, replies[path](values)
        except KeyError as error:
            return 404, {"error": f"there is no {error}"}
        except RefusedError as error:
            return 400, {"error": str(error), "error_description": f"told to say {error}"}

    def _configuration(self, _: dict[str, str]) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "introspection_endpoint": self.introspection,
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [self.switches.authentication],
            "padding": "x" * self.switches.padding,
        }

    def _authorize(self, request: BaseHTTPRequestHandler, values: dict[str, str]) -> None:
        back = {"state": values["state"]}
        if self.switches.deny:
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe(16)
            self._codes[back["code"]] = values
        request.send_response(302)
        request.send_header("Location", f"{values['redirect_uri']}?{urlencode(back)}")
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _token(self, values: dict[str, str]) -> dict[str, Any]:
        if self.switches.refuse:
            raise RefusedError(self.switches.refuse)
        if values.get("client_id") != CLIENT_ID or values.get("client_secret") not in {None, CLIENT_SECRET}:
            raise RefusedError("invalid_client")
        grant = values["grant_type"]
        if grant == "client_credentials":
            if values.get("client_secret") != CLIENT_SECRET:
                raise RefusedError("invalid_client")
            return self._tokens(self.user, None)
        if grant == "refresh_token":
            return self._refreshed(values.get("refresh_token", ""))
        return self._exchanged(values)

    def _refreshed(self, token: str) -> dict[str, Any]:
        user = self._refresh.get(token)
        if user is None:
            raise RefusedError("invalid_grant")
        if not self.switches.rotate:
            return self._tokens(user, None)
        del self._refresh[token]
        return self._tokens(user, self.refresh_token(user))

    def _exchanged(self, values: dict[str, str]) -> dict[str, Any]:
        begun = self._codes.pop(values.get("code", ""), None)
        digest = hashlib.sha256(values.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if begun is None or begun["redirect_uri"] != values["redirect_uri"] or begun["code_challenge"] != challenge:
            raise RefusedError("invalid_grant")
        return self._tokens(self.user, self.refresh_token() if self.switches.offline else None)

    def _tokens(self, user: str, refresh: str | None) -> dict[str, Any]:
        access = secrets.token_urlsafe(24)
        self._access[access] = (user, time.time() + self.switches.life)
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": self.switches.life}
        return answer | ({"refresh_token": refresh} if refresh else {})

    def _introspect(self, values: dict[str, str]) -> dict[str, Any]:
        user, until = self._access.get(values.get("token", ""), ("", 0.0))
        return {"active": True, "username": user} if until > time.time() else {"active": False}


def _basic(request: BaseHTTPRequestHandler) -> dict[str, str]:
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if kind != "Basic":
        return {}
    client, _, secret = base64.b64decode(encoded).decode().partition(":")
    return {"client_id": client, "client_secret": secret}


def _send(request: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(raw)))
    request.end_headers()
    request.wfile.write(raw)
