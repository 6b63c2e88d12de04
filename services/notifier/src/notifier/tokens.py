"""Access tokens of SMTP identities: got when a connection is made, and renewed ahead of time where nothing is sent."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncEngine

from notifier.adapters.by_token import NoSignInError, TokenSource
from notifier.adapters.tables import OAUTH, SENDERS
from shared.api import OAuthFields
from shared.clock import utc_now
from shared.oauth.model import SMTP, Holder, due
from shared.oauth.refusals import OAuthError
from shared.oauth.store import TokenStore
from shared.oauth.tokens import Manners, Tokens
from shared.observability import RETRIES, SENDER_TOKEN_EXPIRY, get_logger
from shared.secrets import KeyRing, SecretUnreadableError

log = get_logger("tokens")

STORE = TokenStore(OAUTH)
MANNERS = Manners(refused_pause_s=300, replace_after=timedelta(minutes=5))
"""Mails are tried again every minute or two; the provider is not asked as often for what it or the server refuses."""
LOOK_EVERY_S = 30.0


class SenderTokens:
    """One object per process."""

    def __init__(self, engine: AsyncEngine, ring: KeyRing) -> None:
        self.tokens = Tokens(engine, ring, STORE, SMTP, MANNERS)
        self._engine = engine
        self._told: set[str] = set()

    def source(self, sender: Row[Any]) -> TokenSource:
        """Of an identity with OAuth 2.0."""
        holder = holder_of(sender)

        async def token(refused: str) -> str:
            try:
                return await self.tokens.access_token(holder, await self.tokens.row(holder.id), refused=refused)
            except (OAuthError, SecretUnreadableError) as error:
                raise NoSignInError(str(error)) from None

        return token

    async def keep_fresh(self) -> None:
        """For ever: a sign-in that nobody uses ends by itself at some providers, and is to be noticed before a mail waits for it."""
        while True:
            try:
                await self._renew_due()
            except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                RETRIES.labels("tokens", type(error).__name__).inc()
                log.warning("tokens are not looked at", error=str(error)[:500])
            await asyncio.sleep(LOOK_EVERY_S)

    async def _renew_due(self) -> None:
        """What was refused is tried again when a mail needs it."""
        query = select(SENDERS.c.id, SENDERS.c.username, SENDERS.c.oauth, OAUTH.tokens).join(OAUTH.tokens)
        async with self._engine.connect() as conn:
            rows = (await conn.execute(query.where(SENDERS.c.auth == "oauth2", OAUTH.tokens.c.expires_at.is_not(None)))).all()
        self._tell({row.id: row.expires_at.timestamp() for row in rows})
        for row in rows:
            lasts = row.error is None or row.expires_at > utc_now()
            if lasts and due(utc_now(), row.renewed_at, row.expires_at):
                with contextlib.suppress(NoSignInError):  # it is told in the identity's state
                    await self.source(row)("")

    def _tell(self, ends: dict[str, float]) -> None:
        for gone in self._told - ends.keys():
            SENDER_TOKEN_EXPIRY.remove(gone)
        for sender_id, end in ends.items():
            SENDER_TOKEN_EXPIRY.labels(sender_id).set(end)
        self._told = set(ends)


def holder_of(sender: Row[Any]) -> Holder:
    """An identity with OAuth 2.0, as its provider knows it."""
    return Holder(sender.id, OAuthFields.model_validate(sender.oauth), sender.username)
