"""Whether a mail is one of those that were erased: known by the digest of its sender's address and by when it came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import address_digest

LOCK: Final = 0x4D43_0010
"""Advisory lock: shared by every transaction that brings mails in, exclusive before an erasure's first step. So whatever was brought in
by somebody who did not know of the erasure yet is committed, and found, when its steps begin."""

_COVERED: Final = text(
    """
    select pg_advisory_xact_lock_shared(:lock),
           (select jsonb_object_agg(digest, before) from (
               select digest, max(before) as before from erased where digest = any(cast(:digests as text[])) group by digest
           ) found) as found
    """
)
_FENCE: Final = text("select pg_advisory_xact_lock(:lock)")


class Refusals:
    """The erased among the senders that were asked about."""

    def __init__(self, before: Mapping[str, datetime]) -> None:
        self._before = before

    def covers(self, address: str | None, received_at: datetime) -> bool:
        """Whether a mail from this address that came then was erased. What the person writes later is ordinary."""
        before = self._before.get(_folded(address))
        return before is not None and received_at <= before

    def knows(self, address: str | None) -> bool:
        """Whether the address was erased at any time."""
        return _folded(address) in self._before

    def __bool__(self) -> bool:
        return bool(self._before)


def _folded(address: str | None) -> str:
    return (address or "").strip().casefold()


async def refusals(conn: AsyncConnection, addresses: Iterable[str | None]) -> Refusals:
    """One indexed query for a batch, whatever its length, and none for a batch without senders."""
    digests = {address_digest(one): _folded(one) for one in addresses if one}
    if not digests:
        return Refusals({})
    row = (await conn.execute(_COVERED, {"lock": LOCK, "digests": list(digests)})).one()
    return Refusals({digests[digest]: datetime.fromisoformat(at) for digest, at in (row.found or {}).items()})


async def fence(conn: AsyncConnection) -> None:
    """Wait for all transactions that asked before the erasure was known; held until the transaction ends."""
    await conn.execute(_FENCE, {"lock": LOCK})
