"""The outgoing ledger: every answer once, its recipients' states, and the events that tell of them. `entry` puts the answers in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.tables import OUTGOING, RECIPIENTS, TRIES
from notifier.domain.schedule import OPEN, given_up, mail_state
from shared.events import DeliveryState, MailDelivery, OutgoingMail, derived_id
from shared.messaging.envelope import Envelope, read_envelope
from shared.messaging.outbox import Unit
from shared.messaging.received import Received
from shared.topics import MAIL_DELIVERIES

WAKE_CHANNEL = "outgoing"
"""LISTEN/NOTIFY channel on which sending loops are woken."""
BEFORE_SENDING = frozenset({"queued", "delayed"})
AGAIN = frozenset({DeliveryState.FAILED, *OPEN})
"""Recipients whom another try may reach."""
Changes = Mapping[str, tuple[DeliveryState, str]]
"""Recipient's address → its new state with the reason."""


async def wake_once(unit: Unit) -> None:
    """As `wake`, once for all events of a batch."""
    if not unit.memo.get(WAKE_CHANNEL):
        unit.memo[WAKE_CHANNEL] = True
        await wake(unit.conn)


async def wake(conn: AsyncConnection) -> None:
    """Wake the sending loops when the transaction commits."""
    await conn.execute(text("select pg_notify(:channel, '')"), {"channel": WAKE_CHANNEL})


async def known(conn: AsyncConnection, outgoing_id: str, *, lock: bool = True) -> Row[Any] | None:
    """The mail's row."""
    query = select(OUTGOING).where(OUTGOING.c.id == outgoing_id)
    return (await conn.execute(query.with_for_update() if lock else query)).first()


async def recipients_of(conn: AsyncConnection, outgoing_ids: Iterable[str]) -> Sequence[Row[Any]]:
    query = select(RECIPIENTS).where(RECIPIENTS.c.outgoing_id.in_(list(outgoing_ids))).order_by(RECIPIENTS.c.address)
    return (await conn.execute(query)).all()


async def tries_of(conn: AsyncConnection, outgoing_id: str, limit: int) -> Sequence[Row[Any]]:
    """The newest tries, newest first."""
    query = select(TRIES).where(TRIES.c.outgoing_id == outgoing_id).order_by(TRIES.c.number.desc()).limit(limit)
    return (await conn.execute(query)).all()


async def cancel(unit: Unit, received: Received[OutgoingMail], row: Row[Any]) -> None:
    """Cancel wins until the dialogue starts; afterwards it is too late, and what became of the mail is told (again).

    Of a mail that its server may have from an earlier try nobody can say that it was cancelled: it is too late, and not tried again.
    """
    people = await recipients_of(unit.conn, [row.id])
    changes = {one.address: given_up(unanswered=row.unanswered) for one in people if one.state in OPEN}
    if row.state in BEFORE_SENDING:
        if row.unanswered:
            late = {address: (DeliveryState.TOO_LATE, detail) for address, (_, detail) in changes.items()}
            await tell(unit, row.id, late, cause=received.envelope, keep=False)
        state = mail_state(changes[one.address][0] if one.address in changes else DeliveryState(one.state) for one in people)
        await unit.conn.execute(update(OUTGOING).where(OUTGOING.c.id == row.id).values(state=state, next_try_at=None))
        await tell(unit, row.id, changes, cause=received.envelope)
        return
    if row.state == "sending":  # whoever does not get it from this dialogue is not tried again
        await unit.conn.execute(update(OUTGOING).where(OUTGOING.c.id == row.id).values(cancel_asked=True))
    if row.state in {"sending", "sent"}:
        late = {one.address: (DeliveryState.TOO_LATE, "") for one in people if one.state in {*OPEN, DeliveryState.SENT}}
        await tell(unit, row.id, late, cause=received.envelope, keep=False)
    # The newest news of a mail that went out stays that it went out.
    await tell(unit, row.id, {one.address: (DeliveryState(one.state), one.detail) for one in people if one.state not in OPEN})


async def repeat(unit: Unit, received: Received[OutgoingMail]) -> None:
    """Tell the stored states again, under the ids they had."""
    row = await known(unit.conn, received.body.outgoing_id)
    if row is None:
        return
    for one in await recipients_of(unit.conn, [row.id]):
        emit_state(unit, row, one.address, DeliveryState(one.state), one.detail, one.sequence, one.at, received.envelope, one.alias)


