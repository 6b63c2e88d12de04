"""What the notifier does with events: it writes its ledger, nothing else. The sending loop works from the ledger."""

from __future__ import annotations

from notifier.adapters import entry, erasure, ledger, senders
from shared.events import OutgoingMail, ScannerSettings
from shared.messaging.outbox import Unit
from shared.messaging.received import Received
from shared.observability import get_logger

log = get_logger("handlers")


async def on_outgoing(unit: Unit, received: Received[OutgoingMail]) -> None:
    """Send, cancel, or say again what became of it."""
    mail = received.body
    if mail.type == "cancel":
        await _on_cancel(unit, received)
        return
    if await erasure.refuse(unit, received):
        return
    refused = entry.REPLAYED if received.envelope.replay else None
    if await entry.enter(unit, received, refused):
        facts = {"outgoing_id": mail.outgoing_id, "ticket_id": mail.ticket_id, "message_id": mail.message_id}
        log.info("replayed answer not sent" if refused else "answer accepted", replay=received.envelope.replay, **facts)
        return
    await entry.enter_cancelled(unit, received)
    if received.envelope.resend:
        await ledger.repeat(unit, received)


async def _on_cancel(unit: Unit, received: Received[OutgoingMail]) -> None:
    """A replayed cancel changes nothing. One that comes before its mail keeps the mail from ever leaving."""
    mail = received.body
    row = await ledger.known(unit.conn, mail.outgoing_id)
    if received.envelope.replay:
        return
    if row is None:
        await entry.enter(unit, received, refused=entry.CANCELLED_FIRST)
    else:
        await ledger.cancel(unit, received, row)
    log.info("answer cancelled", outgoing_id=mail.outgoing_id, ticket_id=mail.ticket_id, was=row.state if row else "unknown")


async def on_scanner(unit: Unit, received: Received[ScannerSettings]) -> None:
    """Remember from which address and through which identity a mailbox answers."""
    if received.tombstone:
        await senders.remove_scanner(unit.conn, received.key)
    else:
        await senders.save_scanner(unit.conn, received.body)
    await ledger.wake(unit.conn)
