"""`/scanners/{id}/oauth` and `/oauth/callback`: somebody signs in at a mailbox's provider."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from fetcher.adapters.scanners import scan_now
from fetcher.api.scanners import found_scanner
from fetcher.tokens import holder_of
from shared.api import OAuthCallbackIn, OAuthSignedIn, OAuthSignIn, OAuthSignInIn
from shared.http import Actor
from shared.oauth.model import Holder
from shared.oauth.sign_in import Holders, SignIns
from shared.oauth.tokens import Tokens
from shared.secrets import KeyRing


class OAuthApi:
    """Whoever has signed in has the mailbox scanned at once."""

    def __init__(self, engine: AsyncEngine, keys: KeyRing, tokens: Tokens) -> None:
        self._sign_ins = SignIns(engine, keys, tokens, Holders(_mailbox, scan_now))

    def router(self) -> APIRouter:
        """All paths."""
        router = APIRouter()
        router.post("/scanners/{scanner_id}/oauth")(self.begin)
        router.post("/oauth/callback")(self.callback)
        return router

    async def begin(self, scanner_id: str, body: OAuthSignInIn, actor: Actor) -> OAuthSignIn:
        return await self._sign_ins.begin(scanner_id, body, actor)

    async def callback(self, body: OAuthCallbackIn, actor: Actor) -> OAuthSignedIn:
        return await self._sign_ins.end(body, actor)


async def _mailbox(conn: AsyncConnection, scanner_id: str) -> Holder | None:
    scanner = await found_scanner(conn, scanner_id)
    return holder_of(scanner) if scanner.oauth is not None else None
