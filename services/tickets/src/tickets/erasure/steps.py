"""This service's own part of an erasure, in bounded steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row

from shared.archive import Archive
from shared.erasure.eraser import Erasing, Step, Stepped
from shared.erasure.messages import messaging_steps
from shared.erasure.person import ERASED, GONE_REASON, Person
from shared.events import TicketEventType
from shared.messaging.outbox import Unit
from tickets.adapters import erasure_others as others
from tickets.adapters import erasure_tickets as stored
from tickets.adapters import erasure_written as written
from tickets.adapters.erasure_tickets import Part
from tickets.domain.keys import id_key
from tickets.events import emit_ticket_event
from tickets.unwanted import remove_unwanted

BY: Final = "system"
KEPT_TICKETS: Final = "Of tickets the person opened: number, status, dates, history, and what you wrote to the person, without recipient."
FORGOTTEN: Final = frozenset({"quoted", "in_reply_to", "references", "parts"})
"""Of an answer: what is the person's own, or the person's files."""
KEPT_MAILS: Final = "Of each mail removed: its id and outcome, so that it is never handled again."


async def clean_tickets(unit: Unit, erasing: Erasing, place: int | None) -> Stepped:
    """The next tickets with all that belongs to them."""
    after = place or 0
    last = await stored.last_of(unit.conn, after)
    if last is None:
        return Stepped()
    part = Part(erasing.person, erasing.before, erasing.begun_at, after, last)
    concerned = await stored.tickets_of(unit.conn, part)
    opened = [row for row in concerned if row.opened]
    numbers = [row.id for row in opened]
    messages = await _clean_messages(unit, part)
    await stored.empty_tickets(unit.conn, opened)
    await stored.put_recipients(unit.conn, [_recipients(row, part.person) for row in concerned if not row.opened])
    changes = await stored.changes_of(unit.conn, part, numbers)
    await stored.put_changes(unit.conn, [_change(row, part.person, frozenset(numbers)) for row in changes])
    answers = await stored.outgoing_of(unit.conn, part, numbers)
    await stored.put_outgoing(unit.conn, [_answer(row, part.person) for row in answers])
    await stored.forget_references(unit.conn, [row.message_id for row in answers])
    files = await written.forget_files(unit.conn, part, numbers, [row.message_id for row in answers])
    drafts = await _clean_drafts(unit, part, numbers)
    left = [row.id for row in concerned if not row.alive]
    await stored.forget_people(unit.conn, part, left, [row.message_id for row in answers])
    touched = {row.id for row in concerned} | messages["tickets"]
    await stored.forget_shown(unit.conn, sorted(touched))
    _tell(unit, erasing, opened)
    removed = {"tickets": len(opened), "messages": messages["theirs"], "attachments": messages["attachments"], "answers": len(answers)}
    removed |= {"uploads": files, "drafts": drafts}
    return Stepped(last, removed, [KEPT_TICKETS] if opened else [])


async def _clean_drafts(unit: Unit, part: Part, opened: Sequence[int]) -> int:
    """Those on tickets the person opened go; returns how many. In others the address is replaced."""
    for row in await written.drafts_naming(unit.conn, part):
        await written.put_draft_text(unit.conn, row, part.person.without(row.body), part.person.without(row.cc))
    return await written.forget_drafts(unit.conn, part, opened)


async def _clean_messages(unit: Unit, part: Part) -> dict[str, Any]:
    """What it did: messages of the person, their attachments, the tickets concerned."""
    rows = await stored.messages_of(unit.conn, part)
    theirs = [row for row in rows if row.direction == "in" and part.person.owns(row.sender)]
    ids = [id_key(row.message_id) for row in theirs if row.message_id]
    attachments = await stored.empty_messages(unit.conn, [row.id for row in theirs], ids) if theirs else 0
    await stored.put_messages(unit.conn, [_message(row, part.person) for row in rows if row not in theirs])
    return {"theirs": len(theirs), "attachments": attachments, "tickets": {row.ticket_id for row in rows}}


async def clean_mails(unit: Unit, erasing: Erasing, place: str | None) -> Stepped:
    """The next mails' outcomes."""
    after = place or ""
    last = await others.last_mail(unit.conn, after)
    if last is None:
        return Stepped()
    rows = await others.mails_of(unit.conn, erasing.person, erasing.before, erasing.mails, after, last)
    named = frozenset(erasing.mails)
    theirs = [row for row in rows if row.mail_id in named or row.sender_folded == erasing.person.folded]
    gone = [{"key": row.mail_id, "why": GONE_REASON, "who": None} for row in theirs]
    rest = [{"key": row.mail_id, "why": erasing.person.without(row.reason), "who": row.sender_folded} for row in rows if row not in theirs]
    await others.put_mails(unit.conn, gone + rest)
    return Stepped(last, {"mails": len(theirs)}, [KEPT_MAILS] if theirs else [])


