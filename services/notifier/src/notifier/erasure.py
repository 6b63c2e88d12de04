"""The notifier's part of an erasure: the outgoing ledger and the bytes that were sent.

Of an answer to the address there stays that it was sent, and its ids. One that still waits for its first or next try is cancelled, unless
others wait for it too: then it is finished first. Other answers on the tickets the person was answered on lose their subject and the
text they quote, which are the person's; of any other answer that names the address only the address goes.
"""

from __future__ import annotations

from typing import Any, Final

from obstore.exceptions import BaseError
from sqlalchemy import Row

from notifier.adapters import erasure as answers
from notifier.delivery import keys_of
from shared.archive import Archive
from shared.erasure.eraser import Erasing, Step, Stepped
from shared.erasure.messages import messaging_steps
from shared.erasure.person import ERASED, Person
from shared.messaging.errors import UnavailableError
from shared.messaging.outbox import Unit

KEPT: Final = ("Of each answer to the address: that it was sent, when, and its Message-ID, so that it is never sent again.",)
UNFINISHED: Final = frozenset({"queued", "delayed", "failed"})


def steps(archive: Archive) -> list[Step]:
    """In their order."""

    async def erase_answers(unit: Unit, erasing: Erasing, place: int | None) -> Stepped:
        """The next answers."""
        after = place or 0
        last = await answers.last_of(unit.conn, after)
        if last is None:
            return Stepped()
        found = await answers.concerned(unit.conn, erasing.person, erasing.before, after, last)
        busy = next((row.position for row in found if row.in_hand or row.awaited), None)
        if busy is not None:
            last = busy - 1
        rows = [row for row in found if row.position <= last]
        theirs = [row.id for row in rows if row.theirs]
        archived = [row for row in rows if row.theirs or row.on_ticket]
        await _remove(archive, [key for row in archived for key in keys_of(row)])
        for row in rows:
            await answers.put(unit.conn, row.id, _left_of(row, erasing.person))
        await answers.forget_recipients(unit.conn, theirs, erasing.person)
        removed = {"answers": len(theirs), "archived": len(archived), "answers_of_others": len(rows) - len(theirs)}
        return Stepped(last, removed, KEPT if theirs else (), waits=busy is not None)

    return [erase_answers, *messaging_steps()]


def _left_of(row: Row[Any], person: Person) -> dict[str, Any]:
    """The new columns of an answer."""
    error = person.without(row.last_error)
    if row.theirs:
        state = "cancelled" if row.state in UNFINISHED else row.state
        return answers.without_content({"id": row.id, "ticket_id": row.ticket_id}) | {
            "state": state,
            "next_try_at": None,
            "last_error": None,
        }
    event = person.without(row.event)
    if not row.on_ticket:
        return {"event": event, "subject": person.without(row.subject), "last_error": error, "text": person.without(row.text)}
    event = {name: value for name, value in event.items() if name != "quoted"} | {"title": ERASED}
    return {"event": event, "subject": ERASED, "mime_key": None, "blobs": [], "last_error": error, "text": None}


async def _remove(archive: Archive, keys: list[str]) -> None:
    try:
        await archive.remove_many(keys)
    except (OSError, BaseError) as error:
        raise UnavailableError(f"the archive did not remove {len(keys)} answers: {type(error).__name__}") from error
