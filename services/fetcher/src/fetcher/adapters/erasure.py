"""The ledger without what a mail said: its place, size, SHA-256 and outcome stay, so that it is never fetched as new again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, bindparam, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters.tables import LEDGER
from shared.clock import utc_now
from shared.erasure.person import GONE_REASON, Person
from shared.erasure.refusals import refusals
from shared.events import OutcomeType

NOTHING_SAID: Final[Mapping[str, Any]] = {
    "message_id": None,
    "sender": "",
    "recipients": [],
    "subject": "",
    "conversation": None,
    "archive_key": None,
    "traceparent": None,
    "flag_wanted": False,
    "state": "done",
}
_LAST: Final = text("select max(number) from (select number from ledger where number > :after order by number limit :rows) part")
_NAMING: Final = text(
    """
    select number, id, state, seen_at > now() - :settling as fresh, sender, recipients, received_at, archive_key,
           outcome_type, outcome_reason
    from ledger
    where number > :after and number <= :last
      and (sender ilike :like or recipients::text ilike :like or outcome_reason ilike :like)
    order by number
    """
)
_ERASE: Final = text(
    """
    update ledger set message_id = null, sender = '', recipients = '[]', subject = '', conversation = null, archive_key = null,
        traceparent = null, flag_wanted = false, move_to = null, moving_to = null, move_error = null, state = 'done',
        outcome_type = coalesce(outcome_type, :dropped), outcome_run = coalesce(outcome_run, 1),
        outcome_revision = coalesce(outcome_revision, 0), outcome_at = coalesce(outcome_at, now()), outcome_reason = :reason,
        erased_at = now()
    where id = any(cast(:ids as text[]))
    """
)


async def without_erased(conn: AsyncConnection, lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """New lines; those of mails that were erased say nothing of them, and are not published."""
    senders = [_address(line["sender"]) for line in lines]
    refused = await refusals(conn, senders)
    if not refused:
        return list(lines)
    return [
        _erased(line) if refused.covers(sender, line["received_at"]) or (line.get("duplicate_of") and refused.knows(sender)) else line
        for line, sender in zip(lines, senders, strict=True)
    ]


def _erased(line: Mapping[str, Any]) -> dict[str, Any]:
    own = {"outcome_type": line.get("outcome_type") or OutcomeType.DROPPED.value, "outcome_run": 1, "outcome_revision": 0}
    return {**line, **NOTHING_SAID, **own, "outcome_reason": GONE_REASON, "erased_at": utc_now()}


def _address(sender: str) -> str:
    return sender.rpartition("<")[2].removesuffix(">") if sender.endswith(">") else sender


async def last_of(conn: AsyncConnection, after: int, rows: int) -> int | None:
    """Number of the last of the next so many lines; None where there are no more."""
    last: int | None = await conn.scalar(_LAST, {"after": after, "rows": rows})
    return last


async def naming(conn: AsyncConnection, person: Person, after: int, last: int, settling: timedelta) -> Sequence[Row[Any]]:
    """Lines with these numbers that may name the person; `fresh`: first seen less than `settling` ago."""
    return (await conn.execute(_NAMING, {"after": after, "last": last, "like": person.like, "settling": settling})).all()


async def erase(conn: AsyncConnection, ids: Sequence[str]) -> None:
    """Forget what these mails said. One without outcome is dropped."""
    await conn.execute(_ERASE, {"ids": list(ids), "dropped": OutcomeType.DROPPED.value, "reason": GONE_REASON})


async def put_recipients(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Of mails of others: `key`, `recipients` and `reason`."""
    if rows:
        values: dict[str, Any] = {"recipients": bindparam("recipients"), "outcome_reason": bindparam("reason")}
        await conn.execute(update(LEDGER).where(LEDGER.c.id == bindparam("key")).values(values), list(rows))
