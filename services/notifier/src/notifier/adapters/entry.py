"""Answers that come into the outgoing ledger, each once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, func, select, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters import ledger
from notifier.adapters.tables import OUTGOING, RECIPIENTS, SCANNERS, SENDERS
from notifier.domain.compose import AUTOMATIC, recipients, subject_of
from notifier.domain.headers import objection
from notifier.domain.schedule import mail_state
from shared.events import DeliveryState, OutgoingMail, OutgoingMode
from shared.mail.addresses import without_tag
from shared.messaging.outbox import Unit
from shared.messaging.received import Received

NO_ADDRESS = "none of its recipients is an address"
OURS = "its recipient is an address of ours"
REPLAYED = "a replay sends no mail"
CANCELLED_FIRST = "cancelled before it came"
States = Mapping[str, tuple[DeliveryState, str]]
"""Recipient → first state with its reason."""


async def enter(unit: Unit, received: Received[OutgoingMail], refused: str | None = None) -> bool:
    """A mail not known yet: accepted for sending, or with `refused` kept as cancelled, so that no later copy of the event sends it.

    False, and nothing done, where it is known.
    """
    mail, now = received.body, unit.clock()
    boxes = recipients(mail)
    states = await _first_states(unit.conn, mail, boxes, refused)
    row = _content(received) | {
        "id": mail.outgoing_id,
        "ticket_id": mail.ticket_id,
        "state": "queued",
        "next_try_at": max(now, mail.not_before) if mail.not_before else now,
        "not_before": mail.not_before,
        "sequence": 1,
    }
    if not any(state is DeliveryState.ACCEPTED for state, _ in states.values()):
        state = "cancelled" if refused else mail_state(one for one, _ in states.values())
        row |= {"state": state, "last_error": refused or (OURS if state == "cancelled" else NO_ADDRESS)}
    entered = (await unit.conn.execute(insert(OUTGOING).values(row).on_conflict_do_nothing().returning(OUTGOING))).first()
    if entered is None:
        return False
    await _enter_people(unit, received, entered, boxes, states)
    await ledger.wake_once(unit)
    return True


async def enter_cancelled(unit: Unit, received: Received[OutgoingMail]) -> None:
    """The mail of a cancel that came first, and had its ids alone: now that its recipients are known they are told."""
    mail = received.body
    row = await ledger.known(unit.conn, mail.outgoing_id)
    if row is None or row.last_error != CANCELLED_FIRST or await ledger.recipients_of(unit.conn, [row.id]):
        return
    boxes = recipients(mail)
    statement = update(OUTGOING).where(OUTGOING.c.id == row.id).values(_content(received) | {"sequence": row.sequence + 1})
    entered = (await unit.conn.execute(statement.returning(OUTGOING))).one()
    await _enter_people(unit, received, entered, boxes, dict.fromkeys(boxes, (DeliveryState.CANCELLED, CANCELLED_FIRST)))


async def _enter_people(
    unit: Unit, received: Received[OutgoingMail], row: Row[Any], boxes: Mapping[str, str | None], states: States
) -> None:
    """Enter the recipients, and tell their states."""
    now = unit.clock()
    if not boxes:
        return
    people = [
        {"outgoing_id": row.id, "address": one, "mailbox": box, "state": states[one][0], "detail": states[one][1]}
        for one, box in boxes.items()
    ]
    await unit.conn.execute(insert(RECIPIENTS), [one | {"sequence": row.sequence, "at": now} for one in people])
    for address, (state, detail) in states.items():
        ledger.emit_state(unit, row, address, state, detail, row.sequence, now, received.envelope)


async def _first_states(conn: AsyncConnection, mail: OutgoingMail, boxes: Mapping[str, str | None], refused: str | None) -> States:
    ours = await _ours(conn, [box for box in boxes.values() if box]) if mail.mode in AUTOMATIC and not refused else frozenset()

    def first(address: str, box: str | None) -> tuple[DeliveryState, str]:
        if refused:
            return DeliveryState.CANCELLED, refused
        if box is None:
            return DeliveryState.FAILED, f"the address {objection(address)}"
        return (DeliveryState.CANCELLED, OURS) if box in ours else (DeliveryState.ACCEPTED, "")

    return {address: first(address, box) for address, box in boxes.items()}


async def _ours(conn: AsyncConnection, boxes: Collection[str]) -> frozenset[str]:
    """Those that mailboxes or their identities receive at, also with a ticket's number behind a plus: a mail there comes back to us."""
    shared = SENDERS.c.owner.is_(None)
    known = union(
        select(func.lower(SENDERS.c.address)).where(shared),
        select(func.lower(SENDERS.c.reply_to)).where(shared),
        select(func.lower(SCANNERS.c.address)),
    )
    addresses = set((await conn.scalars(known)).all())
    return frozenset(box for box in boxes if addresses & {box.lower(), without_tag(box).lower()})


def _content(received: Received[OutgoingMail]) -> dict[str, Any]:
    """Columns that tell what the mail is."""
    mail = received.body
    return {
        "scanner_id": mail.scanner_id,
        "message_id": mail.message_id.replace("\x00", ""),
        "subject": subject_of(mail),
        "event": _without_nul(mail.model_dump(mode="json", by_alias=True, exclude_none=True)),
        "cause": dict(received.record.headers),
        "owner": _owner(mail),
    }


def _owner(mail: OutgoingMail) -> str | None:
    """Whose own account it goes through where that person has one."""
    return mail.operator.replace("\x00", "")[:400] if mail.operator and mail.mode is OutgoingMode.PERSONAL else None


def _without_nul(value: Any) -> Any:
    """Postgres' jsonb takes no NUL."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {name: _without_nul(item) for name, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value
