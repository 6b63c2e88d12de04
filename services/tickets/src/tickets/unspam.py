"""Taking an entry off the spam list, and what it removed and held back again (design section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from shared.http import not_found
from shared.messaging.outbox import Unit
from tickets.adapters.operators import add_operators
from tickets.adapters.spam_store import (
    SPAM_REASON,
    Place,
    count_concerned,
    get_sender,
    held_mails,
    listed,
    lock_senders,
    lock_tickets,
    release_mails,
    remove_sender,
    removed_tickets,
)
from tickets.domain.spam import entries_for
from tickets.events import emit_outcome
from tickets.jobs import Progress
from tickets.spam import restore_all

JOB_KIND = "unspam"
TICKETS_AT_ONCE = 50
MAILS_AT_ONCE = 200


async def remove_entry(unit: Unit, sender_id: str, actor: str) -> None:
    """Take an entry off the list; what it removed stays removed. Raises ProblemError 404."""
    entry = await get_sender(unit.conn, sender_id)
    if entry is None:
        raise not_found("entry of the spam list", sender_id)
    await add_operators(unit.conn, [actor])
    await lock_senders(unit.conn, [entry.folded])
    await remove_sender(unit.conn, sender_id)


async def job_of(unit: Unit, sender_id: str) -> tuple[dict[str, Any], int]:
    """Input and total of a job that takes an entry off the list and restores what it concerned. Raises ProblemError 404."""
    entry = await get_sender(unit.conn, sender_id)
    if entry is None:
        raise not_found("entry of the spam list", sender_id)
    return {"sender_id": entry.id, "entry": entry.folded}, await count_concerned(unit.conn, entry.folded)


async def restore_next(unit: Unit, job: Row[Any]) -> Progress:
    """A step of `DELETE /spam-senders/{id}?restore=true`: first the entry alone, so that nothing new is stopped; then tickets, then mails.

    `at` in the result is where the walk has come; it is gone at the end.
    """
    entry: str = job.input["entry"]
    if job.result is None:
        await add_operators(unit.conn, [job.actor])
        await lock_senders(unit.conn, [entry])
        await remove_sender(unit.conn, job.input["sender_id"])
        return Progress(0, {"restored": 0, "released": 0, "kept": 0, "at": ["tickets"]})
    counts = {name: job.result[name] for name in ("restored", "released", "kept")}
    what, *place = job.result["at"]
    after: Place | None = (place[0], place[1]) if place else None
    if what == "tickets":
        places = await removed_tickets(unit.conn, entry, after, TICKETS_AT_ONCE)
        counts["restored"] += (restored := await _restore(unit, places, job.actor))
    else:
        places = await held_mails(unit.conn, entry, after, MAILS_AT_ONCE)
        counts["released"] += (restored := await _release(unit, places))
    counts["kept"] += len(places) - restored
    if places:
        return Progress(job.done + len(places), {**counts, "at": [what, *places[-1]]})
    return Progress(job.done, {**counts, "at": ["mails"]}) if what == "tickets" else Progress(job.done, counts, "done")


async def _restore(unit: Unit, places: Sequence[Place], actor: str) -> int:
    free = [int(number) for number in await _free(unit, places)]
    rows = [row for row in await lock_tickets(unit.conn, free) if row.deleted_reason == SPAM_REASON]
    await restore_all(unit, rows, actor)
    return len(rows)


async def _release(unit: Unit, places: Sequence[Place]) -> int:
    released = await release_mails(unit.conn, [str(mail_id) for mail_id in await _free(unit, places)], unit.clock())
    for mail in released:
        emit_outcome(unit, mail, None)
    return len(released)


async def _free(unit: Unit, places: Sequence[Place]) -> list[str | int]:
    """Those whose senders no other entry concerns."""
    stops = {sender: set(entries_for(sender)) for sender, _ in places}
    on_list = await listed(unit.conn, set().union(*stops.values()))
    return [key for sender, key in places if stops[sender].isdisjoint(on_list)]
