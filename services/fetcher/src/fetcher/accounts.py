"""How to sign in to a scanner's mailbox: its settings, with the secrets opened."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters.imap.account import Account
from fetcher.adapters.leases import Lease
from fetcher.adapters.scanners import ScannerRow
from fetcher.domain.parameters import read_parameters
from fetcher.settings import Settings
from fetcher.tokens import MailboxTokens
from shared.api import SslMethod, SslType
from shared.secrets import KeyRing


def password_place(scanner_id: str) -> str:
    """What a sealed password is bound to."""
    return f"scanner:{scanner_id}:password"


def address_of(scanner: ScannerRow) -> str:
    """The mailbox's own address: as set, else the user name where that is one."""
    return str(scanner.address or (scanner.username if "@" in scanner.username else ""))


class Accounts:
    """One object per process."""

    def __init__(self, settings: Settings, keys: KeyRing, engine: AsyncEngine) -> None:
        self.tokens = MailboxTokens(engine, keys)
        self._settings = settings
        self._keys = keys

    async def of(self, scanner: ScannerRow, lease: Lease | None = None, *, refused: str = "") -> Account:
        """With an access token that is good for some minutes. Raises SecretUnreadableError, and what `access_token` raises."""
        by_token = scanner.auth == "oauth2"
        parameters = read_parameters(scanner.parameters, oauth=by_token)
        password = "" if by_token or not scanner.password else self._keys.decrypt(scanner.password, password_place(scanner.id))
        return Account(
            server=scanner.server,
            port=scanner.port,
            username=scanner.username,
            password=password,
            ssl_type=SslType(scanner.ssl_type),
            ssl_method=SslMethod(scanner.ssl_method),
            parameters=parameters,
            connect_timeout=parameters.connect_timeout or self._settings.connect_timeout_seconds,
            read_timeout=parameters.read_timeout or self._settings.read_timeout_seconds,
            access_token=await self.tokens.access_token(scanner, lease, refused=refused) if by_token else "",
        )
