"""Tickets somebody must look at, because a mail of ours did not arrive or was taken back too late; and the notice to the assignee."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from shared.events import CommandKind, OutgoingMode, TicketEventType, derived_id
from shared.mail.model import Address
from shared.messaging.outbox import Unit
from shared.observability import get_logger
from tickets.adapters import reports
from tickets.adapters.automatic import Counted, hold, over_limit, read_limits
from tickets.adapters.deliveries import answers_of
from tickets.adapters.desk import own_addresses
from tickets.adapters.message_store import get_message, wrote_since
from tickets.adapters.save import Done
from tickets.automatic import Automatic, not_sent, send_automatic
from tickets.changing import Act, change
from tickets.domain.attention import attention, notice
from tickets.domain.deliveries import GOT, WAITING, Moved, status_before
from tickets.domain.keys import counted_key, is_mail_address
from tickets.domain.plus import is_ours
from tickets.domain.state import Desk

log = get_logger("attention")
ANSWERS: Final = frozenset({None, OutgoingMode.INFO.value, OutgoingMode.PERSONAL.value})
"""Modes whose failure is told to the assignee. That of an automatic mail never makes another mail."""


async def follow(
    unit: Unit, ticket: Row[Any], answer: reports.Answer, moves: Sequence[Moved], act: Act, *, somebody_lost: bool = False
) -> bool:
    """What the new states of the answer's recipients mean for its ticket, both locked; whether the ticket changed, which was told then.

    Failures, and what left although it was taken back, are flagged; what is good again is not any more, nor what somebody did not get
    before an answer that reached them. `somebody_lost`: a bounce names none of the recipients.
    """
    late = [one for one in moves if one.left] if answer.cancelled_at else []
    flagged = [one.recipient for one in moves if one.lost or one in late]
    good = [one.recipient for one in moves if (one.found or one.in_time) and one.recipient not in flagged]
    got = [one.recipient for one in moves if one.after in GOT] if ticket.attention is not None else []
    if not (answer.cancelled_at or flagged or good or got or somebody_lost):
        return False
    await reports.unflag_recipients(unit.conn, answer.id, good)
    await reports.unflag_older(unit.conn, answer, got)
    await reports.flag(unit.conn, answer.id, flagged)
    status = await _status(unit, ticket, answer, late=bool(late), in_time=any(one.in_time for one in moves))
    changed = await _refresh(unit, ticket, act, status)
    lost = somebody_lost or any(one.lost for one in moves)
    if lost and answer.mode in ANSWERS and answer.cancelled_at is None and ticket.deleted_at is None:
        await _tell_assignee(unit, ticket, answer.id)
    return changed


async def _status(unit: Unit, ticket: Row[Any], answer: reports.Answer, *, late: bool, in_time: bool) -> dict[str, str]:
    """An answer that left all the same has the ticket wait again, unless anybody did something about the ticket since."""
    if late and answer.restored_status is not None and ticket.status == answer.restored_status:
        since: datetime | None = answer.cancelled_at
        if since is not None and not await wrote_since(unit.conn, ticket.id, since):
            return {"status": WAITING}
    if in_time and answer.restored_status is not None and ticket.status == WAITING:
        before = status_before(await answers_of(unit.conn, ticket.id), answer.id)
        return {"status": before} if before else {}
    return {}


async def _refresh(unit: Unit, ticket: Row[Any], act: Act, values: Mapping[str, Any]) -> bool:
    """The flag of the locked ticket says what is left to look at; whether that, or the values, changed."""
    text = attention(await reports.failures_of(unit.conn, ticket.id))
    changed = {**values, **({"attention": text} if text != ticket.attention else {})}
    if not changed:
        return False
    await change(unit, ticket, changed, act)
    return True


async def _tell_assignee(unit: Unit, ticket: Row[Any], answer_id: str) -> None:
    """Once per answer, whoever of its recipients fails later."""
    to, scanner_id = ticket.assignee or "", ticket.scanner_id
    own = await own_addresses(unit.conn)
    if not is_mail_address(to) or is_ours(to, own) or scanner_id is None:
        return
    what = Automatic(
        id=derived_id(answer_id, "notice"),
        ticket_id=ticket.id,
        scanner_id=scanner_id,
        mode=OutgoingMode.NOTICE,
        to=Address(address=to),
        title=ticket.title,
        text=notice(ticket.id, ticket.title, await reports.failures_of(unit.conn, ticket.id, answer_id)),
    )
    if await get_message(unit.conn, what.id) is not None:
        return
    counted = _counted(ticket.assignee, scanner_id, what.id)
    await hold(unit.conn, [counted])
    if over := await over_limit(unit.conn, counted, await read_limits(unit.conn), unit.clock()):
        log.warning("a limit stopped a notice", ticket=ticket.id, scanner=scanner_id, reason=over)
        await not_sent(unit, what, over, "limited")
    else:
        await send_automatic(unit, what)


def notices(done: Sequence[Done], desk: Desk) -> list[Counted]:
    """What the limits have to be held for, should these mails be bounces of answers."""
    found = (
        desk.tickets.get(one.effects.mail.ticket_id)
        for one in done
        if one.effects.about and one.effects.mail and one.effects.mail.ticket_id is not None and one.command.kind is CommandKind.BOUNCE
    )
    return [_counted(ticket.assignee, ticket.scanner_id) for ticket in found if ticket is not None]


def notices_of(tickets: Iterable[Row[Any]]) -> list[Counted]:
    """The same, should answers on these tickets fail."""
    return [_counted(ticket.assignee, ticket.scanner_id) for ticket in tickets]


def _counted(assignee: str | None, scanner_id: str | None, notice_id: str = "") -> Counted:
    return Counted(notice_id, counted_key(assignee or ""), scanner_id or "", OutgoingMode.NOTICE)


def act_of(actor: str, answer_id: str, mail_id: str | None = None) -> Act:
    """A flag is set or taken off by a mail that came back, or by the notifier's news."""
    return Act(actor, TicketEventType.DELIVERY, message_id=answer_id, mail_id=mail_id)
