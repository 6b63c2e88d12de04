"""The outgoing ledger: every answer once, its recipients' states, and the events that tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.tables import OUTGOING, RECIPIENTS, TRIES
from notifier.domain.compose import recipients, subject_of
from notifier.domain.schedule import OPEN
from shared.events import DeliveryState, MailDelivery, OutgoingMail, OutgoingMode, derived_id
from shared.messaging.envelope import Envelope, read_envelope
from shared.messaging.outbox import Unit
from shared.messaging.received import Received
from shared.topics import MAIL_DELIVERIES

WAKE_CHANNEL = "outgoing"
"""LISTEN/NOTIFY channel on which sending loops are woken."""
NOT_AN_ADDRESS = "not an address that mail can be sent to"
REPLAYED = "a replay sends no mail"
BEFORE_SENDING = frozenset({"queued", "delayed"})
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


async def enter(unit: Unit, received: Received[OutgoingMail], refused: str | None = None) -> bool:
    """A mail not known yet: accepted for sending, or with `refused` kept as cancelled, so that no later copy of the event sends it.

    False, and nothing done, where it is known.
    """
    mail, now = received.body, unit.clock()
    boxes = recipients(mail)
    row = {
        "id": mail.outgoing_id,
        "ticket_id": mail.ticket_id,
        "scanner_id": mail.scanner_id,
        "message_id": mail.message_id.replace("\x00", ""),
        "subject": subject_of(mail),
        "event": _without_nul(mail.model_dump(mode="json", by_alias=True, exclude_none=True)),
        "cause": dict(received.record.headers),
        "owner": _owner(mail),
        "state": "queued",
        "next_try_at": max(now, mail.not_before) if mail.not_before else now,
        "not_before": mail.not_before,
        "sequence": 1,
    }
    if refused or not any(boxes.values()):
        row |= {"state": "cancelled" if refused else "failed", "last_error": refused or "none of its recipients is an address"}
    entered = (await unit.conn.execute(insert(OUTGOING).values(row).on_conflict_do_nothing().returning(OUTGOING))).first()
    if entered is None:
        return False
    people = [{"address": one, "mailbox": box, **_first_state(box, refused)} for one, box in boxes.items()]
    if people:
        await unit.conn.execute(insert(RECIPIENTS), [{**one, "outgoing_id": entered.id, "sequence": 1, "at": now} for one in people])
    for one in people:
        emit_state(unit, entered, one["address"], one["state"], one["detail"], 1, now, received.envelope)
    await wake_once(unit)
    return True


def _owner(mail: OutgoingMail) -> str | None:
    """Whose own account it goes through where that person has one."""
    return mail.operator.replace("\x00", "")[:400] if mail.operator and mail.mode is OutgoingMode.PERSONAL else None


def _first_state(mailbox: str | None, refused: str | None) -> dict[str, Any]:
    if refused:
        return {"state": DeliveryState.CANCELLED, "detail": refused}
    return {"state": DeliveryState.ACCEPTED, "detail": ""} if mailbox else {"state": DeliveryState.FAILED, "detail": NOT_AN_ADDRESS}


async def cancel(unit: Unit, received: Received[OutgoingMail], row: Row[Any]) -> None:
    """Cancel wins until the dialogue starts; afterwards it is too late, and what became of the mail is told (again)."""
    people = await recipients_of(unit.conn, [row.id])
    if row.state in BEFORE_SENDING:
        changes = {one.address: (DeliveryState.CANCELLED, "") for one in people if one.state in OPEN}
        state = "sent" if any(one.state == DeliveryState.SENT for one in people) else "cancelled"
        await unit.conn.execute(update(OUTGOING).where(OUTGOING.c.id == row.id).values(state=state, next_try_at=None))
        await tell(unit, row.id, changes, cause=received.envelope)
        return
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


async def try_again(unit: Unit, row: Row[Any]) -> None:
    """A person asks for another try now: failed and delayed recipients get one, for the whole time of retries."""
    people = await recipients_of(unit.conn, [row.id])
    again = {DeliveryState.FAILED, *OPEN}
    changes = {one.address: (DeliveryState.ACCEPTED, "tried again by hand") for one in people if one.state in again and one.mailbox}
    values = {"state": "queued", "next_try_at": func.now(), "first_try_at": None, "failures": 0, "claimed_by": None, "claimed_until": None}
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


def _without_nul(value: Any) -> Any:
    """Postgres' jsonb takes no NUL."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {name: _without_nul(item) for name, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value
