"""Dead letters: what could not be handled, kept whole, with why; retry runs the handler again, drop needs a reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.messaging.envelope import Envelope, MalformedEventError, read_envelope
from shared.messaging.errors import is_unavailable
from shared.messaging.outbox import Outbox, Unit
from shared.messaging.received import Record
from shared.messaging.tables import MessagingTables
from shared.observability import DEAD_LETTERS, get_logger
from shared.topics import MAIL_RAW, Topic

log = get_logger("dead_letters")

ERROR_CHARS = 4000
MAIL_ID_CHARS = 100


@dataclass(frozen=True)
class Failed:
    """What a failure hook learns: the record, as much of its envelope as could be read, and why it failed."""

    record: Record
    envelope: Envelope | None
    mail_id: str | None
    outcome: str
    """`failed`, or `dropped` when a person gave it up."""
    reason: str
    tries: int


FailureHook = Callable[[Unit, Failed], Awaitable[None]]
"""Runs in the dead letter's transaction; reports the mail's outcome."""


class DeadLetterNotFoundError(Exception):
    """No dead letter with this id waits in this service."""


class DeadLetters:
    """The dead letters of one consumer."""

    def __init__(
        self,
        consumer: str,
        topic: Topic,
        run: Callable[[Unit, Record], Awaitable[None]],
        outbox: Outbox,
        tables: MessagingTables,
        on_failure: FailureHook | None,
    ) -> None:
        self.consumer = consumer
        self._topic = topic
        self._run = run
        self._outbox = outbox
        self._tables = tables
        self._on_failure = on_failure

    async def bury(self, record: Record, error: Exception, tries: int) -> None:
        """Keep the record with its error, in one transaction with its inbox row and what the failure hook emits."""
        envelope = _envelope(record)
        reason = _reason(error)
        mail_id = _mail_id(record, envelope, self._topic)
        row = self._row(record, envelope, mail_id, reason, tries)
        async with self._outbox.transaction() as unit:
            event_id = envelope.inbox_id() if envelope else f"{record.topic}/{record.partition}/{record.offset}"
            inbox = insert(self._tables.inbox).values(consumer=self.consumer, event_id=event_id[:300]).on_conflict_do_nothing()
            first = (await unit.conn.execute(inbox.returning(self._tables.inbox.c.event_id))).first()
            if first is None:
                return
            await unit.conn.execute(insert(self._tables.dead_letters).values(row))
            await self._report(unit, Failed(record, envelope, mail_id, "failed", reason, tries))
        DEAD_LETTERS.inc()
        log.error("dead letter", consumer=self.consumer, id=row["id"], mail_id=mail_id, reason=reason[:300], tries=tries)

    async def _report(self, unit: Unit, failed: Failed) -> None:
        """Run the failure hook. What stops it must not stop the dead letter, or one bad event would block its partition for good."""
        if self._on_failure is None:
            return
        emitted = len(unit.rows)
        try:
            async with unit.conn.begin_nested():
                await self._on_failure(unit, failed)
        except Exception as error:
            if is_unavailable(error):
                raise
            del unit.rows[emitted:]
            log.exception("failure hook failed: the mail keeps its old outcome", consumer=self.consumer, mail_id=failed.mail_id)

    async def retry(self, letter_id: str) -> None:
        """Run the handler again. Raises DeadLetterNotFoundError, or what the handler raises: the letter then waits on with it."""
        try:
            async with self._outbox.transaction() as unit:
                row = await self._lock(unit, letter_id)
                await self._run(unit, _record(row))
                await self._close(unit, letter_id, "retried", None)
        except DeadLetterNotFoundError:
            raise
        except Exception as error:
            await self._note(letter_id, error)
            raise

    async def drop(self, letter_id: str, reason: str) -> None:
        """Give the event up, with a reason that becomes the mail's outcome. Raises DeadLetterNotFoundError."""
        async with self._outbox.transaction() as unit:
            row = await self._lock(unit, letter_id)
            record = _record(row)
            if self._on_failure is not None:
                await self._on_failure(unit, Failed(record, _envelope(record), row.mail_id, "dropped", reason, row.tries + 1))
            await self._close(unit, letter_id, "dropped", reason)

    async def _lock(self, unit: Unit, letter_id: str) -> Row[Any]:
        letters = self._tables.dead_letters
        found = select(letters).where(letters.c.id == letter_id, letters.c.consumer == self.consumer, letters.c.state == "waiting")
        row = (await unit.conn.execute(found.with_for_update())).first()
        if row is None:
            raise DeadLetterNotFoundError(letter_id)
        return row

    async def _close(self, unit: Unit, letter_id: str, state: str, reason: str | None) -> None:
        letters = self._tables.dead_letters
        values = {"state": state, "reason": reason, "updated_at": func.now(), "tries": letters.c.tries + 1}
        await unit.conn.execute(update(letters).where(letters.c.id == letter_id).values(values))
        DEAD_LETTERS.dec()

    async def _note(self, letter_id: str, error: Exception) -> None:
        letters = self._tables.dead_letters
        values = {"error": _reason(error), "tries": letters.c.tries + 1, "updated_at": func.now()}
        async with self._outbox.transaction() as unit:
            await unit.conn.execute(update(letters).where(letters.c.id == letter_id).values(values))

    def _row(self, record: Record, envelope: Envelope | None, mail_id: str | None, reason: str, tries: int) -> dict[str, Any]:
        return {
            "id": str(uuid4()),
            "consumer": self.consumer,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": record.key,
            "headers": {_storable(name): _storable(value) for name, value in record.headers.items()},
            "value": record.value,
            "event_id": envelope.id if envelope else None,
            "mail_id": mail_id,
            "error": reason,
            "service_version": service_version(self.consumer.partition(".")[0]),
            "tries": tries,
        }


def service_version(service: str) -> str:
    """Version of the installed service, for dead letters and status."""
    try:
        return version(f"mailconverter-{service}")
    except PackageNotFoundError:
        return "unknown"


def _reason(error: Exception) -> str:
    return _storable(f"{type(error).__name__}: {error}")[:ERROR_CHARS]


def _storable(text: str) -> str:
    """Postgres takes neither NUL nor lone surrogates, which an error may quote from a mail."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _record(row: Row[Any]) -> Record:
    return Record(row.topic, row.partition, row.offset, row.key, row.headers, row.value)


def _envelope(record: Record) -> Envelope | None:
    try:
        return read_envelope(record.headers)
    except MalformedEventError:
        return None


def _mail_id(record: Record, envelope: Envelope | None, topic: Topic) -> str | None:
    mail_id = (envelope.id if envelope else "") if topic is MAIL_RAW else record.headers.get("ce_mailid", "")
    return mail_id if 0 < len(mail_id) <= MAIL_ID_CHARS and "\x00" not in mail_id else None
