"""`/scanners/{id}/oauth` and `/oauth/callback`: somebody signs in at the provider (RFC 6749, 4.1, with PKCE)."""

from __future__ import annotations

import secrets
from typing import Any, NoReturn
from urllib.parse import urlsplit

from fastapi import APIRouter
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters import token_store
from fetcher.adapters.imap.errors import MailboxError
from fetcher.adapters.oauth import ProviderRefusedError
from fetcher.api.scanners import found_scanner
from fetcher.api.views import invalid
from fetcher.domain.oauth import Client, Token, refusal_words
from fetcher.tokens import Tokens
from shared.api import OAuthCallbackIn, OAuthGrant, OAuthSignedIn, OAuthSignIn, OAuthSignInIn
from shared.http import Actor, ProblemError
from shared.observability import get_logger
from shared.secrets import KeyRing, SecretUnreadableError

log = get_logger("api")


class OAuthApi:
    """The console sends a browser away and hands over what it comes back with."""

    def __init__(self, engine: AsyncEngine, keys: KeyRing, tokens: Tokens) -> None:
        self._engine = engine
        self._keys = keys
        self._tokens = tokens

    def router(self) -> APIRouter:
        """All paths."""
        router = APIRouter()
        router.post("/scanners/{scanner_id}/oauth")(self.begin)
        router.post("/oauth/callback")(self.callback)
        return router

    async def begin(self, scanner_id: str, body: OAuthSignInIn, actor: Actor) -> OAuthSignIn:
        """Where to sign in. The settings must be saved before."""
        if urlsplit(body.redirect_uri).scheme not in {"https", "http"} or "#" in body.redirect_uri:
            raise invalid([("redirect_uri", "must be the console's own URL, without a fragment")])
        async with self._engine.connect() as conn:
            scanner = await found_scanner(conn, scanner_id)
            row = (await token_store.of(conn, [scanner_id])).get(scanner_id)
        client = self._client(scanner, row)
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        try:
            url = await self._tokens.providers.sign_in_url(client, body.redirect_uri, state, verifier)
        except MailboxError as error:
            raise ProblemError(502, "The provider cannot be asked", str(error)) from error
        sealed = self._keys.encrypt(verifier, token_store.verifier_place(state))
        async with self._engine.begin() as conn:
            await token_store.begin_sign_in(conn, state, scanner_id, sealed, body.redirect_uri)
        log.info("sign-in begun", scanner=scanner_id, actor=actor)
        return OAuthSignIn(url=url)

    async def callback(self, body: OAuthCallbackIn, actor: Actor) -> OAuthSignedIn:
        """Keep the tokens; the mailbox is scanned at once. A state is good once, whatever comes of it."""
        async with self._engine.begin() as conn:
            begun = await token_store.end_sign_in(conn, body.state)
        if begun is None:
            raise ProblemError(410, "This sign-in is over", "It was ended already, or took longer than ten minutes: begin it again.")
        if body.error is not None or body.code is None:
            _refused(
                begun.scanner_id,
                refusal_words(body.error or "access_denied", body.error_description) or "The provider asks to come again later.",
            )
        async with self._engine.connect() as conn:
            scanner = await found_scanner(conn, begun.scanner_id)
            row = (await token_store.of(conn, [scanner.id])).get(scanner.id)
        token = await self._exchange(self._client(scanner, row), begun, body.code)
        async with self._engine.begin() as conn:
            await token_store.signed_in(conn, scanner.id, self._tokens.sealed(scanner.id, token), token.seconds)
        log.info("signed in", scanner=scanner.id, actor=actor)
        return OAuthSignedIn(scanner_id=scanner.id)

    def _client(self, scanner: Row[Any], row: Row[Any] | None) -> Client:
        if scanner.oauth is None or row is None or scanner.oauth["grant"] != OAuthGrant.REFRESH_TOKEN:
            raise ProblemError(409, "Nobody signs in to this mailbox", "Save it with auth oauth2 and grant refresh_token first.")
        try:
            return self._tokens.client(scanner, row)
        except SecretUnreadableError as error:
            raise ProblemError(409, "The saved secrets cannot be read", str(error)) from error

    async def _exchange(self, client: Client, begun: Row[Any], code: str) -> Token:
        try:
            verifier = self._keys.decrypt(begun.verifier, token_store.verifier_place(begun.state))
            token = await self._tokens.providers.exchange(client, code, begun.redirect_uri, verifier)
        except ProviderRefusedError as error:
            _refused(begun.scanner_id, str(error))
        except (MailboxError, SecretUnreadableError) as error:
            raise ProblemError(502, "The provider cannot be asked", str(error), scanner_id=begun.scanner_id) from error
        if not token.refresh_token:
            words = "The provider gave no refresh token, so the sign-in would end within the hour: allow offline access for this client"
            _refused(begun.scanner_id, f"{words} (scope offline_access), then sign in again.")
        return token


def _refused(scanner_id: str, words: str) -> NoReturn:
    raise ProblemError(409, "Nobody was signed in", words, scanner_id=scanner_id)
