"""Mails from the ledger to the SMTP server: bytes made once, `sending` written first, then the dialogue, then its record."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import Row

from notifier.adapters import queue, senders
from notifier.adapters.queue import Claimant
from notifier.adapters.results import Results, Try
from notifier.adapters.smtp import Connection, ServerProblemError
from notifier.domain.compose import Composed, ComposeError, Identity, NoAddressError, compose
from notifier.domain.schedule import Result, Verdict
from shared.archive import Archive
from shared.clock import Clock
from shared.events import OutgoingMail
from shared.messaging.outbox import Outbox
from shared.observability import get_logger

log = get_logger("delivery")


@dataclass(frozen=True)
class Ready:
    """A claimed mail with the bytes that are sent at every try."""

    row: Row[Any]
    envelope_from: str
    mime_key: str
    data: bytes


class Deliverer:
    """Delivers claimed mails over connections its caller keeps."""

    def __init__(self, outbox: Outbox, archive: Archive, claimant: Claimant, results: Results, clock: Clock) -> None:
        self._outbox = outbox
        self._archive = archive
        self._claimant = claimant
        self._results = results
        self._clock = clock

    async def prepare(self, rows: Sequence[Row[Any]], sender: Row[Any]) -> list[Ready]:
        """Bytes for each mail, in order. A mail that cannot be made is settled by itself and left out."""
        async with self._outbox.engine.connect() as conn:
            who = await senders.identities(conn, {row.scanner_id for row in rows}, sender)
        made: dict[str, Composed] = {}
        for row in rows:
            if row.mime_key is None:
                composed = self._compose(row, who[row.scanner_id])
                if composed is not None:
                    made[row.id] = composed
        await self._archive.put_many([(sent_key(row), made[row.id].data) for row in rows if row.id in made])
        return [ready for row in rows if row.mime_key or row.id in made if (ready := await self._ready(row, made.get(row.id)))]

    async def deliver(self, ready: Ready, connection: Connection) -> None:
        """One try. Raises ServerProblemError when the connection is of no more use; the try is noted all the same."""
        row, started = ready.row, self._clock()
        made = {"envelope_from": ready.envelope_from, "mime_key": ready.mime_key}
        async with self._outbox.engine.begin() as conn:
            waiting = await queue.begin(conn, row.id, self._claimant, made)
        if not waiting:
            return
        boxes = {one.mailbox: one.address for one in waiting}
        try:
            verdicts = await connection.send(ready.envelope_from, list(boxes), ready.data)
        except ServerProblemError as error:
            self._results.add(row.id, Try(started, {}, Verdict(Result.TEMPORARY, str(error)), away=True))
            raise
        self._results.add(row.id, Try(started, {boxes[mailbox]: verdict for mailbox, verdict in verdicts.items()}))

    def postpone(self, rows: Sequence[Row[Any]], reason: str) -> None:
        """The server cannot be used: all of these are delayed, or failed when their time is over."""
        for row in rows:
            self._results.add(row.id, Try(self._clock(), {}, Verdict(Result.TEMPORARY, reason), away=True))

    async def recorded(self, ids: Collection[str]) -> None:
        """Return when the results of these are written down."""
        await self._results.written(ids)

    def _compose(self, row: Row[Any], identity: Identity) -> Composed | None:
        """Without an address the mail waits for one; what can never be a mail has failed; what we stumble over is tried later."""
        try:
            return compose(OutgoingMail.model_validate(row.event), identity, row.created_at.astimezone(UTC))
        except NoAddressError as error:
            self._refuse(row, Result.TEMPORARY, str(error), patient=True)
        except ComposeError as error:
            self._refuse(row, Result.PERMANENT, str(error))
        except Exception as error:
            log.exception("mail cannot be made", outgoing_id=row.id)
            self._refuse(row, Result.TEMPORARY, f"the mail could not be made: {type(error).__name__}")
        return None

    async def _ready(self, row: Row[Any], composed: Composed | None) -> Ready | None:
        """After a crash between archive and ledger the archive's copy is the one that counts."""
        key = row.mime_key or sent_key(row)
        try:
            data = await self._archive.get(key)
        except Exception as error:  # one lost blob stops no other mail
            log.exception("sent mail is not in the archive", outgoing_id=row.id, key=key)
            self._refuse(row, Result.TEMPORARY, f"its bytes cannot be read from the archive ({key}): {type(error).__name__}")
            return None
        return Ready(row, composed.envelope_from if composed else row.envelope_from, key, data)

    def _refuse(self, row: Row[Any], result: Result, reason: str, *, patient: bool = False) -> None:
        self._results.add(row.id, Try(self._clock(), {}, Verdict(result, reason), patient=patient))


def sent_key(row: Row[Any]) -> str:
    """Where the archive holds the bytes of an answer."""
    return f"sent/{row.created_at.astimezone(UTC):%Y-%m}/{row.id}.eml.zst"
