"""Somebody signs in at the provider (RFC 6749, 4.1, with PKCE): the console sends a browser away and hands over what it comes back with."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.api import OAuthCallbackIn, OAuthGrant, OAuthSignedIn, OAuthSignIn, OAuthSignInIn
from shared.http import ProblemError
from shared.oauth.model import Client, Holder, Token
from shared.oauth.refusals import OAuthError, ProviderRefusedError, refusal_words
from shared.oauth.store import verifier_place
from shared.oauth.tokens import Tokens
from shared.observability import get_logger
from shared.secrets import KeyRing, SecretUnreadableError

log = get_logger("api")


@dataclass(frozen=True)
class Holders:
    """What a service does for its own kind of holder."""

    find: Callable[[AsyncConnection, str], Awaitable[Holder | None]]
    """By its id; None where it does not sign in by OAuth 2.0. Raises ProblemError 404."""
    go_on: Callable[[AsyncConnection, str], Awaitable[None]]
    """Somebody has signed in: what waited for that is due now. In the transaction that keeps the tokens."""
    state_prefix: str = ""
    """Tells the console whose a state is."""


class SignIns:
    """Both halves of a sign-in."""

    def __init__(self, engine: AsyncEngine, keys: KeyRing, tokens: Tokens, holders: Holders) -> None:
        self._engine = engine
        self._keys = keys
        self._tokens = tokens
        self._store = tokens.store
        self._holders = holders

    async def begin(self, holder_id: str, body: OAuthSignInIn, actor: str) -> OAuthSignIn:
        """Where to sign in. The settings must be saved before."""
        if urlsplit(body.redirect_uri).scheme not in {"https", "http"} or "#" in body.redirect_uri:
            words = "must be the console's own URL, without a fragment"
            errors = [{"field": "redirect_uri", "message": words}]
            raise ProblemError(422, "The request is not valid", f"redirect_uri: {words}", errors=errors)
        client = await self._client(holder_id)
        state, verifier = self._holders.state_prefix + secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        try:
            url = await self._tokens.providers.sign_in_url(client, body.redirect_uri, state, verifier)
        except OAuthError as error:
            raise ProblemError(502, "The provider cannot be asked", str(error)) from error
        sealed = self._keys.encrypt(verifier, verifier_place(state))
        async with self._engine.begin() as conn:
            await self._store.begin_sign_in(conn, state, holder_id, sealed, body.redirect_uri)
        log.info("sign-in begun", **self._about(holder_id, actor))
        return OAuthSignIn(url=url)

    async def end(self, body: OAuthCallbackIn, actor: str) -> OAuthSignedIn:
        """Keep the tokens. A state is good once, whatever comes of it."""
        async with self._engine.begin() as conn:
            begun = await self._store.end_sign_in(conn, body.state)
        if begun is None:
            raise ProblemError(410, "This sign-in is over", "It was ended already, or took longer than ten minutes: begin it again.")
        holder_id = self._store.holder_of(begun)
        if body.error is not None or body.code is None:
            words = refusal_words(body.error or "access_denied", body.error_description, self._tokens.purpose)
            self._refused(holder_id, words or "The provider asks to come again later.")
        token = await self._exchange(await self._client(holder_id), begun, body.code)
        async with self._engine.begin() as conn:
            await self._holders.go_on(conn, holder_id)
            await self._store.signed_in(conn, holder_id, self._tokens.sealed(holder_id, token), token.seconds)
        log.info("signed in", **self._about(holder_id, actor))
        return OAuthSignedIn.model_validate({self._store.tables.column: holder_id})

    async def _client(self, holder_id: str) -> Client:
        async with self._engine.connect() as conn:
            holder = await self._holders.find(conn, holder_id)
            row = (await self._store.of(conn, [holder_id])).get(holder_id)
        if holder is None or row is None or holder.oauth.grant is not OAuthGrant.REFRESH_TOKEN:
            thing = self._tokens.purpose.thing
            raise ProblemError(409, f"Nobody signs in to this {thing}", "Save it with auth oauth2 and grant refresh_token first.")
        try:
            return self._tokens.client(holder, row)
        except SecretUnreadableError as error:
            raise ProblemError(409, "The saved secrets cannot be read", str(error)) from error

    async def _exchange(self, client: Client, begun: Row[Any], code: str) -> Token:
        holder_id = self._store.holder_of(begun)
        try:
            verifier = self._keys.decrypt(begun.verifier, verifier_place(begun.state))
            token = await self._tokens.providers.exchange(client, code, begun.redirect_uri, verifier)
        except ProviderRefusedError as error:
            self._refused(holder_id, str(error))
        except (OAuthError, SecretUnreadableError) as error:
            raise self._problem(502, "The provider cannot be asked", str(error), holder_id) from error
        if not token.refresh_token:
            words = "The provider gave no refresh token, so the sign-in would end within the hour: allow offline access for this client"
            self._refused(holder_id, f"{words} (scope offline_access), then sign in again.")
        return token

    def _refused(self, holder_id: str, words: str) -> NoReturn:
        raise self._problem(409, "Nobody was signed in", words, holder_id)

    def _problem(self, status: int, title: str, words: str, holder_id: str) -> ProblemError:
        return ProblemError(status, title, words, **{self._store.tables.column: holder_id})

    def _about(self, holder_id: str, actor: str) -> dict[str, str]:
        return {self._store.tables.holder: holder_id, "actor": actor}
