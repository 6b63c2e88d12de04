"""The tickets: list, one ticket, its changes, comments."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import Form, Page, PageRoute, SignedPage, redirect, text
from shared.http import ProblemError

router = APIRouter(prefix="/tickets", route_class=PageRoute)

PAGE_TICKETS = 50
PAGE_MESSAGES = 200
MAX_MESSAGES = 1000


@router.get("")
async def ticket_list(page: SignedPage, q: str = "", status: str = "", cursor: str = "", fragment: str = "") -> Response:
    found = await page.get("tickets", "/tickets", q=q or None, status=status or None, cursor=cursor or None, limit=PAGE_TICKETS)
    template = "tickets/_list.html" if fragment else "tickets/list.html"
    return page.render(template, tickets=found["items"], next=found.get("next"), q=q, status=status, cursor=cursor)


@router.get("/{number}")
async def ticket_page(page: SignedPage, number: int, fragment: str = "") -> Response:
    values = await _ticket_values(page, number)
    if fragment:
        return page.fragment("tickets/_messages.html", **values)
    return page.render("tickets/ticket.html", **values, body="", internal=False, key=str(uuid4()), error="")


@router.post("/{number}")
async def change_ticket(page: SignedPage, number: int, form: Form) -> Response:
    changes = {name: text(form, name) for name in ("status", "priority") if text(form, name)}
    await page.send("PATCH", "tickets", f"/tickets/{number}", changes)
    return redirect(f"/tickets/{number}", "Saved.")


@router.post("/{number}/comments")
async def comment(page: SignedPage, number: int, form: Form) -> Response:
    body, internal, key = text(form, "body"), "internal" in form, text(form, "key", str(uuid4()))
    try:
        await page.send(
            "POST", "tickets", f"/tickets/{number}/comments", {"body": body, "internal": internal}, headers={"Idempotency-Key": key}
        )
    except ProblemError as error:
        # What was written stays in the box, whatever went wrong.
        told = "Please write something first." if error.status == 422 and not body else error.problem.detail
        values = await _ticket_values(page, number)
        return page.render("tickets/ticket.html", code=error.status, **values, body=body, internal=internal, key=key, error=told)
    return redirect(f"/tickets/{number}#last", "The note is saved." if internal else "The comment is saved.")


@router.get("/{number}/messages/{message_id}/html")
async def message_html(page: SignedPage, number: int, message_id: str) -> Response:
    """A message's sanitised HTML as a document of its own, for the sandboxed frame: no script, no form, nothing from elsewhere."""
    found = next((item for item in await _messages(page, number) if item["id"] == message_id and item["html"]), None)
    if found is None:
        raise ProblemError(404, "No such message", "The ticket has no such message with HTML.")
    response = page.render("tickets/message_frame.html", html=found["html"])
    response.headers["Content-Security-Policy"] = (
        "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'"
    )
    return response


async def _ticket_values(page: Page, number: int) -> dict[str, Any]:
    ticket = await page.get("tickets", f"/tickets/{number}")
    messages = await _messages(page, number)
    mail_id = next((item["mail_id"] for item in messages if item["mail_id"]), None)
    return {"ticket": ticket, "messages": messages, "mail_id": mail_id, "mailbox": await _mailbox_name(page, ticket["scanner_id"])}


async def _messages(page: Page, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while len(found) < MAX_MESSAGES:
        part = await page.get("tickets", f"/tickets/{number}/messages", limit=PAGE_MESSAGES, cursor=cursor)
        found += part["items"]
        cursor = part.get("next")
        if cursor is None:
            break
    return found


async def _mailbox_name(page: Page, scanner_id: str | None) -> str:
    """Empty when there is none, or while the fetcher is away: a ticket can be read without it."""
    if scanner_id is None:
        return ""
    try:
        scanner = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    except ProblemError:
        return ""
    return str(scanner["name"])
