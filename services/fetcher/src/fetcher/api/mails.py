"""`/mails`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Text, cast, or_

from fetcher.adapters import ledger
from fetcher.adapters.tables import LEDGER
from fetcher.api.views import mail_view
from fetcher.domain.places import places
from fetcher.poll import Tools
from fetcher.sweep import retry
from shared.api import Mail, Page
from shared.archive import BlobNotFoundError
from shared.events import OutcomeType
from shared.http import Actor, Cursor, Limit, ProblemError, decode_cursor, encode_cursor, not_found
from shared.messaging.errors import UnavailableError
from shared.observability import get_logger

log = get_logger("api")
PENDING = "pending"
PLACES_SHOWN = 100
SEARCHED_AT_ONCE = 100_000
"""Mails that one page looks for words in. An index of trigrams made each write of a line more than twice as slow."""
Q = (
    f"Text in subject, sender or recipients. A page looks through {SEARCHED_AT_ONCE:,} of the mails that the other filters leave: it may "
    "hold fewer items than asked for, or none, and a `next` that goes on from there"
)


class MailApi:
    """Reads the ledger; retries failed mails."""

    def __init__(self, tools: Tools, searched_at_once: int = SEARCHED_AT_ONCE) -> None:
        self._tools = tools
        self._searched_at_once = searched_at_once

    def router(self) -> APIRouter:
        """All paths, as the public API has them."""
        router = APIRouter()
        router.get("/mails")(self.list_mails)
        router.get("/mails/{mail_id}")(self.read)
        router.get("/mails/{mail_id}/raw")(self.raw)
        router.post("/mails/{mail_id}/retry", status_code=202)(self.retry)
        return router

    async def list_mails(
        self,
        limit: Limit = 50,
        cursor: Cursor = None,
        scanner_id: str | None = None,
        outcome: Annotated[str | None, Query(description="An outcome's type, or `pending` for mails under way")] = None,
        message_id: Annotated[str | None, Query(max_length=1000)] = None,
        since: Annotated[datetime | None, Query(description="Received at or after; RFC 3339")] = None,
        q: Annotated[str | None, Query(max_length=200, description=Q)] = None,
    ) -> Page[Mail]:
        """Newest first, by when they were first seen."""
        conditions = [*_equal(scanner_id, outcome, message_id), *_since(since)]
        words = _containing(q)
        cursor_values = decode_cursor(cursor, 1)
        before = cursor_values[0] if cursor_values else None
        if before is not None and not isinstance(before, int):
            raise ProblemError(400, "Not a cursor of this list", "Use the `next` of the page before, unchanged.")
        async with self._tools.engine.connect() as conn:
            end = await ledger.end_of_search(conn, conditions, before, self._searched_at_once) if words else None
            newer = [LEDGER.c.number > end] if end is not None else []
            rows = await ledger.page(conn, [*conditions, *words, *newer], before, limit + 1)
        following = rows[limit - 1].number if len(rows) > limit else end and end + 1
        return Page(items=[mail_view(row) for row in rows[:limit]], next=encode_cursor(following) if following else None)

    async def read(self, mail_id: str) -> Mail:
        """With its places; a further place of a mail shows those of the mail."""
        line = await self._line(mail_id)
        first = await self._line(line.duplicate_of) if line.duplicate_of else line
        async with self._tools.engine.connect() as conn:
            further = await ledger.further_places(conn, first.id, PLACES_SHOWN)
        return mail_view(line).model_copy(update={"places": places(first, further)})

    async def raw(self, mail_id: str) -> Response:
        """The mail's bytes exactly as IMAP gave them, from the archive; of a duplicate its first place's."""
        line = await self._line(mail_id)
        if line.duplicate_of:
            line = await self._line(line.duplicate_of)
        try:
            data = await self._tools.archive.get(line.archive_key) if line.archive_key else None
        except BlobNotFoundError:
            data = None
        if data is None:
            raise ProblemError(404, "The mail is not in the archive", f"Mail {mail_id} was never stored: see its outcome.")
        name = f'attachment; filename="{line.id}.eml"'
        headers = {"Content-Disposition": name, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
        return Response(data, media_type="message/rfc822", headers=headers)

    async def retry(self, mail_id: str, actor: Actor) -> Mail:
        """Try a failed mail again, under the same id."""
        try:
            async with self._tools.engine.begin() as conn:
                line = await ledger.line(conn, mail_id, lock=True)
                if line is None:
                    raise not_found("mail", mail_id)
                if line.outcome_type != OutcomeType.FAILED:
                    outcome = line.outcome_type or "none yet"
                    raise ProblemError(409, "Only a failed mail is tried again", f"The outcome of mail {mail_id} is {outcome}.")
                await retry(self._tools, conn, line)
        except UnavailableError as error:
            raise ProblemError(503, "Not now", f"{error}. Try again in a moment.") from error
        log.info("retry", mail_id=mail_id, actor=actor)
        return mail_view(await self._line(mail_id))

    async def _line(self, mail_id: str) -> ledger.Line:
        async with self._tools.engine.connect() as conn:
            line = await ledger.line(conn, mail_id)
        if line is None:
            raise not_found("mail", mail_id)
        return line


def _equal(scanner_id: str | None, outcome: str | None, message_id: str | None) -> list[Any]:
    conditions: list[Any] = []
    if scanner_id is not None:
        conditions.append(LEDGER.c.scanner_id == scanner_id.replace("\x00", ""))
    if outcome == PENDING:
        conditions.append(LEDGER.c.outcome_type.is_(None))
    elif outcome is not None:
        if outcome not in set(OutcomeType):
            raise ProblemError(422, "The request is not valid", f"outcome: {outcome!r} is none of {', '.join([*OutcomeType, PENDING])}")
        conditions.append(LEDGER.c.outcome_type == outcome)
    if message_id is not None:
        bare = message_id.replace("\x00", "").strip().strip("<>")
        conditions.append(LEDGER.c.message_id.in_([bare, f"<{bare}>"]))
    return conditions


def _since(since: datetime | None) -> list[Any]:
    if since is None:
        return []
    if since.tzinfo is None:
        raise ProblemError(422, "The request is not valid", "since: a time zone is missing; `Z` is UTC")
    return [LEDGER.c.received_at >= since]


def _containing(q: str | None) -> list[Any]:
    text = (q or "").replace("\x00", "").strip()
    if not text:
        return []
    recipients = cast(LEDGER.c.recipients, Text)
    columns = (LEDGER.c.subject, LEDGER.c.sender, recipients)
    return [or_(*(column.icontains(text, autoescape=True) for column in columns))]
