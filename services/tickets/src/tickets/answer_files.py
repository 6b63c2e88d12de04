"""What goes along with an answer: files of its operator, files of the ticket, and the images of what it quotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import OutgoingPart, derived_id
from shared.http import ProblemError, invalid
from tickets.adapters.message_store import attachments_by_id, attachments_of, insert_attachments
from tickets.adapters.uploads import UPLOADED, mark_sent, uploads_of
from tickets.domain.answer import LastMail
from tickets.domain.files import SHOWN_INLINE, Policy, file_name, safe_type, size_text
from tickets.domain.html import quotable

MAX_IMAGES: Final = 40
"""Of quoted HTML. With 50 files they stay below what an event takes."""
MAX_QUOTED_HTML: Final = 192 * 1024
"""Bytes. Longer HTML is quoted from its text: an event has to stay below 1 MiB."""


@dataclass(frozen=True)
class File:
    """A file that goes along."""

    id: str
    archive_key: str
    part: str
    name: str
    type: str
    size: int
    sha256: str
    uploaded: bool

    @classmethod
    def of(cls, row: Row[Any], part: str, *, uploaded: bool) -> File:
        return cls(row.id, row.archive_key, part, row.name, row.type, row.size, row.sha256, uploaded)


async def chosen_files(conn: AsyncConnection, ticket_id: int, actor: str, ids: Sequence[str], policy: Policy) -> list[File]:
    """In the order given, each once. Raises ProblemError 422 for one not there or not sent, or when they are too large."""
    wanted = list(dict.fromkeys(one for one in ids if "\x00" not in one))
    known = await known_files(conn, ticket_id, actor, wanted)
    if missing := [one for one in ids if one not in known]:
        raise invalid([("attachments", f"{', '.join(missing)}: no such file here any more; upload it again, or send without it")])
    files = [known[one] for one in wanted]
    if refused := [(file, why) for file in files if (why := policy.refusal(file.name, file.type, file.size))]:
        raise invalid([("attachments", f"“{file_name(file.name)}” cannot be sent. {why}") for file, why in refused])
    total = sum(file.size for file in files)
    if total > policy.limit:
        detail = f"The files have {size_text(total)} together, an answer may have {size_text(policy.limit)}: send fewer, or smaller ones."
        raise invalid([("attachments", detail)])
    return files


async def known_files(conn: AsyncConnection, ticket_id: int, actor: str, ids: Sequence[str]) -> dict[str, File]:
    """Of the ids, the actor's own uploads for this ticket and the files of its messages."""
    rows = await attachments_by_id(conn, ticket_id, ids)
    of_ticket = {row.id: File.of(row, row.part, uploaded=False) for row in rows}
    own = {row.id: File.of(row, UPLOADED, uploaded=True) for row in await uploads_of(conn, ticket_id, actor, ids)}
    return of_ticket | own


def part_of(file: File) -> OutgoingPart:
    """As the notifier takes it."""
    return OutgoingPart(
        name=file_name(file.name), content_type=safe_type(file.type), size=file.size, archive_key=file.archive_key, part=file.part or None
    )


async def put_on_message(conn: AsyncConnection, ticket_id: int, message_id: str, files: Sequence[File]) -> None:
    """The message shows them, and they are kept as long as it is."""
    rows = [
        {
            "id": derived_id(message_id, file.id, "file"),
            "ticket_id": ticket_id,
            "message_id": message_id,
            "archive_key": file.archive_key,
            "part": file.part,
            "position": position,
            "name": file.name,
            "type": file.type,
            "size": file.size,
            "sha256": file.sha256,
        }
        for position, file in enumerate(files)
    ]
    await insert_attachments(conn, rows)
    await mark_sent(conn, [file.id for file in files if file.uploaded])


async def quoted_html(conn: AsyncConnection, last: LastMail, message_id: str, room: int, policy: Policy) -> tuple[str, list[OutgoingPart]]:
    """The last mail's HTML with the images it shows, as far as they have room; blank where there is none, or too much.

    The images get Content-IDs of ours: what a stranger wrote there would become a header.
    """
    if not last.html:
        return "", []
    images: dict[str, Row[Any]] = {}
    for row in (await attachments_of(conn, [last.id])).get(last.id, []):
        fits = row.size <= room and len(images) < MAX_IMAGES
        if row.content_id and row.type in SHOWN_INLINE and fits and not policy.refusal(row.name, row.type, row.size):
            images[row.content_id] = row
            room -= row.size
    ids = {given: f"image{number}.{message_id.strip('<>')}" for number, given in enumerate(images, 1)}
    html, shown = quotable(last.html, {given: f"cid:{own}" for given, own in ids.items()})
    if len(html.encode()) > MAX_QUOTED_HTML:
        return "", []
    files = [(File.of(row, row.part, uploaded=False), ids[given]) for given, row in images.items() if given in shown]
    return html, [part_of(file).model_copy(update={"content_id": own}) for file, own in files]


def refuse_size(size: int, policy: Policy) -> None:
    """Raises ProblemError 413 for a file that no answer could take."""
    if size > policy.limit:
        detail = f"A file may have {size_text(policy.limit)}, as all files of an answer together; send a smaller one, or a link to it."
        raise ProblemError(413, "Too large", detail)
