"""Marking tickets as spam."""

from __future__ import annotations

from uuid import uuid4

from fastapi import APIRouter, Response

from console.pages.jobs import finished
from console.pages.page import Form, PageRoute, SignedPage, redirect, text, texts_of

router = APIRouter(prefix="/tickets", route_class=PageRoute)

MAX_SPAM = 100
"""Tickets one confirmation page takes."""


@router.get("/spam")
async def confirm_spam(page: SignedPage) -> Response:
    ids = [number for number in page.request.query_params.getlist("id") if number.isdecimal()][:MAX_SPAM]
    if not ids:
        return redirect("/tickets", "Tick the tickets first, then mark them as spam.", "info")
    tickets = [await page.get("tickets", f"/tickets/{number}") for number in ids]
    return page.render("tickets/spam.html", tickets=tickets)


@router.post("/spam")
async def mark_spam(page: SignedPage, form: Form) -> Response:
    ids = [int(number) for number in texts_of(form, "id") if number.isdecimal()]
    job = await page.send(
        "POST", "tickets", "/tickets/spam", {"ticket_ids": ids}, headers={"Idempotency-Key": text(form, "key", str(uuid4()))}
    )
    done = await finished(page, "tickets", job)
    count = f"{len(ids)} tickets are" if len(ids) > 1 else f"Ticket {ids[0]} is"
    if done["state"] == "failed":
        return redirect("/tickets", "Marking as spam failed; the tickets are as they were. Try again.", "bad")
    return redirect("/tickets", f"{count} marked as spam. The senders are on the spam list, where this can be taken back.")
