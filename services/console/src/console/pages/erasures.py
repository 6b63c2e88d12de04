"""Erasures: all that is kept about an address removed, with what each service removed and what stays."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, field_errors, redirect, text
from shared.http import ProblemError

router = APIRouter(prefix="/erasures", route_class=PageRoute)

PAGE_ERASURES = 50
WRONG_ADDRESS = "Give a whole address, such as anna@customer.example."
NOT_THE_SAME = "This is not the same address. Nothing was erased."


@router.get("")
async def erasures(page: AdministratorsPage, cursor: str = "") -> Response:
    return await _list_page(page, cursor=cursor)


@router.post("/confirm")
async def confirm(page: AdministratorsPage, form: Form) -> Response:
    """By POST, so that the address is in no URL and no log of URLs."""
    address = text(form, "address")
    if "@" not in address.strip("@"):
        return await _list_page(page, address=address, error=WRONG_ADDRESS)
    return page.render("erasures/confirm.html", address=address, error="")


@router.post("")
async def start(page: AdministratorsPage, form: Form) -> Response:
    """Typed twice: an erasure cannot be taken back."""
    address, again = text(form, "address"), text(form, "again")
    if address.casefold() != again.casefold():
        return page.render("erasures/confirm.html", code=422, address=address, error=NOT_THE_SAME)
    try:
        job = await page.send("POST", "tickets", "/erasures", {"address": address})
    except ProblemError as error:
        told = WRONG_ADDRESS if "address" in field_errors(error) else error.problem.detail or error.problem.title
        return await _list_page(page, address=address, error=told)
    return redirect(f"/erasures/{quoted(job['result']['erasure_id'])}")


@router.get("/{erasure_id}")
async def erasure_page(page: AdministratorsPage, erasure_id: str) -> Response:
    return page.render("erasures/erasure.html", erasure=await _erasure(page, erasure_id))


@router.get("/{erasure_id}/state")
async def state(page: AdministratorsPage, erasure_id: str) -> Response:
    """Who has reported so far."""
    return page.fragment("erasures/_report.html", erasure=await _erasure(page, erasure_id))


async def _erasure(page: Page, erasure_id: str) -> dict[str, Any]:
    found: dict[str, Any] = await page.get("tickets", f"/erasures/{quoted(erasure_id)}")
    return found


async def _list_page(page: Page, *, cursor: str = "", address: str = "", error: str = "") -> Response:
    found = await page.get("tickets", "/erasures", limit=PAGE_ERASURES, cursor=cursor or None)
    code = 422 if error else 200
    return page.render("erasures/list.html", code=code, erasures=found["items"], next=found.get("next"), address=address, error=error)
