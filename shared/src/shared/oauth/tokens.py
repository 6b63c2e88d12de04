"""Access tokens: the stored one while it is good, a new one ahead of its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.clock import utc_now
from shared.oauth.model import Client, Holder, Purpose, Secrets, Token, due
from shared.oauth.providers import CALL_SECONDS, Providers
from shared.oauth.refusals import OAuthError, ProviderAwayError, ProviderRefusedError
from shared.oauth.store import TokenStore
from shared.observability import TOKEN_RENEWALS, get_logger
from shared.secrets import KeyRing

log = get_logger("tokens")

CLAIM_SECONDS = 4 * CALL_SECONDS
"""Longer than discovery and renewal together: whoever holds the claim has ended by then."""
AWAY_PAUSE_S = 10.0
"""A provider that is away is left alone for so long by one holder."""
OTHERS_SECONDS = 5.0
"""How long a renewal by somebody else is waited for."""
ASK_EVERY_S = 0.25

Fence = Callable[[AsyncConnection], Awaitable[None]]
"""Raises, in the transaction of a claim, where its caller may not renew."""


@dataclass(frozen=True)
class Manners:
    """How often a provider is asked for what it or the mail server has refused."""

    refused_pause_s: float = 0
    """A refused sign-in is not tried again for so long. None: whoever asks waits by himself."""
    replace_after: timedelta = timedelta()
    """A token that the mail server does not take is replaced when it is older: a new one would be refused as well."""


class Tokens:
    """One object per process. Of several processes that want to renew one holder's token, one does."""

    def __init__(self, engine: AsyncEngine, keys: KeyRing, store: TokenStore, purpose: Purpose, manners: Manners | None = None) -> None:
        self.providers = Providers()
        self.store = store
        self.purpose = purpose
        self._engine = engine
        self._keys = keys
        self._manners = manners or Manners()
        self._renewing: set[asyncio.Task[str]] = set()

    async def run(self) -> None:
        """Until cancelled; then waits for renewals under way: a rotated refresh token that is not written down is lost."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._renewing:
                await asyncio.wait(self._renewing, timeout=CALL_SECONDS)

    async def row(self, holder_id: str) -> Row[Any] | None:
        """What is kept of a holder."""
        async with self._engine.connect() as conn:
            return (await self.store.of(conn, [holder_id])).get(holder_id)

    async def access_token(self, holder: Holder, row: Row[Any] | None, *, refused: str = "", fence: Fence | None = None) -> str:
        """Good for some minutes. `row` as just read; `refused`: one that the mail server did not take, so that another is needed.

        Raises ProviderAwayError or ProviderRefusedError, SecretUnreadableError, and what the fence raises.
        """
        if row is None or not self.client(holder, row).signed_in:
            words = f"Nobody has signed in to this {self.purpose.thing} yet: sign in on its page, or enter a refresh token."
            raise ProviderRefusedError(words)
        return self._fresh(row, refused) or await self._renew(holder, refused, fence)

    def client(self, holder: Holder, row: Row[Any]) -> Client:
        """The holder as its provider knows it. Raises SecretUnreadableError."""
        secrets = Secrets(self._opened(row, "client_secret"), self._opened(row, "refresh_token"))
        return Client(holder.oauth, secrets, self.purpose, holder.username, holder.ca_file)

    def sealed(self, holder_id: str, token: Token) -> dict[str, str]:
        """Columns to write; a refresh token that the provider did not replace stays as it is."""
        secrets = {"access_token": token.access_token} | ({"refresh_token": token.refresh_token} if token.refresh_token else {})
        return {name: self._keys.encrypt(value, self.store.place(holder_id, name)) for name, value in secrets.items()}

    def _opened(self, row: Row[Any], name: str) -> str:
        value = getattr(row, name)
        return self._keys.decrypt(value, self.store.place(self.store.holder_of(row), name)) if value else ""

    def _usable(self, row: Row[Any], refused: str) -> str:
        """The stored token while it lasts, empty otherwise."""
        if row.expires_at is None or row.expires_at <= utc_now():
            return ""
        stored = self._opened(row, "access_token")
        replaced = stored == refused and utc_now() - row.renewed_at >= self._manners.replace_after
        return "" if replaced else stored

    def _fresh(self, row: Row[Any], refused: str) -> str:
        """The stored token while it lasts and needs no renewal, empty otherwise."""
        stored = self._usable(row, refused)
        return "" if due(utc_now(), row.renewed_at, row.expires_at) else stored

    async def _renew(self, holder: Holder, refused: str, fence: Fence | None) -> str:
        async with self._engine.begin() as conn:
            if fence is not None:
                await fence(conn)
            claimed = await self.store.claim(conn, holder.id, CLAIM_SECONDS)
            fresh = self._fresh(claimed, refused) if claimed is not None else ""
            if claimed is not None and fresh:  # somebody was quicker
                await self.store.release(conn, claimed)
                return fresh
        if claimed is None:
            return await self._of_another(holder, refused)
        task = asyncio.create_task(self._renewed(holder, claimed, refused))
        self._renewing.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[str]) -> None:
        self._renewing.discard(task)
        if not task.cancelled():
            task.exception()  # who asked may be gone

    async def _renewed(self, holder: Holder, claimed: Row[Any], refused: str) -> str:
        """To its end, whatever becomes of who asked.

        Written down by the claim alone, without the fence: what was got with the old refresh token may be all that is good from now on.
        """
        try:
            token = await self.providers.renew(self.client(holder, claimed))
        except ProviderAwayError as error:
            await self._failed(claimed, error, "away", AWAY_PAUSE_S)
            stored = self._usable(claimed, refused)
            if stored:
                return stored
            raise
        except ProviderRefusedError as error:
            await self._failed(claimed, error, "refused", self._manners.refused_pause_s)
            raise
        async with self._engine.begin() as conn:
            await self.store.renewed(conn, claimed, self.sealed(holder.id, token), token.seconds)
        TOKEN_RENEWALS.labels("ok").inc()
        about = {self.store.tables.holder: holder.id, "seconds": token.seconds, "rotated": bool(token.refresh_token)}
        log.info("access token renewed", **about)
        return token.access_token

    async def _failed(self, claimed: Row[Any], error: OAuthError, result: str, pause: float) -> None:
        TOKEN_RENEWALS.labels(result).inc()
        about = {self.store.tables.holder: self.store.holder_of(claimed), "result": result, "error": str(error)}
        log.warning("access token not renewed", **about)
        async with self._engine.begin() as conn:
            await self.store.failed(conn, claimed, str(error), pause)

    async def _of_another(self, holder: Holder, refused: str) -> str:
        """Somebody else renews, or the provider is left alone for a moment."""
        ends = asyncio.get_running_loop().time() + OTHERS_SECONDS
        while True:
            row = await self.row(holder.id)
            stored = self._usable(row, refused) if row is not None else ""
            if stored:
                return stored
            if row is None or row.renew_after is None or row.error or asyncio.get_running_loop().time() > ends:
                raise ProviderAwayError((row and row.error) or "A new access token is being got: it is tried again by itself.")
            await asyncio.sleep(ASK_EVERY_S)
