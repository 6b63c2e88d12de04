"""Writes what a batch of commands did: numbers first, then one statement per table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events import TicketCommand
from tickets.adapters.bulk import insert_rows, update_rows
from tickets.adapters.change_rows import change_rows
from tickets.adapters.rows import Row, attachment_rows, lead_address_row, lead_row, mail_row, message_row, ticket_row
from tickets.adapters.search_queue import read_again
from tickets.adapters.tables import (
    attachments,
    mails,
    message_ids,
    messages,
    participants,
    record_addresses,
    records,
    spam_senders,
    ticket_changes,
    tickets,
    watchers,
)
from tickets.domain.learned import learned_ids, people, watching
from tickets.domain.state import MAIL_ORIGIN, REFERRED_ORIGIN, Change, Desk, Effects, NewLead

_UPGRADED = (
    f"on conflict (message_id, ticket_id) do update set origin = excluded.origin, mail_history_id = excluded.mail_history_id "
    f"where message_ids.origin = '{REFERRED_ORIGIN}' and excluded.origin = '{MAIL_ORIGIN}'"
)
"""An id that was only referred to becomes a mail's when that mail comes; an id of ours stays ours."""
_NEXT_HISTORY_IDS = text("select nextval('history') from generate_series(1, :count)")
_NEXT_NUMBERS = text("select nextval(pg_get_serial_sequence('tickets', 'id')) from generate_series(1, :count)")


@dataclass(frozen=True)
class Done:
    """One command with its effects."""

    command: TicketCommand
    effects: Effects


class Numbers:
    """The stored numbers of provisional ones."""

    def __init__(self, given: dict[int, int]) -> None:
        self._given = given

    def __call__(self, ticket_id: int | None) -> int | None:
        return self._given.get(ticket_id, ticket_id) if ticket_id is not None else None


async def next_history_ids(conn: AsyncConnection, count: int) -> list[int]:
    """Places in the history for so many commands; taken when all their locks are held."""
    return sorted((await conn.execute(_NEXT_HISTORY_IDS, {"count": count})).scalars())


async def save(conn: AsyncConnection, done: Sequence[Done], desk: Desk) -> Numbers:
    """Store all effects; returns the ticket numbers that were given. Tickets keep the order in which they were opened."""
    opened = [one for one in done if one.effects.change is Change.OPENED]
    number = await _numbers(conn, opened)
    await _save_leads(conn, [one.effects.lead for one in done if one.effects.lead is not None])
    await insert_rows(conn, tickets, [row for one in opened if (row := _ticket(one, number))])
    await _update_tickets(conn, done, desk, number)
    await _upsert_mails(conn, [mail_row(one.effects.mail, number) for one in done if one.effects.mail is not None])
    await _save_messages(conn, [one for one in done if one.effects.ticket is not None], desk, number)
    changes = change_rows((one.effects for one in done), number)
    await insert_rows(conn, ticket_changes, changes)
    await read_again(conn, {row["ticket_id"] for row in changes})
    await count_hits(conn, [one.effects.hit for one in done if one.effects.hit is not None])
    return number


async def _numbers(conn: AsyncConnection, opened: Sequence[Done]) -> Numbers:
    if not opened:
        return Numbers({})
    given = sorted((await conn.execute(_NEXT_NUMBERS, {"count": len(opened)})).scalars())
    provisional = [one.effects.ticket.id for one in opened if one.effects.ticket is not None]
    return Numbers(dict(zip(provisional, given, strict=True)))


def _ticket(one: Done, number: Numbers) -> Row | None:
    effects, mail = one.effects, one.command.mail
    if effects.ticket is None or effects.mail is None or mail is None:
        return None
    return ticket_row(effects.ticket, one.command, mail, effects.mail, number)


async def _save_leads(conn: AsyncConnection, leads: Sequence[NewLead]) -> None:
    """A lead with the id is one that the same mail made in an earlier run, and that has lost the address since."""
    await insert_rows(conn, records, [lead_row(lead) for lead in leads], "on conflict (id) do nothing")
    await insert_rows(conn, record_addresses, [lead_address_row(lead) for lead in leads])


