"""Files for answers: streamed into the archive under `uploads/<yyyy-mm>/<id>`, written once and never changed.

The row that says the archive may hold a file nobody wants is stored before the file, and taken off with the transaction that stores
the upload: a crash between leaves nothing behind for longer than an hour.
"""

from __future__ import annotations

import hashlib
import mimetypes
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, Final

from sqlalchemy import Row
from starlette.requests import ClientDisconnect

from shared.archive import Archive
from shared.http import ProblemError, invalid
from shared.messaging.outbox import Outbox, Unit
from tickets.adapters.ticket_store import lock_ticket
from tickets.adapters.uploads import announce, count_unsent, get_upload, keep
from tickets.answer_files import refuse_size
from tickets.changing import refuse_gone
from tickets.domain.files import DOWNLOAD_TYPE, Policy, file_name, safe_type

IN_MEMORY: Final = 1024 * 1024
MAX_UNSENT: Final = 50
"""Of one operator on one ticket, as many as an answer takes."""
TOO_MANY: Final = f"You have uploaded {MAX_UNSENT} files here that are in no answer yet: send some first."
USED_BEFORE: Final = "This key belongs to a file of another ticket; use a new one."


@dataclass(frozen=True)
class Incoming:
    """A file that is being uploaded. The same `id` twice is stored once."""

    id: str
    ticket_id: int
    actor: str
    name: str
    type: str
    content: AsyncIterator[bytes]


async def receive(outbox: Outbox, archive: Archive, file: Incoming, policy: Policy) -> Row[Any]:
    """Returns the upload's row.

    Raises ProblemError 400 where the file breaks off, 404 without the ticket, 409 where that is deleted or merged or has too many files,
    413 for a file too large, 422 for a sort that is not sent.
    """
    name, kind = file_name(file.name), _type(file)
    async with outbox.transaction() as unit:
        if (known := await _known(unit, file)) is not None:
            return known
        if why := policy.refusal(name, kind, 0):
            raise invalid([("name", f"“{name}” cannot be sent. {why}")])
        key = _key(file.id, unit.clock())
        await announce(unit.conn, key)
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
        size, digest = await _read(file.content, body, policy)
        await archive.put_file(key, body)
    values = {
        "id": file.id,
        "ticket_id": file.ticket_id,
        "actor": file.actor,
        "archive_key": key,
        "name": name,
        "type": kind,
        "size": size,
        "sha256": digest,
    }
    async with outbox.transaction() as unit:
        return await _store(unit, file, values)


async def _known(unit: Unit, file: Incoming) -> Row[Any] | None:
    """The upload of this id, where it was stored before. Raises where no file can be taken."""
    await refuse_gone(unit.conn, await lock_ticket(unit.conn, file.ticket_id))
    known = await get_upload(unit.conn, file.id)
    if known is not None and known.ticket_id != file.ticket_id:
        raise ProblemError(409, "Idempotency-Key used before", USED_BEFORE)
    if known is None and await count_unsent(unit.conn, file.ticket_id, file.actor) >= MAX_UNSENT:
        raise ProblemError(409, "Too many files", TOO_MANY)
    return known


async def _store(unit: Unit, file: Incoming, values: dict[str, Any]) -> Row[Any]:
    known = await _known(unit, file)
    if known is None and await keep(unit.conn, values):
        known = await get_upload(unit.conn, file.id)
    if known is None:
        raise ProblemError(409, "Not stored", "It took too long to upload the file, and nothing of it was kept. Upload it again.")
    return known


async def _read(content: AsyncIterator[bytes], body: IO[bytes], policy: Policy) -> tuple[int, str]:
    """Size and SHA-256 of what was written to `body`."""
    size, digest = 0, hashlib.sha256()
    try:
        async for chunk in content:
            size += len(chunk)
            refuse_size(size, policy)
            digest.update(chunk)
            body.write(chunk)
    except ClientDisconnect as error:
        raise ProblemError(400, "Broken off", "The file did not come whole, and nothing of it was kept. Upload it again.") from error
    return size, digest.hexdigest()


def _type(file: Incoming) -> str:
    """As declared, else by its name."""
    declared = safe_type(file.type.partition(";")[0].strip())
    return declared if declared != DOWNLOAD_TYPE else safe_type(mimetypes.guess_type(file.name)[0] or DOWNLOAD_TYPE)


def _key(upload_id: str, at: datetime) -> str:
    return f"uploads/{at.astimezone(UTC):%Y-%m}/{upload_id}"
