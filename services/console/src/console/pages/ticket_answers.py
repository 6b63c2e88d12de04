"""Answers to the customer and internal notes: two forms, so that one is never taken for the other. What is written is kept as a draft."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from console.backend import quoted
from console.pages.desk import colleagues
from console.pages.page import Form, Page, PageRoute, SignedPage, redirect, text
from console.pages.ticket_box import Box, canned_text, draft_of, keep_draft, uploaded_files
from console.pages.ticket_page import Typed, show_ticket
from shared.http import ProblemError

router = APIRouter(prefix="/tickets/{number}", route_class=PageRoute)

NOTE_KEY = "-note"
"""Tells the note's Idempotency-Key from the answer's on one page."""
LEFT_ALREADY = "It has left already and cannot be taken back. Write another answer to put it right."


@router.post("/comments")
async def answer(page: SignedPage, number: int, form: Form) -> Response:
    """An answer, on a ticket without a customer a comment; or, by the other buttons of its form, more in the draft."""
    box = Box.of_form(form)
    try:
        box = box.with_files(await uploaded_files(page, number, form))
        if text(form, "act", "send") == "send":
            return await _send(page, number, box, form)
        return await _keep(page, number, box, form)
    except ProblemError as error:
        return await _not_taken(page, number, Typed(box=box, key=text(form, "key")), error)


@router.post("/notes")
async def note(page: SignedPage, number: int, form: Form) -> Response:
    """Never leaves the desk. An answer that is being written stays where it is."""
    box, key = Box(body=text(form, "note"), mode="note"), text(form, "key", str(uuid4()))
    try:
        kept = await draft_of(page, number)
        wanted = {"body": box.body, "internal": True}
        await page.send("POST", "tickets", f"/tickets/{number}/comments", wanted, headers={"Idempotency-Key": key})
        if kept and kept["mode"] != "note":
            await keep_draft(page, number, Box.of_draft(kept))
    except ProblemError as error:
        return await _not_taken(page, number, Typed(box=box, key=key.removesuffix(NOTE_KEY)), error)
    return redirect(f"/tickets/{number}?sent=note#last", "The internal note is saved.")


@router.post("/messages/{message_id}/cancel")
async def undo(page: SignedPage, number: int, message_id: str) -> Response:
    """The answer is taken back, and its text is in the box again."""
    try:
        await page.send("POST", "tickets", f"/tickets/{number}/messages/{quoted(message_id)}/cancel")
    except ProblemError as error:
        if error.status != 409:
            raise
        return redirect(f"/tickets/{number}", LEFT_ALREADY, "bad")
    return redirect(f"/tickets/{number}?undone=yes#write-title", "The answer is taken back. Its text is in the box again.")


@router.post("/draft/delete")
async def throw_away(page: SignedPage, number: int) -> Response:
    await page.send("DELETE", "tickets", f"/tickets/{number}/draft")
    return redirect(f"/tickets/{number}?sent=answer#write-title", "The draft is thrown away.", "info")


@router.get("/canned/{template_id}")
async def canned(page: SignedPage, number: int, template_id: str) -> Response:
    """A canned answer for this ticket, for the script that puts it where the cursor is."""
    try:
        return JSONResponse({"text": await canned_text(page, number, template_id)})
    except ProblemError as error:
        return JSONResponse({"detail": error.problem.detail}, error.status)


@router.get("/writing")
async def writing(page: SignedPage, number: int) -> Response:
    """Who else is answering, for the page that follows it."""
    answering = await page.get("tickets", f"/tickets/{number}/answering")
    return page.fragment("tickets/_writing.html", answering=answering, colleagues=await colleagues(page))


async def _send(page: Page, number: int, box: Box, form: Form) -> Response:
    if box.mode == "note":
        raise ProblemError(422, "No answer", "Choose “Answer” above the box first: “Internal note” is chosen.")
    headers = {"Idempotency-Key": text(form, "key", str(uuid4()))}
    mailed = "to" in form
    wanted: dict[str, Any] = {"body": box.body, "cc": box.cc, "attachments": box.attachments}
    wanted |= {"mode": box.mode, "quote": box.quote} if mailed else {}
    await page.send("POST", "tickets", f"/tickets/{number}/{'replies' if mailed else 'comments'}", wanted, headers=headers)
    told = "The answer is saved and on its way." if mailed else "The comment is saved."
    return redirect(f"/tickets/{number}?sent=answer#last", told)


async def _keep(page: Page, number: int, box: Box, form: Form) -> Response:
    """The draft, with the canned answer that was chosen."""
    told = "The draft is saved."
    chosen = text(form, "canned")
    if text(form, "act") == "insert":
        box = box.with_text(await canned_text(page, number, chosen)) if chosen else box
        told = "The text is put in." if chosen else "Choose a canned answer first."
    await keep_draft(page, number, box)
    return redirect(f"/tickets/{number}?sent=answer#write-title", told)


async def _not_taken(page: Page, number: int, typed: Typed, error: ProblemError) -> Response:
    """What was written stays in the box, whatever went wrong."""
    blank = error.status == 422 and typed.box is not None and not typed.box.body
    told = "Please write something first." if blank else error.problem.detail
    return await show_ticket(page, number, Typed(box=typed.box, key=typed.key, told=told), code=error.status)
