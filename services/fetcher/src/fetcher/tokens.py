"""Access tokens of mailboxes."""

from __future__ import annotations

import contextlib

from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters.imap.errors import NoTokenError
from fetcher.adapters.leases import Lease
from fetcher.adapters.scanners import ScannerRow
from fetcher.adapters.tables import OAUTH
from shared.api import OAuthFields, OAuthProvider
from shared.oauth.model import IMAP, Holder
from shared.oauth.refusals import OAuthError, ProviderRefusedError
from shared.oauth.store import TokenStore
from shared.oauth.tokens import Tokens
from shared.observability import TOKEN_EXPIRY
from shared.secrets import KeyRing

STORE = TokenStore(OAUTH)


class MailboxTokens:
    """One object per process."""

    def __init__(self, engine: AsyncEngine, keys: KeyRing) -> None:
        self.tokens = Tokens(engine, keys, STORE, IMAP)

    async def access_token(self, scanner: ScannerRow, lease: Lease | None = None, *, refused: str = "") -> str:
        """Good for some minutes. `refused`: one that the mail server did not take, so that another is needed.

        Raises NoTokenError, LeaseLostError, SecretUnreadableError.
        """
        row = await self.tokens.row(scanner.id)
        if lease is not None and row is not None and row.expires_at is not None:
            TOKEN_EXPIRY.labels(scanner.id).set(row.expires_at.timestamp())
        fence = lease.fence if lease is not None else None
        try:
            return await self.tokens.access_token(holder_of(scanner), row, refused=refused, fence=fence)
        except OAuthError as error:
            raise NoTokenError(str(error), login=isinstance(error, ProviderRefusedError)) from error


def holder_of(scanner: ScannerRow) -> Holder:
    """A scanner with OAuth 2.0, as its provider knows it; providers of one's own may have a certificate of one's own."""
    oauth = OAuthFields.model_validate(scanner.oauth)
    ca_file = scanner.parameters.get("CA_FILE") if oauth.provider is OAuthProvider.OIDC else None
    return Holder(scanner.id, oauth, scanner.username, ca_file)


def let_go(scanner_id: str) -> None:
    """Another fetcher tells from now on when the mailbox's token ends."""
    with contextlib.suppress(KeyError):
        TOKEN_EXPIRY.remove(scanner_id)
