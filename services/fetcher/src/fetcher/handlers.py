"""The consumer of outcomes: it writes the ledger, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from fetcher.adapters import ledger
from shared.events import MailOutcome
from shared.messaging.outbox import Unit
from shared.messaging.received import Received
from shared.observability import OUTCOMES, get_logger

log = get_logger("outcomes")


async def on_outcomes(unit: Unit, received: Sequence[Received[MailOutcome]]) -> None:
    """All outcomes of a transaction with one statement; of several for one mail the greatest (run, revision) holds."""
    newest: dict[str, MailOutcome] = {}
    for one in received:
        outcome = one.body
        known = newest.get(outcome.mail_id)
        if known is None or (outcome.run, outcome.revision) > (known.run, known.revision):
            newest[outcome.mail_id] = outcome
    await ledger.put_outcomes(unit.conn, newest.values())


async def on_outcome(_: Unit, received: Received[MailOutcome]) -> None:
    """The record's own part: its outcome was written with the transaction's others."""
    OUTCOMES.labels(received.body.type.value).inc()
    log.info("outcome", mail_id=received.body.mail_id, outcome=received.body.type.value, ticket=received.body.ticket_id)
