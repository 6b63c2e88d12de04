"""Mails as they were received, from the archive."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.api import NAME_LENGTH
from shared.archive import Archive, BlobNotFoundError
from shared.http import ProblemError, not_found
from shared.mail.fields import read_fields
from shared.mail.words import decode_words, no_bidi
from tickets.adapters.message_store import get_mail_message
from tickets.adapters.ticket_store import get_ticket


@dataclass(frozen=True)
class Original:
    """A mail's bytes, and its Subject in clear."""

    raw: bytes
    subject: str


async def original_of(engine: AsyncEngine, archive: Archive, ticket_id: int, message_id: str) -> Original:
    """The mail a message was made of. Raises ProblemError 404 without one, 410 where the archive has it no more."""
    async with engine.connect() as conn:
        await get_ticket(conn, ticket_id)
        message = await get_mail_message(conn, ticket_id, message_id)
    if message is None:
        raise not_found(f"message of ticket {ticket_id}", message_id)
    if not message.archive_key:
        raise ProblemError(404, "Not a mail", "This message was not made of a mail, so there is no original to show.")
    try:
        raw = await archive.get(message.archive_key)
    except BlobNotFoundError as error:
        raise ProblemError(410, "No longer in the archive", "The archive does not hold this mail any more.") from error
    return Original(raw, no_bidi(decode_words(read_fields(raw).first("Subject"))))


async def subject_of(engine: AsyncEngine, archive: Archive, ticket_id: int, message_id: str) -> str | None:
    """Of the message's mail, as a title; None where it has none, or is not there."""
    try:
        original = await original_of(engine, archive, ticket_id, message_id)
    except ProblemError:
        return None
    return original.subject[:NAME_LENGTH].strip() or None
