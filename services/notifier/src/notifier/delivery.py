"""Mails of the ledger made into bytes with the identity of the day, and kept in the archive; from the first dialogue on these stay."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from sqlalchemy import Row

from notifier.adapters import queue, senders
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
LARGE = 4 * 1024 * 1024
"""Octets of files: such mails are held one at a time, wherever they are."""
DIGITS = 12
"""Of the digest in a key."""


@dataclass(frozen=True)
class Ready:
    """A claimed mail whose bytes are in the archive. They are read when its turn comes: many large ones would not fit."""

    row: Row[Any]
    envelope_from: str
    mime_key: str
    bounces_to: str = ""
    """For an automatic mail, which has a blank `envelope_from`: an address that bounces may come back to."""
    text: str | None = None
    """What an acknowledgement says."""
    problem: str | None = None
    """Why its template was not used."""
    subject: str | None = None
    """As sent."""

    @property
    def large(self) -> bool:
        return _is_large(self.row)

    def letter(self, data: bytes, people: Sequence[str]) -> Letter:
        """To these of its recipients."""
        return Letter(self.envelope_from, tuple(people), data, self.bounces_to)


@dataclass(frozen=True)
class _Made:
    row: Row[Any]
    key: str
    composed: Composed


class Deliverer:
    """Makes claimed mails ready to be sent."""

    def __init__(self, outbox: Outbox, archive: Archive, results: Results, clock: Clock) -> None:
        self._outbox = outbox
        self._archive = archive
        self._results = results
        self._clock = clock
        self._one_large = asyncio.Lock()

    async def prepare(self, rows: Sequence[Row[Any]], sender: Row[Any]) -> list[Ready]:
        """Each mail with its bytes in the archive, in order. A mail that cannot be made is settled by itself and left out."""
        new = [row for row in rows if row.mime_key is None]
        async with self._outbox.engine.connect() as conn:
            who = await senders.identities(conn, {row.scanner_id for row in rows}, sender)
            chosen = await chosen_templates(conn, {row.scanner_id for row in new})
        made: dict[str, _Made] = {}
        waiting: list[_Made] = []
        for row in new:
            large = _is_large(row)
            async with self._one_large if large else contextlib.nullcontext():
                composed = await self._compose(row, _as_sent(row, who[row.scanner_id], sender), chosen)
                if composed is None:
                    continue
                waiting.append(_Made(row, await _sent_key(row, composed.data), composed))
                made[row.id] = replace(waiting[-1], composed=replace(composed, data=b""))
                if large or sum(len(one.composed.data) for one in waiting) > TOGETHER:
                    await self._keep(waiting)
                    waiting = []
                del composed
        await self._keep(waiting)
        known = [row for row in rows if row.mime_key or row.id in made]
        return [_ready(row, made.get(row.id), who[row.scanner_id].mailbox or "") for row in known]

    async def read(self, ready: Ready) -> bytes | None:
        """The bytes to send. None, and the mail settled for now, where they cannot be read."""
        try:
            return await self._archive.get(ready.mime_key)
        except Exception as error:  # one lost blob stops no other mail
            log.exception("sent mail is not in the archive", outgoing_id=ready.row.id, key=ready.mime_key)
            reason = f"its bytes cannot be read from the archive ({ready.mime_key}): {type(error).__name__}"
            self._refuse(ready.row, Result.TEMPORARY, reason)
            return None

    async def _keep(self, made: Sequence[_Made]) -> None:
        """Archive them. Where is noted first, so that an erasure finds all; what was made with an identity of before is of no more use."""
        new = {one.row.id: one.key for one in made if one.key not in one.row.blobs}
        if new:
            async with self._outbox.engine.begin() as conn:
                await queue.note_blobs(conn, new)
        await self._archive.put_many([(one.key, one.composed.data) for one in made])
        superseded = [key for one in made for key in one.row.blobs if key != one.key]
        if superseded:
            await self._archive.remove_many(superseded)

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

    def _refuse(self, row: Row[Any], result: Result, reason: str, *, patient: bool = False) -> None:
        self._results.add(row.id, Try(self._clock(), {}, Verdict(result, reason), patient=patient, begun=False))


def _as_sent(row: Row[Any], identity: Identity, sender: Row[Any]) -> Identity:
    """A personal answer has a signature only from its author's own account: the mailbox's is the mailbox's."""
    return replace(identity, signature="") if row.owner and sender.owner is None else identity


def _ready(row: Row[Any], made: _Made | None, bounces_to: str) -> Ready:
    """Bytes, envelope and what goes with them belong together: of the first try, or all made now."""
    if made is None:
        return Ready(row, row.envelope_from, row.mime_key, bounces_to, row.text)
    composed = made.composed
    return Ready(row, composed.envelope_from, made.key, bounces_to, composed.text, composed.problem, composed.subject or None)


def _is_large(row: Row[Any]) -> bool:
    octets: int = sum(part.get("size", 0) for part in row.event.get("parts", []))
    return octets > LARGE


async def _sent_key(row: Row[Any], data: bytes) -> str:
    """Where the archive holds these bytes of an answer."""
    digest = await asyncio.to_thread(hashlib.sha256, data) if len(data) > TOGETHER else hashlib.sha256(data)
    return f"{_folder(row)}/{row.id}-{digest.hexdigest()[:DIGITS]}.eml.zst"


def keys_of(row: Row[Any]) -> list[str]:
    """All keys the archive may hold bytes of an answer under; the last is what releases before 0006 used."""
    return list(dict.fromkeys([*row.blobs, *([row.mime_key] if row.mime_key else []), f"{_folder(row)}/{row.id}.eml.zst"]))


def _folder(row: Row[Any]) -> str:
    return f"sent/{row.created_at.astimezone(UTC):%Y-%m}"
