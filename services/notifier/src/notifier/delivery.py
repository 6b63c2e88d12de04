"""Mails of the ledger made into bytes: once, before the first try, and kept in the archive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from sqlalchemy import Row

from notifier.adapters import senders
from notifier.adapters.chosen_templates import ChosenTemplates, chosen_templates
from notifier.adapters.results import Results, Try
from notifier.domain.compose import TEMPLATES, Composed, ComposeError, Identity, NoAddressError, compose
from notifier.domain.extensions import Letter
from notifier.domain.schedule import Result, Verdict
from notifier.files import read_files
from shared.archive import Archive
from shared.clock import Clock
from shared.events import OutgoingMail
from shared.messaging.outbox import Outbox
from shared.observability import get_logger

log = get_logger("delivery")

LONG = 20_000
"""Characters: longer mails, and those with files, are made beside the event loop."""
TOGETHER = 4 * 1024 * 1024
"""Octets of new mails that are held before they are archived."""


@dataclass(frozen=True)
class Ready:
    """A claimed mail with the bytes that are sent at every try."""

    row: Row[Any]
    envelope_from: str
    mime_key: str
    data: bytes
    bounces_to: str = ""
    """For an automatic mail, which has a blank `envelope_from`: an address that bounces may come back to."""
    text: str | None = None
    """What an acknowledgement says."""
    problem: str | None = None
    """Why its template was not used."""

    def letter(self, people: Sequence[str]) -> Letter:
        """To these of its recipients."""
        return Letter(self.envelope_from, tuple(people), self.data, self.bounces_to)


class Deliverer:
    """Makes claimed mails ready to be sent."""

    def __init__(self, outbox: Outbox, archive: Archive, results: Results, clock: Clock) -> None:
        self._outbox = outbox
        self._archive = archive
        self._results = results
        self._clock = clock

    async def prepare(self, rows: Sequence[Row[Any]], sender: Row[Any]) -> list[Ready]:
        """Bytes for each mail, in order. A mail that cannot be made is settled by itself and left out."""
        new = [row for row in rows if row.mime_key is None]
        async with self._outbox.engine.connect() as conn:
            who = await senders.identities(conn, {row.scanner_id for row in rows}, sender)
            chosen = await chosen_templates(conn, {row.scanner_id for row in new})
        made: dict[str, Composed] = {}
        waiting: list[tuple[str, bytes]] = []
        for row in new:
            composed = await self._compose(row, _as_sent(row, who[row.scanner_id], sender), chosen)
            if composed is not None:
                made[row.id] = replace(composed, data=b"")
                waiting.append((sent_key(row), composed.data))
                if sum(len(data) for _, data in waiting) > TOGETHER:
                    await self._archive.put_many(waiting)
                    waiting = []
        await self._archive.put_many(waiting)
        known = [row for row in rows if row.mime_key or row.id in made]
        return [ready for row in known if (ready := await self._ready(row, made.get(row.id), who[row.scanner_id].mailbox))]

    async def _compose(self, row: Row[Any], identity: Identity, chosen: ChosenTemplates) -> Composed | None:
        """Without an address the mail waits for one; what can never be a mail has failed; what we stumble over is tried later."""
        try:
            mail = OutgoingMail.model_validate(row.event)
            files = await read_files(self._archive, mail.parts)
            template, at = chosen.of(mail.scanner_id, TEMPLATES.get(mail.mode)), row.created_at.astimezone(UTC)
            if files or len(mail.text) + len(mail.quoted.html if mail.quoted else "") > LONG:
                return await asyncio.to_thread(compose, mail, identity, at, files, template)
            return compose(mail, identity, at, files, template)
        except NoAddressError as error:
            self._refuse(row, Result.TEMPORARY, str(error), patient=True)
        except ComposeError as error:
            self._refuse(row, Result.PERMANENT, str(error))
        except Exception as error:
            log.exception("mail cannot be made", outgoing_id=row.id)
            self._refuse(row, Result.TEMPORARY, f"the mail could not be made: {type(error).__name__}")
        return None

    async def _ready(self, row: Row[Any], composed: Composed | None, bounces_to: str | None) -> Ready | None:
        """After a crash between archive and ledger the archive's copy is the one that counts."""
        key = row.mime_key or sent_key(row)
        try:
            data = await self._archive.get(key)
        except Exception as error:  # one lost blob stops no other mail
            log.exception("sent mail is not in the archive", outgoing_id=row.id, key=key)
            self._refuse(row, Result.TEMPORARY, f"its bytes cannot be read from the archive ({key}): {type(error).__name__}")
            return None
        if composed is None:
            return Ready(row, row.envelope_from, key, data, bounces_to or "", row.text)
        return Ready(row, composed.envelope_from, key, data, bounces_to or "", composed.text, composed.problem)

    def _refuse(self, row: Row[Any], result: Result, reason: str, *, patient: bool = False) -> None:
        self._results.add(row.id, Try(self._clock(), {}, Verdict(result, reason), patient=patient))


def _as_sent(row: Row[Any], identity: Identity, sender: Row[Any]) -> Identity:
    """A personal answer has a signature only from its author's own account: the mailbox's is the mailbox's."""
    return replace(identity, signature="") if row.owner and sender.owner is None else identity


def sent_key(row: Row[Any]) -> str:
    """Where the archive holds the bytes of an answer."""
    return f"sent/{row.created_at.astimezone(UTC):%Y-%m}/{row.id}.eml.zst"
