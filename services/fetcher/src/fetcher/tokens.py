"""Access tokens of mailboxes: the stored one while it is good, a new one ahead of its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters import token_store
from fetcher.adapters.imap.errors import MailboxError
from fetcher.adapters.leases import Lease
from fetcher.adapters.oauth import CALL_SECONDS, ProviderAwayError, ProviderRefusedError, Providers
from fetcher.adapters.scanners import ScannerRow
from fetcher.domain.oauth import Client, Secrets, Token, due
from shared.api import OAuthFields, OAuthProvider
from shared.clock import utc_now
from shared.observability import TOKEN_EXPIRY, TOKEN_RENEWALS, get_logger
from shared.secrets import KeyRing

log = get_logger("tokens")

CLAIM_SECONDS = 4 * CALL_SECONDS
"""Longer than discovery and renewal together: whoever holds the claim has ended by then."""
AWAY_PAUSE_S = 10.0
"""A provider that is away is left alone for so long by one mailbox."""
OTHERS_SECONDS = 5.0
"""How long a renewal by somebody else is waited for."""
ASK_EVERY_S = 0.25
NOBODY = "Nobody has signed in to this mailbox yet: sign in on the mailbox's page, or enter a refresh token."


class Tokens:
    """One object per process. Of several processes that want to renew one mailbox's token, one does."""

    def __init__(self, engine: AsyncEngine, keys: KeyRing) -> None:
        self.providers = Providers()
        self._engine = engine
        self._keys = keys
        self._renewing: set[asyncio.Task[str]] = set()

    async def run(self) -> None:
        """Until cancelled; then waits for renewals under way: a rotated refresh token that is not written down is lost."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._renewing:
                await asyncio.wait(self._renewing, timeout=CALL_SECONDS)

    async def access_token(self, scanner: ScannerRow, lease: Lease | None = None, *, refused: str = "") -> str:
        """Good for some minutes. `refused`: one that the mail server did not take, so that another is needed.

        Raises ProviderAwayError or ProviderRefusedError, LeaseLostError, SecretUnreadableError.
        """
        async with self._engine.connect() as conn:
            row = (await token_store.of(conn, [scanner.id])).get(scanner.id)
        if row is None or not self.client(scanner, row).signed_in:
            raise ProviderRefusedError(NOBODY)
        if lease is not None and row.expires_at is not None:
            TOKEN_EXPIRY.labels(scanner.id).set(row.expires_at.timestamp())
        return self._fresh(row, refused) or await self._renew(scanner, lease, refused)

    def client(self, scanner: ScannerRow, row: Row[Any]) -> Client:
        """The mailbox as its provider knows it. Raises SecretUnreadableError."""
        oauth = OAuthFields.model_validate(scanner.oauth)
        secrets = Secrets(self._opened(row, "client_secret"), self._opened(row, "refresh_token"))
        ca_file = scanner.parameters.get("CA_FILE") if oauth.provider is OAuthProvider.OIDC else None
        return Client(oauth, secrets, scanner.username, ca_file)

    def sealed(self, scanner_id: str, token: Token) -> dict[str, str]:
        """Columns to write; a refresh token that the provider did not replace stays as it is."""
        secrets = {"access_token": token.access_token} | ({"refresh_token": token.refresh_token} if token.refresh_token else {})
        return {name: self._keys.encrypt(value, token_store.place(scanner_id, name)) for name, value in secrets.items()}

    def _opened(self, row: Row[Any], name: str) -> str:
        value = getattr(row, name)
        return self._keys.decrypt(value, token_store.place(row.scanner_id, name)) if value else ""

    def _usable(self, row: Row[Any], refused: str) -> str:
        """The stored token while it lasts, empty otherwise."""
        if row.expires_at is None or row.expires_at <= utc_now():
            return ""
        stored = self._opened(row, "access_token")
        return "" if stored == refused else stored

    def _fresh(self, row: Row[Any], refused: str) -> str:
        """The stored token while it lasts and needs no renewal, empty otherwise."""
        stored = self._usable(row, refused)
        return "" if due(utc_now(), row.renewed_at, row.expires_at) else stored

    async def _renew(self, scanner: ScannerRow, lease: Lease | None, refused: str) -> str:
        async with self._engine.begin() as conn:
            if lease is not None:
                await lease.fence(conn)
            claimed = await token_store.claim(conn, scanner.id, CLAIM_SECONDS)
            fresh = self._fresh(claimed, refused) if claimed is not None else ""
            if claimed is not None and fresh:  # somebody was quicker
                await token_store.release(conn, claimed)
                return fresh
        if claimed is None:
            return await self._of_another(scanner, refused)
        task = asyncio.create_task(self._renewed(scanner, claimed, refused))
        self._renewing.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[str]) -> None:
        self._renewing.discard(task)
        if not task.cancelled():
            task.exception()  # who asked may be gone

    async def _renewed(self, scanner: ScannerRow, claimed: Row[Any], refused: str) -> str:
        """To its end, whatever becomes of who asked.

        Written down by the claim alone, without the lease: what was got with the old refresh token may be all that is good from now on.
        """
        try:
            token = await self.providers.renew(self.client(scanner, claimed))
        except ProviderAwayError as error:
            await self._failed(claimed, error, "away", AWAY_PAUSE_S)
            stored = self._usable(claimed, refused)
            if stored:
                return stored
            raise
        except MailboxError as error:
            await self._failed(claimed, error, "refused", 0)
            raise
        async with self._engine.begin() as conn:
            await token_store.renewed(conn, claimed, self.sealed(scanner.id, token), token.seconds)
        TOKEN_RENEWALS.labels("ok").inc()
        log.info("access token renewed", scanner=scanner.id, seconds=token.seconds, rotated=bool(token.refresh_token))
        return token.access_token

    async def _failed(self, claimed: Row[Any], error: MailboxError, result: str, pause: float) -> None:
        TOKEN_RENEWALS.labels(result).inc()
        log.warning("access token not renewed", scanner=claimed.scanner_id, result=result, error=str(error))
        async with self._engine.begin() as conn:
            await token_store.failed(conn, claimed, str(error), pause)

    async def _of_another(self, scanner: ScannerRow, refused: str) -> str:
        """Somebody else renews, or the provider is left alone for a moment."""
        ends = asyncio.get_running_loop().time() + OTHERS_SECONDS
        while True:
            async with self._engine.connect() as conn:
                row = (await token_store.of(conn, [scanner.id])).get(scanner.id)
            stored = self._usable(row, refused) if row is not None else ""
            if stored:
                return stored
            if row is None or row.renew_after is None or row.error or asyncio.get_running_loop().time() > ends:
                raise ProviderAwayError((row and row.error) or "A new access token is being got: it is tried again by itself.")
            await asyncio.sleep(ASK_EVERY_S)


def let_go(scanner_id: str) -> None:
    """Another fetcher tells from now on when the mailbox's token ends."""
    with contextlib.suppress(KeyError):
        TOKEN_EXPIRY.remove(scanner_id)
