"""Speaks with providers of OAuth 2.0 tokens, over HTTP. No call lasts longer than CALL_SECONDS, no answer is larger than MOST_BYTES."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from functools import lru_cache
from typing import Any

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from shared.oauth.model import (
    DISCOVERY,
    Client,
    Endpoints,
    Purpose,
    Token,
    consent_request,
    known_endpoints,
    safe_url,
    scope_of,
    token_request,
)
from shared.oauth.refusals import CaFileError, ProviderAwayError, ProviderRefusedError, refusal_words

CALL_SECONDS = 15.0
MOST_BYTES = 256 * 1024
REMEMBER_SECONDS = 3600.0
MOST_ISSUERS = 1000
USUAL_LIFE_S = 3600
"""Of a token whose provider does not say (RFC 6749, 5.1 leaves it to him)."""


class Providers:
    """One object per process: it remembers what issuers say of themselves."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Endpoints, float]] = {}

    async def renew(self, client: Client) -> Token:
        """A new access token. Raises ProviderAwayError, ProviderRefusedError."""
        return await self._token(client, token_request(client))

    async def exchange(self, client: Client, code: str, redirect_uri: str, verifier: str) -> Token:
        """The tokens of somebody who has just signed in (RFC 6749, 4.1.3; RFC 7636, 4.5). Raises as `renew`."""
        values = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        return await self._token(client, values)

    async def sign_in_url(self, client: Client, redirect_uri: str, state: str, verifier: str) -> str:
        """Where a browser goes to sign in (RFC 6749, 4.1.1, with PKCE). Raises as `renew`."""
        authorize, oauth = (await self.endpoints(client)).authorize, client.oauth
        more = {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"} | consent_request(client)
        return str(prepare_grant_uri(authorize, oauth.client_id, "code", redirect_uri, scope_of(oauth, client.purpose), state, **more))

    async def endpoints(self, client: Client) -> Endpoints:
        """As everybody knows them, or as the issuer says (OpenID Connect Discovery 1.0, 4), which is remembered for an hour."""
        known = known_endpoints(client.oauth)
        if known is not None:
            return known
        issuer = client.oauth.issuer.rstrip("/")
        found, since = self._known.get(issuer, (None, 0.0))
        if found is None or time.monotonic() - since > REMEMBER_SECONDS:
            found = _endpoints(issuer, await _call(httpx.Request("GET", issuer + DISCOVERY), client))
            if len(self._known) >= MOST_ISSUERS:
                self._known.clear()
            self._known[issuer] = (found, time.monotonic())
        return found

    async def _token(self, client: Client, values: dict[str, str]) -> Token:
        endpoints = await self.endpoints(client)
        secret = client.secrets.client_secret
        method = "none" if not secret else "client_secret_basic" if endpoints.basic else "client_secret_post"
        body = prepare_token_request(**values)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        url, headers, body = ClientAuth(client.oauth.client_id, secret, method).prepare("POST", endpoints.token, headers, body)
        return _token(await _call(httpx.Request("POST", url, headers=headers, content=body), client))


async def _call(request: httpx.Request, client: Client) -> dict[str, Any]:
    host = request.url.host
    request.headers["Accept"] = "application/json"
    trust = _usual_trust() if client.ca_file is None else _trust(client.ca_file)
    try:
        async with asyncio.timeout(CALL_SECONDS), httpx.AsyncClient(verify=trust) as http:
            response = await http.send(request, stream=True)
            try:
                return _answer(host, response.status_code, await _read(response), client.purpose)
            finally:
                await response.aclose()
    except TimeoutError:
        raise ProviderAwayError(f"{host} did not answer within {CALL_SECONDS:.0f} s: it is tried again by itself.") from None
    except (httpx.HTTPError, OSError) as error:
        why = str(error)[:200] or type(error).__name__
        raise ProviderAwayError(f"{host} cannot be reached ({why}): it is tried again by itself.") from None


def _trust(ca_file: str) -> ssl.SSLContext:
    """The system's authorities, and a private one."""
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        raise CaFileError(error.strerror or "no certificate in it") from None
    return context


_usual_trust = lru_cache(maxsize=1)(ssl.create_default_context)
"""Reading all authorities takes longer than a token."""


async def _read(response: httpx.Response) -> bytes:
    found = bytearray()
    async for part in response.aiter_bytes():
        found += part
        if len(found) > MOST_BYTES:
            raise ProviderAwayError(f"{response.url.host} sent more than {MOST_BYTES // 1024} KiB, which is no answer of a token provider.")
    return bytes(found)


def _answer(host: str, status: int, raw: bytes, purpose: Purpose) -> dict[str, Any]:
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ProviderAwayError(f"{host} answered {status} and no JSON: check the issuer's URL if it lasts; it is tried again by itself.")
    if status >= 500 or status == 429:
        raise ProviderAwayError(f"{host} answered {status}: it is tried again by itself.")
    if "error" in answer or status >= 400:
        words = refusal_words(_text(answer.get("error")) or f"status {status}", _text(answer.get("error_description")), purpose)
        if words is None:
            raise ProviderAwayError(f"{host} asks to come again later: it is tried again by itself.")
        raise ProviderRefusedError(words)
    return answer


def _endpoints(issuer: str, answer: dict[str, Any]) -> Endpoints:
    """An issuer must name itself (OpenID Connect Discovery 1.0, 4.3): else somebody else's tokens could be asked for."""
    if _text(answer.get("issuer")).rstrip("/") != issuer:
        raise ProviderRefusedError("The issuer's configuration names another issuer: correct the URL so that both are the same.")
    methods = answer.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    basic = isinstance(methods, list) and "client_secret_post" not in methods
    found = Endpoints(_text(answer.get("authorization_endpoint")), _text(answer.get("token_endpoint")), basic)
    if not (safe_url(found.authorize) and safe_url(found.token)):
        raise ProviderRefusedError("The issuer's configuration names no endpoints by https: ask the provider.")
    return found


def _token(answer: dict[str, Any]) -> Token:
    access = _text(answer.get("access_token"))
    if not access or any(ord(char) < 33 or ord(char) > 126 for char in access):
        raise ProviderAwayError("The provider's answer holds no access token: it is tried again by itself.")
    try:
        seconds = min(max(int(answer.get("expires_in") or USUAL_LIFE_S), 1), 365 * 86_400)
    except (TypeError, ValueError):
        seconds = USUAL_LIFE_S
    return Token(access, seconds, _text(answer.get("refresh_token")))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
