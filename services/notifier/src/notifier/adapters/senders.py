"""SMTP identities and the scanners that use them. Passwords leave this module only as a `Server` to log in to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.by_token import TokenSource
from notifier.adapters.smtp import Server
from notifier.adapters.tables import OUTGOING, SCANNERS, SENDERS
from notifier.domain.compose import Identity
from shared.api import Sender, SenderLimits, SslMethod, SslType
from shared.events import ScannerSettings
from shared.oauth.settings import state_of
from shared.secrets import KeyRing

FIELDS = (
    *("name", "server", "port", "ssl_type", "ssl_method", "auth", "oauth", "username"),
    *("address", "display_name", "reply_to", "signature", "plus_addressing"),
)


class Senders:
    """Reads and writes on the caller's transaction."""

    def __init__(self, ring: KeyRing, tokens: Callable[[Row[Any]], TokenSource]) -> None:
        """`tokens`: where an identity with OAuth 2.0 has its access tokens from."""
        self._ring = ring
        self._tokens = tokens

    async def create(self, conn: AsyncConnection, sender_id: str, values: Mapping[str, Any], password: str) -> bool:
        """Insert; False and nothing done where the id is there already (the same request came twice)."""
        row = {"id": sender_id, **values, "password": self._sealed(sender_id, password)}
        made = await conn.execute(insert(SENDERS).values(row).on_conflict_do_nothing().returning(SENDERS.c.id))
        return made.first() is not None

    async def change(self, conn: AsyncConnection, sender_id: str, values: Mapping[str, Any], password: str | None) -> None:
        """Set the values given, raise the version, and let what waits for this identity go at once."""
        changed = dict(values) | ({} if password is None else {"password": self._sealed(sender_id, password)})
        changed |= {"version": SENDERS.c.version + 1, "updated_at": func.now()}
        await conn.execute(update(SENDERS).where(SENDERS.c.id == sender_id).values(changed))
        await release(conn, sender_id=sender_id)

    async def get(self, conn: AsyncConnection, sender_id: str, *, lock: bool = False) -> Row[Any] | None:
        query = select(SENDERS).where(SENDERS.c.id == sender_id)
        return (await conn.execute(query.with_for_update() if lock else query)).first()

    async def own(self, conn: AsyncConnection, owner: str, *, lock: bool = False) -> Row[Any] | None:
        """Somebody's own account."""
        query = select(SENDERS).where(SENDERS.c.owner == owner)
        return (await conn.execute(query.with_for_update() if lock else query)).first()

    async def page(self, conn: AsyncConnection, after: tuple[str, str] | None, limit: int) -> list[Row[Any]]:
        """Of mailboxes' identities, by name."""
        query = select(SENDERS).where(SENDERS.c.owner.is_(None)).order_by(SENDERS.c.name, SENDERS.c.id).limit(limit)
        if after is not None:
            query = query.where((SENDERS.c.name > after[0]) | ((SENDERS.c.name == after[0]) & (SENDERS.c.id > after[1])))
        return list((await conn.execute(query)).all())

    async def users(self, conn: AsyncConnection, sender_id: str) -> list[str]:
        """Names of the scanners that answer through it."""
        return list((await conn.scalars(select(SCANNERS.c.name).where(SCANNERS.c.sender_id == sender_id).order_by(SCANNERS.c.name))).all())

    async def some_address(self, conn: AsyncConnection, sender_id: str) -> str:
        """An address that mails leave from by an identity without one of its own; blank where no mailbox uses it."""
        query = select(SCANNERS.c.address).where(SCANNERS.c.sender_id == sender_id, SCANNERS.c.address != "").order_by(SCANNERS.c.name)
        return str(await conn.scalar(query.limit(1)) or "")

    async def remove(self, conn: AsyncConnection, sender_id: str) -> None:
        await conn.execute(delete(SENDERS).where(SENDERS.c.id == sender_id))

    def server(self, row: Row[Any]) -> Server:
        """Raises SecretUnreadableError where the key ring does not open the password."""
        password = self._ring.decrypt(row.password, _place(row.id)) if row.auth == "password" and row.password else None
        tokens = self._tokens(row) if row.auth == "oauth2" and row.oauth is not None else None
        username = None if row.auth == "none" else row.username
        return Server(row.server, row.port, SslType(row.ssl_type), SslMethod(row.ssl_method), username, password, tokens)

    def _sealed(self, sender_id: str, password: str) -> str | None:
        return self._ring.encrypt(password, _place(sender_id)) if password else None


def shown(row: Row[Any], tokens: Row[Any] | None = None) -> Sender:
    """Without secrets. `tokens`: what is kept of its sign-in by OAuth 2.0."""
    values = {name: getattr(row, name) for name in FIELDS} | {"oauth_state": state_of(row.auth, row.oauth, tokens)}
    values["limits"] = SenderLimits(connections=row.connections, per_minute=row.per_minute)
    return Sender(id=row.id, version=row.version, created_at=row.created_at, updated_at=row.updated_at, **values)


async def identities(conn: AsyncConnection, scanner_ids: Collection[str], sender: Row[Any]) -> dict[str, Identity]:
    """Who the answers of these scanners are from."""
    rows = (await conn.execute(select(SCANNERS).where(SCANNERS.c.id.in_(list(scanner_ids))))).all()
    known = {row.id: (row.name, row.address) for row in rows}
    return {scanner_id: _identity(*known.get(scanner_id, ("", "")), sender) for scanner_id in scanner_ids}


def _identity(name: str, address: str, sender: Row[Any]) -> Identity:
    return Identity(
        mailbox_name=name,
        mailbox_address=address,
        address=sender.address,
        display_name=sender.display_name,
        reply_to=sender.reply_to,
        signature=sender.signature,
        plus_addressing=sender.plus_addressing,
        personal=sender.owner is not None,
    )


async def save_scanner(conn: AsyncConnection, settings: ScannerSettings) -> None:
    """Keep what is needed of a scanner unless a newer version is known; what waited for its identity goes at once."""
    values = {"version": settings.version, "name": settings.name, "address": settings.address}
    values |= {"sender_id": settings.sender_id, "enabled": settings.enabled}
    statement = insert(SCANNERS).values(id=settings.scanner_id, **values)
    newer = SCANNERS.c.version <= statement.excluded.version
    kept = statement.on_conflict_do_update(index_elements=[SCANNERS.c.id], set_=values, where=newer).returning(SCANNERS.c.id)
    if (await conn.execute(kept)).first() is not None:
        await release(conn, scanner_id=settings.scanner_id)


async def remove_scanner(conn: AsyncConnection, scanner_id: str) -> None:
    await conn.execute(delete(SCANNERS).where(SCANNERS.c.id == scanner_id))


async def release(conn: AsyncConnection, *, scanner_id: str | None = None, sender_id: str | None = None) -> None:
    """Delayed mails of a scanner, or of all scanners of an identity and of the operator whose own account it is, are due now."""
    scanners = select(SCANNERS.c.id).where(SCANNERS.c.sender_id == sender_id) if scanner_id is None else [scanner_id]
    own = OUTGOING.c.owner.in_(select(SENDERS.c.owner).where(SENDERS.c.id == sender_id))
    chosen = (OUTGOING.c.scanner_id.in_(scanners) | own) & (OUTGOING.c.state == "delayed")
    await conn.execute(update(OUTGOING).where(chosen).values(next_try_at=func.now()))


def _place(sender_id: str) -> str:
    return f"sender:{sender_id}:password"
