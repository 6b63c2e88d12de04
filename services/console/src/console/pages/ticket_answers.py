"""Answers to the customer and internal notes: two forms, so that one is never taken for the other. What is written is kept as a draft."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from console.backend import quoted
from console.pages.answer_files import chosen_files, upload
from console.pages.desk import colleagues
from console.pages.page import Form, Page, PageRoute, SignedPage, redirect, text, texts_of
from console.pages.ticket_box import Box, canned_text, keep_draft
from console.pages.ticket_page import Typed, show_ticket
from console.pages.ticket_texts import author
from shared.http import ProblemError

router = APIRouter(prefix="/tickets/{number}", route_class=PageRoute)

NOTE_KEY = "-note"
"""Tells the note's Idempotency-Key from the answer's on one page."""
LEFT_ALREADY = "It has left already and cannot be taken back. Write another answer to put it right."
NOTE_CHOSEN = "“Internal note” was chosen above the box, so nothing was sent. To mail this, send it now as an answer."
OTHER_WINDOW = "The draft was changed in another window meanwhile, and kept as it is there. What you typed is here: send it, or keep it."
WAITS = "The answer is kept: it leaves as soon as the mailbox has an SMTP identity."


@router.post("/comments")
async def answer(page: SignedPage, number: int, form: Form) -> Response:
    """An answer, on a ticket without a customer a comment; or, by the other buttons of its form, more in the draft."""
    box = Box.of_form(form)
    try:
        for file in chosen_files(form):
            box = box.with_files([await upload(page, number, file)])
        if text(form, "act", "send") == "send":
            return await _send(page, number, box, form)
        return await _keep(page, number, box, form)
    except ProblemError as error:
        box = replace(box, mode="info") if box.mode == "note" else box
        await _keep_refused(page, number, box, form, error)
        return await _not_taken(page, number, Typed(box=box, key=text(form, "key")), error)


@router.post("/notes")
async def note(page: SignedPage, number: int, form: Form) -> Response:
    """Never leaves the desk. An answer that is being written stays where it is."""
    box, key = Box(body=text(form, "note"), mode="note"), text(form, "key", str(uuid4()))
    try:
        wanted = {"body": box.body, "internal": True}
        await page.send("POST", "tickets", f"/tickets/{number}/comments", wanted, headers={"Idempotency-Key": key})
    except ProblemError as error:
        return await _not_taken(page, number, Typed(box=box, key=key.removesuffix(NOTE_KEY)), error)
    return redirect(f"/tickets/{number}?sent=note#last", "The internal note is saved.")


@router.post("/messages/{message_id}/cancel")
async def undo(page: SignedPage, number: int, message_id: str) -> Response:
    """The answer is taken back, and its text is in its author's box again."""
    try:
        message = await page.send("POST", "tickets", f"/tickets/{number}/messages/{quoted(message_id)}/cancel")
    except ProblemError as error:
        if error.status != 409:
            raise
        return redirect(f"/tickets/{number}", LEFT_ALREADY, "bad")
    if message["sender"] != page.who.actor:
        told = f"The answer is taken back. Its text is the draft of {author(message)} again."
        return redirect(f"/tickets/{number}#last", told)
    return redirect(f"/tickets/{number}?undone=yes#write-title", "The answer is taken back. Its text is in the box again.")


@router.post("/draft/delete")
async def throw_away(page: SignedPage, number: int, form: Form) -> Response:
    await page.send("DELETE", "tickets", f"/tickets/{number}/draft")
    gone = "note" if "note" in form else "answer"
    return redirect(f"/tickets/{number}?sent={gone}#write-title", "The draft is thrown away.", "info")


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
        raise ProblemError(422, "No answer", NOTE_CHOSEN)
    headers = {"Idempotency-Key": text(form, "key", str(uuid4()))}
    mailed = "to" in form
    wanted: dict[str, Any] = {"body": box.body, "cc": box.cc, "attachments": box.attachments}
    wanted |= {"mode": box.mode, "quote": box.quote} if mailed else {}
    await page.send("POST", "tickets", f"/tickets/{number}/{'replies' if mailed else 'comments'}", wanted, headers=headers)
    waits = box.mode in texts_of(form, "waits")
    told = "The comment is saved." if not mailed else WAITS if waits else "The answer is saved and on its way."
    return redirect(f"/tickets/{number}?sent=answer#last", told)


async def _keep(page: Page, number: int, box: Box, form: Form) -> Response:
    """The draft, with the canned answer that was chosen."""
    told = "The draft is saved."
    chosen = text(form, "canned")
    if text(form, "act") == "insert":
        box = box.with_text(await canned_text(page, number, chosen)) if chosen else box
        told = "The text is put in." if chosen else "Choose a canned answer first."
    await keep_draft(page, number, box, text(form, "draft_version"))
    return redirect(f"/tickets/{number}?sent=answer#write-title", told)


async def _keep_refused(page: Page, number: int, box: Box, form: Form, error: ProblemError) -> None:
    """The draft of an answer that was refused: the page names its files, so that none is missing from the next try.

    Where the service broke down the answer may be stored all the same: a draft would outlive it.
    """
    if error.status < 500 and (box.body or box.attachments):
        with suppress(ProblemError):
            await keep_draft(page, number, box, text(form, "draft_version"))


async def _not_taken(page: Page, number: int, typed: Typed, error: ProblemError) -> Response:
    """What was written stays in the box, whatever went wrong."""
    blank = error.status == 422 and typed.box is not None and not typed.box.body
    told = "Please write something first." if blank else OTHER_WINDOW if error.status == 412 else error.problem.detail
    return await show_ticket(page, number, Typed(box=typed.box, key=typed.key, told=told), code=error.status)
