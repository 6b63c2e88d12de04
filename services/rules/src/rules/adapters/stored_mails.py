"""Mails that were decided before, to try rules on: which ones, what became of them, and their bytes from the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import cramjam
from obstore.exceptions import BaseError
from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters.tables import DECISIONS
from shared.api import ResultSide
from shared.api.simulations import MAX_SIMULATED
from shared.archive import Archive, BlobNotFoundError
from shared.messaging.errors import UnavailableError

UNKNOWN: Final = "this mailbox has no decided mail with this id"
MISSING: Final = "the archive has no such mail any more: restore it, then try again"
DAMAGED: Final = "the archived mail is damaged: restore it, then try again"
ARCHIVE_AWAY: Final = "the archive does not answer; try again when it does"


@dataclass(frozen=True)
class StoredMail:
    """A mail and its outcome. One that is not known has no `received_at`, one that was never received no `mail_id`."""

    mail_id: str | None
    received_at: datetime | None = None
    archive_key: str = ""
    before: ResultSide | None = None


class UnreadableError(Exception):
    """The archive cannot give this one mail; the text says why, for a person."""


async def newest(
    conn: AsyncConnection, scanner_id: str, limit: int = MAX_SIMULATED, since: datetime | None = None, until: datetime | None = None
) -> list[StoredMail]:
    """The scanner's decided mails received from `since` to before `until`, newest first."""
    query = _last_runs(scanner_id)
    if since is not None:
        query = query.where(DECISIONS.c.received_at >= since)
    if until is not None:
        query = query.where(DECISIONS.c.received_at < until)
    return [_mail(row) for row in await conn.execute(query.limit(limit))]


async def chosen(conn: AsyncConnection, scanner_id: str, mail_ids: Sequence[str]) -> list[StoredMail]:
    """The scanner's mails of these ids, each once, newest first; behind them those it does not have."""
    known = [_mail(row) for row in await conn.execute(_last_runs(scanner_id).where(DECISIONS.c.mail_id.in_(mail_ids)))]
    found = {mail.mail_id for mail in known}
    return known + [StoredMail(mail_id) for mail_id in dict.fromkeys(mail_ids) if mail_id not in found]


async def bytes_of(archive: Archive, mail: StoredMail) -> bytes:
    """Raises UnreadableError where only this mail cannot be read, UnavailableError where the archive is away."""
    if mail.received_at is None:
        raise UnreadableError(UNKNOWN)
    if not mail.archive_key:
        raise UnreadableError(MISSING)
    try:
        return await archive.get(mail.archive_key)
    except BlobNotFoundError as error:
        raise UnreadableError(MISSING) from error
    except cramjam.DecompressionError as error:
        raise UnreadableError(DAMAGED) from error
    except (OSError, BaseError) as error:
        raise UnavailableError(ARCHIVE_AWAY) from error


def _last_runs(scanner_id: str) -> Select[Any]:
    """Of a mail that was decided again, the last decision; its bytes and when it came are those of the first."""
    mails, later = DECISIONS.c, DECISIONS.alias("later").c
    again = select(later.run).where(later.mail_id == mails.mail_id, later.run > mails.run).exists()
    query = select(mails.mail_id, mails.received_at, mails.archive_key, mails.outcome).where(mails.scanner_id == scanner_id, ~again)
    return query.order_by(mails.received_at.desc(), mails.mail_id.desc())


def _mail(row: Row[Any]) -> StoredMail:
    return StoredMail(row.mail_id, row.received_at, row.archive_key, _result(row.outcome) if row.outcome else None)


def _result(outcome: dict[str, Any]) -> ResultSide:
    return ResultSide(
        outcome=outcome["type"],
        rule_id=outcome.get("rule_id"),
        rule_name=outcome.get("rule_name"),
        ticket_id=outcome.get("ticket_id"),
        reason=outcome.get("reason"),
    )