async def tell(unit: Unit, outgoing_id: str, changes: Changes, *, cause: Envelope | None = None, keep: bool = True) -> None:
    """Set the recipients' states and emit them under the next sequence number. With `keep` false they are only told."""
    if not changes:
        return
    statement = update(OUTGOING).where(OUTGOING.c.id == outgoing_id).values(sequence=OUTGOING.c.sequence + 1)
    row = (await unit.conn.execute(statement.returning(OUTGOING))).one()
    now = unit.clock()
    if keep:
        values = [
            {"outgoing_id": outgoing_id, "address": address, "state": state, "detail": detail, "sequence": row.sequence, "at": now}
            for address, (state, detail) in changes.items()
        ]
        await set_states(unit.conn, values)
    for address, (state, detail) in changes.items():
        emit_state(unit, row, address, state, detail, row.sequence, now, cause or cause_of(row))


def cause_of(row: Row[Any]) -> Envelope:
    """The event that asked for the mail; its trace goes on, its number of resends does not."""
    return replace(read_envelope(row.cause), resend=0)


async def set_states(conn: AsyncConnection, values: list[dict[str, Any]]) -> None:
    """Write the newest states of known recipients, with their aliases where these are given."""
    statement = insert(RECIPIENTS).values(values)
    fields = values[0].keys() - {"outgoing_id", "address"}
    changed = {name: getattr(statement.excluded, name) for name in fields}
    await conn.execute(statement.on_conflict_do_update(index_elements=[RECIPIENTS.c.outgoing_id, RECIPIENTS.c.address], set_=changed))


def emit_state(
    unit: Unit,
    row: Row[Any],
    address: str,
    state: DeliveryState,
    detail: str,
    sequence: int,
    at: datetime,
    cause: Envelope,
    alias: str | None = None,
) -> None:
    """Tell one recipient's state."""
    body = MailDelivery(
        outgoing_id=row.id,
        ticket_id=row.ticket_id,
        message_id=row.message_id,
        recipient=address,
        state=state,
        sequence=sequence,
        detail=detail,
        alias=alias,
        text=row.text,
        at=at,
    )
    event_id = derived_id(row.id, address, sequence, "delivery")
    unit.emit(MAIL_DELIVERIES, event_id=event_id, key=str(row.ticket_id), body=body, cause=cause)


def retry_refusal(row: Row[Any], people: Sequence[Row[Any]], now: datetime) -> str | None:
    """Why `try_again` would be wrong; None where it is right."""
    if row.event.get("type") != "send":
        return "Its content was erased, or never came."
    if row.state in {"queued", "delayed"}:
        undo = row.not_before is not None and row.not_before > now
        return "It can still be taken back: it leaves by itself when that time is over." if undo else None
    if row.state not in {"failed", "sent"}:
        return f"The mail is {row.state}; only a failed or delayed one is tried again."
    if any(one.state in AGAIN and one.mailbox for one in people):
        return None
    return "The mail is sent to everybody." if row.state == "sent" else "None of its recipients is an address that mail can be sent to."


async def try_again(unit: Unit, row: Row[Any]) -> None:
    """A person asks for another try now: failed and delayed recipients get one, for the whole time of retries.

    A claim stays, as whoever has it is about to try. Where nobody can have the mail yet it is made anew: what was refused may have been
    the address it was from, which somebody has corrected since.
    """
    people = await recipients_of(unit.conn, [row.id])
    changes = {one.address: (DeliveryState.ACCEPTED, "tried again by hand") for one in people if one.state in AGAIN and one.mailbox}
    values: dict[str, Any] = {"state": "queued", "next_try_at": func.now(), "first_try_at": None, "failures": 0, "cancel_asked": False}
    claimed = row.claimed_until is not None and row.claimed_until > unit.clock()
    if row.mime_key and not (claimed or row.unanswered or any(one.state == DeliveryState.SENT for one in people)):
        values |= {"mime_key": None, "envelope_from": None, "text": None, "blobs": sorted({*row.blobs, row.mime_key})}
    await unit.conn.execute(update(OUTGOING).where(OUTGOING.c.id == row.id).values(values))
    await tell(unit, row.id, changes)
    await wake(unit.conn)


async def page(
    conn: AsyncConnection, *, ticket_id: int | None, state: str | None, before: int | None, limit: int
) -> tuple[list[Row[Any]], dict[str, list[str]]]:
    """Newest first, with each mail's recipients."""
    query = select(OUTGOING).order_by(OUTGOING.c.position.desc()).limit(limit)
    for column, value in ((OUTGOING.c.ticket_id, ticket_id), (OUTGOING.c.state, state)):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(OUTGOING.c.position < before)
    rows = list((await conn.execute(query)).all())
    people: dict[str, list[str]] = {row.id: [] for row in rows}
    for one in await recipients_of(conn, people):
        people[one.outgoing_id].append(one.address)
    return rows, people
