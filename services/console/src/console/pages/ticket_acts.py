"""What is done to a whole ticket: taken away and brought back, made part of another one, split, connected with a record."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.desk import message_of, ticket_if_there
from console.pages.page import Form, Page, PageRoute, SignedPage, redirect, text
from shared.http import ProblemError

router = APIRouter(prefix="/tickets/{number}", route_class=PageRoute)

FOUND_TICKETS = 20
FOUND_RECORDS = 10
REGISTRIES = ("contacts", "accounts", "leads")


@router.post("/delete")
async def delete(page: SignedPage, number: int, form: Form) -> Response:
    headers = {"If-Match": f'"{text(form, "version")}"'}
    return await _done(page, number, "DELETE", "", None, "Deleted. It can be brought back here.", headers)


@router.post("/restore")
async def restore(page: SignedPage, number: int) -> Response:
    return await _done(page, number, "POST", "/restore", None, "The ticket is back.")


@router.post("/seen")
async def seen(page: SignedPage, number: int) -> Response:
    """Somebody looked at what went wrong: the warning goes."""
    return await _done(page, number, "PATCH", "", {"attention": ""}, "The warning is taken off.")


@router.post("/accept")
async def accept(page: SignedPage, number: int) -> Response:
    """One click: the stranger's ticket becomes part of the one it points at, where the page goes."""
    ticket = await page.get("tickets", f"/tickets/{number}")
    told = f"Ticket {number} is part of this one now."
    return await _done(page, number, "POST", "/accept", None, told, there=ticket["linked_ticket_id"])


@router.get("/merge")
async def merge_page(page: SignedPage, number: int, q: str = "", into: str = "") -> Response:
    """Choose by number or words, look at both, confirm."""
    ticket = await page.get("tickets", f"/tickets/{number}")
    wanted = into.removeprefix("#")
    other = await ticket_if_there(page, int(wanted)) if wanted.isdecimal() and len(wanted) < 19 else None
    found: list[dict[str, Any]] = []
    if q and other is None:
        listed = await page.get("tickets", "/tickets", q=q, limit=FOUND_TICKETS)
        found = [item for item in listed["items"] if item["id"] != number and not item["merged_into"]]
    return page.render("tickets/merge.html", ticket=ticket, other=other, found=found, q=q, error="")


@router.post("/merge")
async def merge(page: SignedPage, number: int, form: Form) -> Response:
    into = text(form, "into")
    if not into.isdecimal():
        return redirect(f"/tickets/{number}/merge", "Choose a ticket first.", "info")
    told = f"Ticket {number} is part of this one now."
    return await _done(page, number, "POST", "/merge", {"into": int(into)}, told, there=int(into))


@router.get("/messages/{message_id}/split")
async def split_page(page: SignedPage, number: int, message_id: str) -> Response:
    ticket = await page.get("tickets", f"/tickets/{number}")
    return page.render("tickets/split.html", ticket=ticket, message=await message_of(page, number, message_id))


@router.post("/messages/{message_id}/split")
async def split(page: SignedPage, number: int, message_id: str, form: Form) -> Response:
    wanted = {"message_id": message_id, "title": text(form, "title") or None}
    try:
        made = await page.send("POST", "tickets", f"/tickets/{number}/split", wanted)
    except ProblemError as error:
        return _refused(number, error)
    return redirect(f"/tickets/{made['id']}", f"This ticket was made of a message of ticket {number}.")


@router.get("/contact")
async def contact_page(page: SignedPage, number: int, q: str = "") -> Response:
    ticket = await page.get("tickets", f"/tickets/{number}")
    found = await _records(page, q) if q else []
    return page.render("tickets/contact.html", ticket=ticket, found=found, q=q)


@router.post("/contact")
async def connect(page: SignedPage, number: int, form: Form) -> Response:
    record = text(form, "contact_id")
    told = "The ticket is connected." if record else "The connection is taken away."
    headers = {"If-Match": f'"{text(form, "version")}"'}
    return await _done(page, number, "PATCH", "", {"contact_id": record or None}, told, headers)


async def _records(page: Page, q: str) -> list[dict[str, Any]]:
    """Contacts, accounts and leads that fit."""
    parts = await asyncio.gather(*(page.get("tickets", f"/{quoted(name)}", q=q, limit=FOUND_RECORDS) for name in REGISTRIES))
    return [item for part in parts for item in part["items"]]


async def _done(
    page: Page,
    number: int,
    method: str,
    act: str,
    body: Any,
    told: str,
    headers: dict[str, str] | None = None,
    there: int | None = None,
) -> Response:
    """The act carried out, then the page of the ticket concerned; a refusal is told on the ticket's own page."""
    try:
        await page.send(method, "tickets", f"/tickets/{number}{act}", body, headers=headers)
    except ProblemError as error:
        return _refused(number, error)
    return redirect(f"/tickets/{there or number}", told)


def _refused(number: int, error: ProblemError) -> Response:
    if error.status not in {409, 412, 422}:
        raise error
    told = "Somebody changed the ticket meanwhile: this is how it is now. Do it again where it still fits." if error.status == 412 else None
    return redirect(f"/tickets/{number}", told or error.problem.detail, "bad")
