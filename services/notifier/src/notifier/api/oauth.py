"""`/senders/{id}/oauth` and `/oauth/callback`: somebody signs in at an SMTP server's provider; and the settings that needs."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from notifier.adapters import ledger
from notifier.adapters.senders import Senders
from notifier.tokens import SenderTokens, holder_of
from shared.api import SENDER_STATE, OAuthCallbackIn, OAuthSignedIn, OAuthSignIn, OAuthSignInIn
from shared.http import Actor, not_found
from shared.oauth.model import Holder
from shared.oauth.sign_in import Holders, SignIns
from shared.secrets import KeyRing


class _OAuthApi:
    def __init__(self, sign_ins: SignIns) -> None:
        self._sign_ins = sign_ins

    async def begin(self, sender_id: str, body: OAuthSignInIn, actor: Actor) -> OAuthSignIn:
        return await self._sign_ins.begin(sender_id, body, actor)

    async def callback(self, body: OAuthCallbackIn, actor: Actor) -> OAuthSignedIn:
        return await self._sign_ins.end(body, actor)


def oauth_router(engine: AsyncEngine, ring: KeyRing, identities: Senders, tokens: SenderTokens) -> APIRouter:
    """Whoever has signed in has the mails that waited for it sent at once."""

    async def find(conn: AsyncConnection, sender_id: str) -> Holder | None:
        sender = await identities.get(conn, sender_id)
        if sender is None:
            raise not_found("sender", sender_id)
        return holder_of(sender) if sender.auth == "oauth2" and sender.oauth is not None else None

    async def go_on(conn: AsyncConnection, sender_id: str) -> None:
        await identities.change(conn, sender_id, {}, None)
        await ledger.wake(conn)

    api = _OAuthApi(SignIns(engine, ring, tokens.tokens, Holders(find, go_on, SENDER_STATE)))
    router = APIRouter()
    router.add_api_route("/senders/{sender_id}/oauth", api.begin, methods=["POST"])
    router.add_api_route("/oauth/callback", api.callback, methods=["POST"])
    return router