async def clean_registry(unit: Unit, erasing: Erasing, _: Any) -> Stepped:
    """Contacts, accounts and leads with the address."""
    rows = await others.records_of(unit.conn, erasing.person, erasing.begun_at)
    whole = [row.id for row in rows if row.alone]
    await others.remove_from_records(unit.conn, erasing.person, [row.id for row in rows], whole)
    removed = {"records": len(whole), "addresses_of_records": len(rows)}
    return Stepped(len(rows) if len(rows) == others.ROWS else None, removed)


async def clean_lists(unit: Unit, erasing: Erasing, _: Any) -> Stepped:
    """The spam list, and texts of people's own: notes of records, saved views, ended jobs, files of imports."""
    listed = await others.remove_from_spam_list(unit.conn, erasing.person)
    cleaned = await others.clean_texts(unit.conn, erasing.person)
    return Stepped(cleaned if cleaned >= others.ROWS else None, {"spam_senders": listed, "texts": cleaned})


def steps(archive: Archive) -> list[Step]:
    """In their order."""

    async def clean_archive(unit: Unit, _: Erasing, place: int | None) -> Stepped:
        """The bytes of uploaded files that the steps before left to nobody."""
        removed, more = await remove_unwanted(unit, archive, unit.clock())
        return Stepped((place or 0) + 1 if more else None, {"archived": removed})

    return [clean_tickets, clean_mails, clean_registry, clean_lists, clean_archive, *messaging_steps()]


def _message(row: Row[Any], person: Person) -> dict[str, Any]:
    """Of other people's messages their people; of ours the text, too."""
    people = {f"new_{name}": person.without(getattr(row, name)) for name in ("reply_to", "recipients", "cc")}
    return {"key": row.id, **people, "new_text": person.without(row.text) if row.direction == "out" else row.text}


def _recipients(row: Row[Any], person: Person) -> dict[str, Any]:
    return {"key": row.id, "others": person.without(list(row.recipients))}


def _change(row: Row[Any], person: Person, opened: frozenset[int]) -> dict[str, Any]:
    told: Sequence[dict[str, Any]] = person.without(row.changes)
    if row.ticket_id in opened:
        told = [{**one, "before": ERASED, "after": ERASED} if one.get("field") in {"title", "external_code"} else one for one in told]
    return {"key": row.id, "who": person.without(row.actor), "told": told}


def _answer(row: Row[Any], person: Person) -> dict[str, Any]:
    """On a ticket of the person, or to the person: what it quotes and its subject are the person's. It is not sent again."""
    left = {name: value for name, value in person.without(row.body).items() if name not in FORGOTTEN}
    return {"key": row.message_id, "content": left | {"title": ERASED}, "open": False}


def _tell(unit: Unit, erasing: Erasing, opened: Sequence[Row[Any]]) -> None:
    """Pages that show the tickets look again."""
    for row in opened:
        emit_ticket_event(unit, TicketEventType.UPDATED, row.id, ERASED, actor=BY, at=unit.clock(), of=(erasing.erasure_id, "erased"))
