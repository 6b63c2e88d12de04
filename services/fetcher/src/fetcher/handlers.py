"""The consumer of outcomes: it writes the ledger, and nothing else. Whoever holds the mailbox moves its mails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters import ledger, moves
from fetcher.domain.moves import Targets, Whereabouts, same_folder, wanted_folder
from shared.events import MailOutcome, OutcomeType
from shared.messaging.outbox import Unit
from shared.messaging.received import Received
from shared.observability import OUTCOMES, get_logger

log = get_logger("outcomes")


async def on_outcomes(unit: Unit, received: Sequence[Received[MailOutcome]]) -> None:
    """All outcomes of a transaction with one statement; of several for one mail the greatest (run, revision) holds."""
    newest: dict[str, Received[MailOutcome]] = {}
    for one in received:
        known = newest.get(one.body.mail_id)
        if known is None or _order(one.body) > _order(known.body):
            newest[one.body.mail_id] = one
    effective = {mail_id: one.body for mail_id, one in newest.items() if one.envelope.replay is None}
    wanted = await _wanted(unit.conn, effective)
    await ledger.put_outcomes(unit.conn, [one.body for one in newest.values()])
    await moves.want(unit.conn, wanted)


async def on_outcome(_: Unit, received: Received[MailOutcome]) -> None:
    """The record's own part: its outcome was written with the transaction's others."""
    OUTCOMES.labels(received.body.type.value).inc()
    log.info("outcome", mail_id=received.body.mail_id, outcome=received.body.type.value, ticket=received.body.ticket_id)


def _order(outcome: MailOutcome) -> tuple[int, int]:
    return outcome.run, outcome.revision


async def _wanted(conn: AsyncConnection, outcomes: Mapping[str, MailOutcome]) -> dict[str, str | None]:
    """Mail id → folder to be moved to, None for where it is; only of mails whose outcome will be written. Asked before it is."""
    wanted: dict[str, str | None] = {}
    for mail_id, line in (await moves.movable(conn, list(outcomes))).items():
        outcome = outcomes[mail_id]
        if line.outcome_revision is not None and _order(outcome) <= (line.outcome_run, line.outcome_revision):
            continue
        targets = Targets(line.move_matched_to, line.move_unmatched_to, line.spam_folder)
        folder = wanted_folder(outcome.type, Whereabouts(line.folder, line.now, _before(line)), targets)
        # Where a move under way ends is not known yet, so the folder is named also when the mail was there before.
        stays = same_folder(folder, line.now) and line.moving_to is None
        wanted[mail_id] = None if stays else folder
    return wanted


def _before(line: Row[Any]) -> OutcomeType | None:
    """A line without outcome that has a revision was released: it was spam."""
    if line.outcome_type is None:
        return None if line.outcome_revision is None else OutcomeType.SPAM
    return OutcomeType(line.outcome_type)
