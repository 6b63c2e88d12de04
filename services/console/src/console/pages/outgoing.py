"""Mails that leave: which wait or failed and why, and each try to send one."""

from __future__ import annotations

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import AdministratorsPage, PageRoute, SignedPage, redirect
from console.pages.texts import DELIVERIES
from console.pages.ticket_texts import author
from shared.http import ProblemError

router = APIRouter(prefix="/outgoing", route_class=PageRoute)

PAGE_MAILS = 50
STATES = ("queued", "sending", "delayed", "sent", "failed", "cancelled")


@router.get("")
async def outgoing_list(page: AdministratorsPage, state: str = "", ticket: str = "", cursor: str = "") -> Response:
    """Newest first. What is no state or no number is left out of what is asked."""
    chosen = {
        "state": state if state in STATES else "",
        "ticket": ticket if ticket.isdecimal() and len(ticket) < 16 and int(ticket) else "",
    }
    asked = {"state": chosen["state"] or None, "ticket_id": chosen["ticket"] or None}
    found = await page.get("notifier", "/outgoing", limit=PAGE_MAILS, cursor=cursor or None, **asked)
    choices = [(one, DELIVERIES[one][0]) for one in STATES]
    return page.render("outgoing/list.html", mails=found["items"], next=found.get("next"), cursor=cursor, chosen=chosen, choices=choices)


@router.get("/{outgoing_id}")
async def outgoing_page(page: SignedPage, outgoing_id: str) -> Response:
    return page.render("outgoing/mail.html", mail=await page.get("notifier", f"/outgoing/{quoted(outgoing_id)}"))


@router.post("/{outgoing_id}/cancel")
async def cancel(page: SignedPage, outgoing_id: str) -> Response:
    """The answer is taken back by its ticket, whose message has the same id."""
    path = f"/outgoing/{quoted(outgoing_id)}"
    mail = await page.get("notifier", path)
    try:
        message = await page.send("POST", "tickets", f"/tickets/{mail['ticket_id']}/messages/{quoted(outgoing_id)}/cancel")
    except ProblemError as error:
        if error.status != 409:
            raise
        return redirect(path, error.problem.detail, "bad")
    return redirect(path, f"It is taken back, which this page tells in a moment. The text is the draft of {author(message)} again.")


@router.post("/{outgoing_id}/retry")
async def retry(page: AdministratorsPage, outgoing_id: str) -> Response:
    path = f"/outgoing/{quoted(outgoing_id)}"
    try:
        await page.send("POST", "notifier", f"{path}/retry")
    except ProblemError as error:
        if error.status != 409:
            raise
        return redirect(path, error.problem.detail, "bad")
    return redirect(path, "It is tried again now.")
