"""The mails of a simulation: which ones, and their bytes a bounded number at a time."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters import stored_mails
from rules.adapters.simulations import PASTED, JobRow
from rules.adapters.stored_mails import StoredMail, UnreadableError
from shared.archive import Archive

BATCH_MAILS: Final = 100
BATCH_BYTES: Final = 4 * 1024 * 1024
"""A batch is closed by the mails that bring it here: memory is bounded by this and the largest mails."""
READ_AT_ONCE: Final = 8
"""An object store takes tens of milliseconds for each, however many it is asked for at once. Large mails are read one by one."""


@dataclass(frozen=True)
class ReadMail:
    """A mail with its bytes, or without them and a note that says why."""

    stored: StoredMail
    raw: bytes = b""
    note: str = ""


async def selected(conn: AsyncConnection, job: JobRow) -> list[StoredMail]:
    """The mails the job is about, newest first. A pasted one is tried as if it came when the simulation was asked for."""
    wanted = job.mails
    if PASTED in wanted:
        return [StoredMail(None, job.created_at)]
    if "ids" in wanted:
        return await stored_mails.chosen(conn, job.scanner_id, wanted["ids"])
    if "last" in wanted:
        return await stored_mails.newest(conn, job.scanner_id, wanted["last"])
    since, until = (datetime.fromisoformat(wanted[name]) if name in wanted else None for name in ("since", "until"))
    return await stored_mails.newest(conn, job.scanner_id, since=since, until=until)


async def batches(archive: Archive, job: JobRow, mails: Sequence[StoredMail]) -> AsyncIterator[list[ReadMail]]:
    """The mails read, in their order. Raises UnavailableError where the archive is away."""
    if PASTED in job.mails:
        yield [ReadMail(mails[0], base64.b64decode(job.mails[PASTED]))]
        return
    batch: list[ReadMail] = []
    begin, at_once = 0, 1
    while begin < len(mails):
        read = await asyncio.gather(*(_read(archive, mail) for mail in mails[begin : begin + at_once]))
        begin, batch = begin + at_once, batch + read
        at_once = min(2 * at_once, READ_AT_ONCE) if _size(read) < BATCH_BYTES else 1
        if len(batch) + READ_AT_ONCE > BATCH_MAILS or _size(batch) >= BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _size(mails: Sequence[ReadMail]) -> int:
    return sum(len(one.raw) for one in mails)


async def _read(archive: Archive, mail: StoredMail) -> ReadMail:
    try:
        return ReadMail(mail, await stored_mails.bytes_of(archive, mail))
    except UnreadableError as error:
        return ReadMail(mail, note=str(error))
