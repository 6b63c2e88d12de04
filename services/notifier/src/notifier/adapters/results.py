"""What tries came to, written down in groups: whatever came while one group was being written makes the next."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from notifier.adapters import ledger, limits
from notifier.adapters.claimant import Claimant
from notifier.adapters.tables import OUTGOING, TRIES
from notifier.domain.schedule import OPEN, Result, Retries, Settled, Verdict, settle, taken_back
from shared.events import DeliveryState
from shared.messaging.errors import is_unavailable
from shared.messaging.outbox import Outbox, Unit
from shared.observability import RETRIES, SMTP_RESULTS, get_logger

log = get_logger("results")

BACKOFF_S, MAX_BACKOFF_S = 0.2, 5.0
_SETTLED = (
    *("state", "tries", "failures", "next_try_at", "first_try_at", "last_error", "sent_at"),
    *("sequence", "aliases", "unanswered", "cancel_asked"),
)
_UPDATE = (
    update(OUTGOING)
    .where(OUTGOING.c.id == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in _SETTLED} | {"claimed_by": None, "claimed_until": None})
)


@dataclass(frozen=True)
class Try:
    """One try. `everybody` is the verdict for all who wait, where the dialogue did not get as far as each."""

    started_at: datetime
    verdicts: Mapping[str, Verdict]
    everybody: Verdict | None = None
    away: bool = False
    """The server said nothing about the mail."""
    patient: bool = False
    """It waits for a person, however long: the time after which a mail is given up does not run."""
    limited: bool = False
    """Its recipients count for a limit of the identity."""
    begun: bool = True
    """There was a dialogue: the row says `sending` because of this one."""
    unanswered: bool = False
    """The dialogue ended without an answer to the mail: the server may have it."""
    noted: bool = False
    """The mail only waited behind others for a server that is away: what everybody knows is not told again."""
    note: str | None = None
    """What somebody should know although it was sent: its template was not used."""

    @property
    def sent(self) -> bool:
        """Somebody got it."""
        return any(verdict.result is Result.SENT for verdict in self.verdicts.values())


class Results:
    """A mail that the server took must not be sent again because the database was away: results wait until they are written."""

    def __init__(self, outbox: Outbox, claimant: Claimant, retries: Retries) -> None:
        self._outbox = outbox
        self._claimant = claimant
        self._retries = retries
        self._waiting: dict[str, Try] = {}
        self._writer: asyncio.Task[None] | None = None
        self._written = asyncio.Condition()

    def add(self, outgoing_id: str, result: Try) -> None:
        """Have it written soon. As many wait as mails are claimed, so there is a bound."""
        self._waiting[outgoing_id] = result
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="results")

    @property
    def waiting(self) -> frozenset[str]:
        """Mails whose results are not written yet, which are still in hand."""
        return frozenset(self._waiting)

    async def written(self, ids: Collection[str]) -> None:
        """Return when none of these waits any more."""
        async with self._written:
            await self._written.wait_for(lambda: not self._waiting.keys() & set(ids))

    async def _write(self) -> None:
        backoff = BACKOFF_S
        while self._waiting:
            group = dict(self._waiting)
            try:
                await self._write_group(group)
                backoff = BACKOFF_S
            except Exception as error:  # noqa: BLE001 -- whatever it is, forgetting a sent mail would send it again
                RETRIES.labels("results", type(error).__name__).inc()
                log.warning("results wait", mails=len(group), error=str(error)[:500], away=is_unavailable(error), seconds=backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, MAX_BACKOFF_S)
                if not is_unavailable(error):
                    await self._one_by_one(group)
        self._writer = None

    async def _one_by_one(self, group: Mapping[str, Try]) -> None:
        """One that cannot be written does not hold up the others."""
        for outgoing_id, result in group.items():
            try:
                await self._write_group({outgoing_id: result})
            except Exception:
                log.exception("result cannot be written", outgoing_id=outgoing_id)

    async def _write_group(self, group: Mapping[str, Try]) -> None:
        async with self._outbox.transaction() as unit:
            settled = await _settle(unit, self._claimant, self._retries, group)
        for outgoing_id in group:
            self._waiting.pop(outgoing_id, None)
        async with self._written:
            self._written.notify_all()
        for row, one, result in settled:
            if not _counts(one, result):
                continue
            for verdict in one.verdicts.values():
                SMTP_RESULTS.labels("away" if result.away else verdict.result.value).inc()
            facts = {"outgoing_id": row.id, "ticket_id": row.ticket_id, "message_id": row.message_id, "tries": row.tries + 1}
            log.info("answer tried", state=one.state, detail=one.detail, **facts)


async def _settle(unit: Unit, claimant: Claimant, retries: Retries, group: Mapping[str, Try]) -> Sequence[tuple[Row[Any], Settled, Try]]:
    """All of the group in a handful of statements. What somebody else settled meanwhile is left alone; or holds, unless ours was sent."""
    open_now = OUTGOING.c.id.in_(list(group)) & OUTGOING.c.state.in_(["queued", "delayed", "sending"])
    rows = (await unit.conn.execute(select(OUTGOING).where(open_now).order_by(OUTGOING.c.id).with_for_update())).all()
    people: dict[str, dict[str, Row[Any]]] = {row.id: {} for row in rows if row.claimed_by == claimant.holder or group[row.id].sent}
    for one in await ledger.recipients_of(unit.conn, people):
        people[one.outgoing_id][one.address] = one
    now = unit.clock()
    settled = [(row, _settled(row, people[row.id], group[row.id], retries, now), group[row.id]) for row in rows if row.id in people]
    if settled:
        await _store(unit, claimant, settled, now)
    return settled


def _settled(row: Row[Any], known: Mapping[str, Row[Any]], result: Try, retries: Retries, now: datetime) -> Settled:
    people = {address: DeliveryState(one.state) for address, one in known.items()}
    first = None if result.patient else row.first_try_at or result.started_at
    waiting = [address for address, state in people.items() if state in OPEN]
    verdicts = (
        dict.fromkeys(waiting, result.everybody)
        if result.everybody
        else {one: result.verdicts[one] for one in waiting if one in result.verdicts}
    )
    one = settle(people, verdicts, retries, failures=row.failures, first_try=first, now=now, away=result.away)
    if row.cancel_asked:
        one = taken_back(one, people, unanswered=_unanswered(row, result))
    if result.noted:
        news = {address: change for address, change in one.changes.items() if change != (known[address].state, known[address].detail)}
        return replace(one, changes=news)
    return one


def _unanswered(row: Row[Any], result: Try) -> bool:
    """Whether the server may have the mail: from this dialogue, an earlier one, or one that a crash cut off."""
    return bool(row.unanswered or result.unanswered or (row.state == "sending" and not result.begun))


async def _store(unit: Unit, claimant: Claimant, settled: Sequence[tuple[Row[Any], Settled, Try]], now: datetime) -> None:
    states, updates, tries = [], [], []
    for row, one, result in settled:
        sequence = row.sequence + bool(one.changes)
        for address, (state, detail) in one.changes.items():
            alias = one.verdicts[address].alias if address in one.verdicts else None
            ledger.emit_state(unit, row, address, state, detail, sequence, now, ledger.cause_of(row), alias)
            key = {"outgoing_id": row.id, "address": address}
            states.append(key | {"state": state, "detail": detail, "sequence": sequence, "at": now, "alias": alias})
        number = row.tries + _counts(one, result)
        updates.append({"key": row.id} | {f"new_{name}": value for name, value in _columns(row, one, result, sequence, now).items()})
        if number > row.tries:
            entry = {"outgoing_id": row.id, "number": number, "instance": claimant.instance, "state": one.state}
            tries.append(entry | {"detail": one.detail, "started_at": result.started_at, "ended_at": now})
    if states:
        await ledger.set_states(unit.conn, states)
    await unit.conn.execute(_UPDATE, updates)
    if tries:
        await unit.conn.execute(insert(TRIES), tries)
    limited = [row.id for row, _, result in settled if result.limited]
    if limited:
        await limits.use_up(unit.conn, limited)


def _counts(one: Settled, result: Try) -> bool:
    """Whether the ledger shows it as a try."""
    return bool(one.changes) or not result.noted


def _columns(row: Row[Any], one: Settled, result: Try, sequence: int, now: datetime) -> dict[str, Any]:
    """Of the mail, after the try."""
    given = {verdict.alias for verdict in one.verdicts.values() if verdict.alias}
    return {
        "state": one.state,
        "tries": row.tries + _counts(one, result),
        "failures": one.failures,
        "next_try_at": one.next_try_at,
        "first_try_at": row.first_try_at or (None if result.patient else result.started_at),
        "last_error": one.error or result.note,
        "sent_at": now if one.state == "sent" else None,
        "sequence": sequence,
        "aliases": [*row.aliases, *sorted(given - set(row.aliases))],
        "unanswered": _unanswered(row, result),
        "cancel_asked": False,
    }
