"""What the tickets' pages share: the desk's names, colleagues, mailboxes, one ticket with all that belongs to it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from console.backend import quoted
from console.pages import ticket_texts
from console.pages.mailboxes import scanners
from console.pages.page import Page
from shared.clock import utc_now
from shared.http import ProblemError

PAGE_MESSAGES = 200
MAX_MESSAGES = 1000
"""Of a longer ticket the newest are shown."""
MAX_READ = 10_000
PAGE_HISTORY = 50
OPEN_MESSAGES = 10
FOLDED_MESSAGES = 40
MAX_COLLEAGUES = 200

Item = dict[str, Any]


async def desk_settings(page: Page) -> Item:
    """How the desk names statuses, priorities, categories."""
    found: Item = await page.get("tickets", "/ticket-settings")
    return found


async def colleagues(page: Page) -> list[tuple[str, str]]:
    """Addresses and names of the console's users, for fields that ask for one."""
    listed = await page.deps.accounts.users.list(MAX_COLLEAGUES, None)
    return [(user.email, user.name) for user in listed.items]


async def mailbox_names(page: Page) -> list[tuple[str, str]]:
    """The mailboxes to filter by; none while the fetcher is away, for tickets can be read without it."""
    try:
        return [(item["id"], item["name"]) for item in await scanners(page)]
    except ProblemError:
        return []


async def ticket_values(page: Page, number: int, *, all_messages: bool = False) -> Item:
    """All that a ticket's page shows. Raises the service's problem where there is no such ticket."""
    ticket, settings, (messages, left_out), history, people = await asyncio.gather(
        page.get("tickets", f"/tickets/{number}"),
        desk_settings(page),
        read_messages(page, number),
        page.get("tickets", f"/tickets/{number}/history", limit=PAGE_HISTORY),
        colleagues(page),
    )
    other, mailbox, ledger = await asyncio.gather(
        ticket_if_there(page, ticket["linked_ticket_id"]), mailbox_of(page, ticket["scanner_id"]), _ledger(page, number, messages)
    )
    entries = history["items"]
    return {
        "ticket": ticket,
        "settings": settings,
        "mailbox": mailbox,
        "colleagues": people,
        "history": entries,
        "history_next": history.get("next"),
        "other": other,
        "belongs": ticket_texts.belongs(ticket, other, entries),
        "taken_in": ticket_texts.taken_in(entries),
        "merged_since": ticket_texts.merged_since(entries),
        "ledger": ledger,
        "undoable": _undoable(messages, page.who.actor),
        "mail_came": any(item["kind"] == "mail" and item["direction"] == "in" for item in messages),
        **folded(messages, left_out, all_messages=all_messages),
    }


def _undoable(messages: list[Item], actor: str) -> Item | None:
    """The last answer of whoever looks, while it can still be taken back."""
    own = (item for item in reversed(messages) if item["sender"] == actor and item["delivery"] != "cancelled")
    return next((item for item in own if ticket_texts.seconds_left(item["undo_until"], utc_now())), None)


async def _ledger(page: Page, number: int, messages: list[Item]) -> dict[str, Item]:
    """The notifier's lines about the ticket's answers, by the message's id; none while it is away."""
    if not any(item["mode"] or item["delivery"] for item in messages):
        return {}
    try:
        found = await page.get("notifier", "/outgoing", ticket_id=number, limit=PAGE_MESSAGES)
    except ProblemError:
        return {}
    return {item["id"]: item for item in found["items"]}


def folded(messages: list[Item], left_out: int, *, all_messages: bool) -> Item:
    """The messages as a page shows them: the newest open, those before folded, and of many not all at once."""
    older, newest = messages[:-OPEN_MESSAGES], messages[-OPEN_MESSAGES:]
    shown = older if all_messages else older[-FOLDED_MESSAGES:]
    count = len(messages) + left_out
    return {"newest": newest, "older": shown, "older_count": count - len(newest), "message_count": count, "all_messages": all_messages}


async def read_messages(page: Page, number: int) -> tuple[list[Item], int]:
    """The ticket's last messages in order, and how many came before them. The service lists from the first one on."""
    found: deque[Item] = deque(maxlen=MAX_MESSAGES)
    cursor, read = None, 0
    while read < MAX_READ:
        part = await page.get("tickets", f"/tickets/{number}/messages", limit=PAGE_MESSAGES, cursor=cursor)
        found.extend(part["items"])
        read += len(part["items"])
        cursor = part.get("next")
        if cursor is None:
            break
    return list(found), read - len(found)


async def message_of(page: Page, number: int, message_id: str) -> Item:
    """One message of the ticket. Raises ProblemError 404."""
    messages, _ = await read_messages(page, number)
    found = next((item for item in messages if item["id"] == message_id), None)
    if found is None:
        raise ProblemError(404, "No such message", "The ticket has no such message; it may have moved to another ticket.")
    return found


async def ticket_if_there(page: Page, number: int | None) -> Item | None:
    """The ticket; None where there is none."""
    if number is None:
        return None
    try:
        found: Item = await page.get("tickets", f"/tickets/{number}")
    except ProblemError as error:
        if error.status != 404:
            raise
        return None
    return found


async def mailbox_of(page: Page, scanner_id: str | None) -> Item | None:
    """None where there is none, or while the fetcher is away."""
    if scanner_id is None:
        return None
    try:
        found: Item = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    except ProblemError:
        return None
    return found
