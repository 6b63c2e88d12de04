"""Marking tickets as spam: asks first what of their senders to list."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.pages.page import Form, Page, PageRoute, SignedPage, redirect, text, texts_of
from console.pages.spam import after
from shared.http import ProblemError

router = APIRouter(prefix="/tickets", route_class=PageRoute)

MAX_SPAM = 1000
"""Tickets one confirmation page takes, as many as the API."""
SHOWN = 20
"""Of them with title and sender."""
LISTINGS = ("address", "domain", "none")


@router.get("/spam")
async def confirm_spam(page: SignedPage) -> Response:
    ids = _numbers(page.request.query_params.getlist("id"))
    if not ids:
        return redirect("/tickets", "Tick the tickets first, then mark them as spam.", "info")
    return await _confirm(page, ids, "address", str(uuid4()))


@router.post("/spam")
async def mark_spam(page: SignedPage, form: Form) -> Response:
    ids, listing, key = _numbers(texts_of(form, "id")), text(form, "listing", "address"), text(form, "key", str(uuid4()))
    if not ids:
        return redirect("/tickets", "Tick the tickets first, then mark them as spam.", "info")
    body = {"ticket_ids": ids, "listing": listing if listing in LISTINGS else "address"}
    try:
        job = await page.send("POST", "tickets", "/tickets/spam", body, headers={"Idempotency-Key": key})
    except ProblemError as error:
        if error.status not in {404, 409}:
            raise
        refused = (error.problem.model_extra or {}).get("ticket_ids")
        return await _confirm(page, ids, listing, str(uuid4()), error, refused if isinstance(refused, list) else [])
    return await after(page, job, "/tickets")


async def _confirm(
    page: Page, ids: list[int], listing: str, key: str, error: ProblemError | None = None, refused: list[int] | None = None
) -> Response:
    """Those refused come first, to be left out."""
    concerned = [number for number in ids if number in set(refused or [])]
    ordered = concerned + [number for number in ids if number not in set(concerned)]
    tickets = [found for number in ordered[:SHOWN] if (found := await _ticket(page, number))]
    if not tickets:
        return redirect("/tickets", "There is no such ticket any more.", "bad")
    return page.render(
        "tickets/spam.html",
        code=error.status if error else 200,
        tickets=tickets,
        more=ordered[SHOWN:],
        count=len(ids),
        refused=concerned,
        left=[number for number in ids if number not in set(concerned)],
        listing=listing,
        key=key,
        error=error.problem.detail if error else "",
    )


async def _ticket(page: Page, number: int) -> dict[str, Any] | None:
    """None where it is gone meanwhile."""
    try:
        found: dict[str, Any] = await page.get("tickets", f"/tickets/{number}")
    except ProblemError as error:
        if error.status != 404:
            raise
        return None
    return found


def _numbers(given: list[str]) -> list[int]:
    return list(dict.fromkeys(int(number) for number in given if number.isdecimal()))[:MAX_SPAM]
