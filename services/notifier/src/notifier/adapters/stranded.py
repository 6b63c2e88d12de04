"""Mails that no lane sends: their mailbox has no SMTP identity, or they were taken back while the notifier that sent them was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, text, update

from notifier.adapters import ledger
from notifier.adapters.claimant import Claimant, InHand
from notifier.adapters.queue import CUT, CUT_OFF, DUE, THROUGH, apart
from notifier.adapters.tables import OUTGOING, TRIES
from notifier.domain.schedule import OPEN, given_up, mail_state
from shared.events import DeliveryState
from shared.messaging.outbox import Unit

NEWS_TAKE = timedelta(seconds=10)
"""A new mailbox's settings come by another topic than its first answer; so long nobody is told that they are missing."""
ROWS = 100

_WITHOUT_SENDER = text(
    f"""
    select o.id, o.state, o.unanswered, o.last_error, s.name from outgoing o {THROUGH}
    left join senders n on n.id = coalesce(own.id, s.sender_id)
    where n.id is null and {DUE} and (s.id is not null or o.created_at < now() - :patience)
    order by o.position limit :rows for update of o skip locked
    """  # noqa: S608 -- a constant
)
_TAKEN_BACK = text(
    f"select o.* from outgoing o where o.cancel_asked and {CUT} order by o.position limit :rows for update of o skip locked"  # noqa: S608 -- a constant
)


async def delay_without_sender(unit: Unit, claimant: Claimant, in_hand: InHand, next_try_at: datetime) -> None:
    """Mails whose mailbox has no SMTP identity wait, and say so; told once each."""
    found = (await unit.conn.execute(_WITHOUT_SENDER, {"rows": ROWS, "patience": NEWS_TAKE} | apart(claimant, in_hand))).all()
    for one in found:
        reason = (
            f"set an SMTP identity for the mailbox {one.name!r}: its answers wait for it"
            if one.name
            else "the mailbox this answer is from is not known (deleted?): create it again, or cancel the answer"
        )
        unanswered = one.unanswered or one.state == "sending"
        values = {"state": "delayed", "last_error": reason, "next_try_at": next_try_at, "unanswered": unanswered}
        await _put(unit, one.id, values)
        if one.last_error != reason:
            waiting = [person.address for person in await ledger.recipients_of(unit.conn, [one.id]) if person.state in OPEN]
            await ledger.tell(unit, one.id, dict.fromkeys(waiting, (DeliveryState.DELAYED, reason)))


async def end_taken_back(unit: Unit, claimant: Claimant, in_hand: InHand) -> None:
    """Mails that were taken back during a dialogue which a crash cut off: they are not tried again, and nobody knows who has them."""
    for row in (await unit.conn.execute(_TAKEN_BACK, {"rows": ROWS} | apart(claimant, in_hand))).all():
        await _end(unit, row)


async def _end(unit: Unit, row: Row[Any]) -> None:
    people = {one.address: DeliveryState(one.state) for one in await ledger.recipients_of(unit.conn, [row.id])}
    changes = {address: given_up(unanswered=True) for address, state in people.items() if state in OPEN}
    after = {**people, **{address: state for address, (state, _) in changes.items()}}
    entry = {"outgoing_id": row.id, "number": row.tries + 1, "instance": row.begun_by or "", "state": "sending", "detail": CUT_OFF}
    await unit.conn.execute(insert(TRIES).values(entry | {"started_at": row.begun_at or unit.clock(), "ended_at": unit.clock()}))
    state = {"state": mail_state(after.values()), "next_try_at": None, "last_error": CUT_OFF, "unanswered": True}
    await _put(unit, row.id, state | {"tries": row.tries + 1, "claimed_by": None, "claimed_until": None})
    await ledger.tell(unit, row.id, changes)


async def _put(unit: Unit, outgoing_id: str, values: Mapping[str, Any]) -> None:
    await unit.conn.execute(update(OUTGOING).where(OUTGOING.c.id == outgoing_id).values(dict(values)))
