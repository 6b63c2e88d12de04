"""Answers to the customer and internal notes: two forms, so that one is never taken for the other."""

from __future__ import annotations

from uuid import uuid4

from fastapi import APIRouter, Response

from console.pages.page import Form, PageRoute, SignedPage, redirect, text
from console.pages.ticket_page import Typed, show_ticket
from shared.http import ProblemError

router = APIRouter(prefix="/tickets", route_class=PageRoute)

NOTE_KEY = "-note"
"""Tells the note's Idempotency-Key from the answer's on one page."""


@router.post("/{number}/comments")
async def answer(page: SignedPage, number: int, form: Form) -> Response:
    """An answer, on a ticket without a customer a comment."""
    return await _written(page, number, form, internal=False)


@router.post("/{number}/notes")
async def note(page: SignedPage, number: int, form: Form) -> Response:
    """Never leaves the desk."""
    return await _written(page, number, form, internal=True)


async def _written(page: SignedPage, number: int, form: Form, *, internal: bool) -> Response:
    body, key = text(form, "note" if internal else "answer"), text(form, "key", str(uuid4()))
    wanted = {"body": body, "internal": internal}
    try:
        await page.send("POST", "tickets", f"/tickets/{number}/comments", wanted, headers={"Idempotency-Key": key})
    except ProblemError as error:
        # What was written stays in the box, whatever went wrong.
        told = "Please write something first." if error.status == 422 and not body else error.problem.detail
        typed = Typed(written=body, to_note=internal, key=key.removesuffix(NOTE_KEY), told=told)
        return await show_ticket(page, number, typed, code=error.status)
    sent = "note" if internal else "answer"
    mailed = "to" in form
    told = "The answer is saved and on its way." if mailed else "The comment is saved."
    return redirect(f"/tickets/{number}?sent={sent}#last", "The internal note is saved." if internal else told)