async def _update_tickets(conn: AsyncConnection, done: Sequence[Done], desk: Desk, number: Numbers) -> None:
    changed = {one.effects.ticket.id for one in done if one.effects.change is Change.APPENDED and one.effects.ticket is not None}
    if not changed:
        return
    rows = [
        {
            "id": number(ticket.id),
            "status": ticket.status,
            "priority": ticket.priority,
            "category": ticket.category,
            "assignee": ticket.assignee,
            "tags": ticket.tags,
            "closed_at": ticket.closed_at,
            "version": ticket.version,
        }
        for ticket in (desk.tickets[ticket_id] for ticket_id in sorted(changed))
    ]
    await update_rows(conn, tickets, rows, "id", "updated_at = now()")


async def _upsert_mails(conn: AsyncConnection, rows: list[Row]) -> None:
    """Of two outcomes of one mail in a batch the later one holds."""
    changes = ", ".join(f"{column.name} = excluded.{column.name}" for column in mails.c if column.name != "mail_id")
    newest = {row["mail_id"]: row for row in rows}
    await insert_rows(conn, mails, list(newest.values()), f"on conflict (mail_id) do update set {changes}")


async def _save_messages(conn: AsyncConnection, done: Sequence[Done], desk: Desk, number: Numbers) -> None:
    message_rows: list[Row] = []
    files: list[Row] = []
    ids: dict[tuple[str, int | None], Row] = {}
    takers: dict[tuple[str, int | None], Row] = {}
    watched: dict[tuple[str, int | None], Row] = {}
    for one in done:
        mail, state, ticket = one.command.mail, one.effects.mail, one.effects.ticket
        if mail is None or state is None or ticket is None:
            continue
        ticket_id = number(ticket.id)
        message_rows.append(message_row(one.command, mail, state, ticket_id))
        files.extend(attachment_rows(one.command, mail, ticket_id))
        for key, origin in learned_ids(mail):
            row = ids.setdefault((key, ticket_id), _id_row(key, ticket_id, one.command.scanner_id, state.history_id))
            if origin == MAIL_ORIGIN and row["origin"] != MAIL_ORIGIN:
                row.update(origin=MAIL_ORIGIN, mail_history_id=state.history_id)
        for address in people(mail, desk.own):
            takers.setdefault((address, ticket_id), {"ticket_id": ticket_id, "address": address, "history_id": state.history_id})
        for key, copied in watching(mail, desk.own).items():
            row = {"ticket_id": ticket_id, "folded": key, "address": copied.address.strip(), "name": copied.name}
            watched.setdefault((key, ticket_id), row)
    await insert_rows(conn, messages, message_rows)
    await insert_rows(conn, attachments, files)
    await insert_rows(conn, participants, list(takers.values()), "on conflict do nothing")
    await insert_rows(conn, watchers, list(watched.values()), "on conflict do nothing")
    await insert_rows(conn, message_ids, list(ids.values()), _UPGRADED)


def _id_row(key: str, ticket_id: int | None, scanner_id: str, history_id: int) -> Row:
    return {
        "message_id": key,
        "ticket_id": ticket_id,
        "scanner_id": scanner_id,
        "origin": REFERRED_ORIGIN,
        "history_id": history_id,
        "mail_history_id": None,
    }


async def count_hits(conn: AsyncConnection, hits: Sequence[str]) -> None:
    """Raise the counters of the spam list's entries, in the order of their addresses so that two batches never wait for each other."""
    rows = [{"key": address, "more": hits.count(address)} for address in sorted(set(hits))]
    if rows:
        values = {"hits": spam_senders.c.hits + bindparam("more"), "last_hit_at": func.now()}
        await conn.execute(update(spam_senders).where(spam_senders.c.folded == bindparam("key")).values(values), rows)
