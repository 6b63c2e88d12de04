"""How many mails went out without a person in the last 24 hours: acknowledgements by recipient and by mailbox, notices by recipient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import TicketSettings
from shared.events import OutgoingMode
from tickets.adapters.desk_settings import NAME, read_settings
from tickets.adapters.tables import automatic_mails

SPAN: Final = timedelta(hours=24)
MAX_NOTICES: Final = 100
"""To one assignee. Work that fails is told also where no mail is acknowledged; the bound only keeps a fault from filling a mailbox."""
_LOCKS: Final = text(
    "select pg_advisory_xact_lock(k) from "
    "(select hashtextextended('automatic:' || n, 0) k from unnest(cast(:names as text[])) n order by 1) s"
)
_COUNTS: Final = text(
    """
    select (select count(*) from automatic_mails where recipient = :recipient and mode = :mode and at > :since) as to_recipient,
        (select count(*) from automatic_mails where scanner_id = :scanner and mode = :mode and at > :since) as of_mailbox,
        exists (select 1 from automatic_mails where id = :id) as counted
    """
)
_OLD: Final = text(
    """
    delete from automatic_mails where id in (
        select id from automatic_mails where at <= :since order by at limit 100 for update skip locked)
    """
)


@dataclass(frozen=True)
class Limits:
    """Acknowledgements in 24 hours."""

    per_recipient: int
    per_mailbox: int


@dataclass(frozen=True)
class Counted:
    """An automatic mail that wants to leave."""

    id: str
    recipient: str
    """As `counted_key` folds it."""
    scanner_id: str
    mode: OutgoingMode = OutgoingMode.ACKNOWLEDGEMENT

    @property
    def locks(self) -> tuple[str, ...]:
        if self.mode is OutgoingMode.NOTICE:
            return (f"notice:{self.recipient}",)
        return f"recipient:{self.recipient}", f"mailbox:{self.scanner_id}"


async def read_limits(conn: AsyncConnection) -> Limits:
    row = await read_settings(conn, NAME)
    fields = TicketSettings.model_fields
    value = {
        "automatic_per_sender": fields["automatic_per_sender"].default,
        "automatic_per_mailbox": fields["automatic_per_mailbox"].default,
    }
    value |= row.value if row else {}
    return Limits(value["automatic_per_sender"], value["automatic_per_mailbox"])


async def hold(conn: AsyncConnection, wanted: Iterable[Counted]) -> None:
    """Until the transaction ends, nobody else counts mails to these recipients or of these mailboxes.

    Taken for all that a transaction may send at once, after the rows of its tickets are locked.
    """
    names = {name for one in wanted for name in one.locks}
    if names:
        await conn.execute(_LOCKS, {"names": sorted(names)})


async def over_limit(conn: AsyncConnection, one: Counted, limits: Limits, at: datetime) -> str | None:
    """Count the mail, under `hold`; why it may not leave, in plain words, where that would be too many. One counted before may."""
    values = {"recipient": one.recipient, "scanner": one.scanner_id, "mode": one.mode, "since": at - SPAN, "id": one.id}
    counts = (await conn.execute(_COUNTS, values)).one()
    if counts.counted:
        return None
    if over := _over(one.mode, counts.to_recipient, counts.of_mailbox, limits):
        return over
    await conn.execute(_OLD, {"since": at - SPAN})
    row = {"id": one.id, "recipient": one.recipient, "scanner_id": one.scanner_id, "mode": one.mode, "at": at}
    await conn.execute(insert(automatic_mails).values(row))
    return None


def _over(mode: OutgoingMode, to_recipient: int, of_mailbox: int, limits: Limits) -> str | None:
    if mode is OutgoingMode.NOTICE:
        return f"{to_recipient} such notices went to this address in 24 hours, which are enough" if to_recipient >= MAX_NOTICES else None
    if to_recipient >= limits.per_recipient:
        return f"{to_recipient} automatic mails went to this address in 24 hours, as many as the settings allow"
    if of_mailbox >= limits.per_mailbox:
        return f"the mailbox sent {of_mailbox} automatic mails in 24 hours, as many as the settings allow"
    return None
