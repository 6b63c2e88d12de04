"""The spam list."""

from __future__ import annotations

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import Form, Page, PageRoute, SignedPage, field_errors, redirect, text
from shared.http import ProblemError

router = APIRouter(prefix="/spam", route_class=PageRoute)

PAGE_ENTRIES = 100


@router.get("")
async def spam_list(page: SignedPage, cursor: str = "") -> Response:
    return await _list_page(page, cursor)


@router.post("")
async def add(page: SignedPage, form: Form) -> Response:
    address = text(form, "address")
    try:
        await page.send("POST", "tickets", "/spam-senders", {"address": address})
    except ProblemError as error:
        told = "Give a whole address, such as offers@shop.example." if "address" in field_errors(error) else error.problem.detail
        return await _list_page(page, "", address, told)
    return redirect("/spam", f"Mails from {address} are spam from now on.")


@router.post("/{entry_id}/delete")
async def remove(page: SignedPage, entry_id: str, form: Form) -> Response:
    restore = "restore" in form
    await page.send("DELETE", "tickets", f"/spam-senders/{quoted(entry_id)}", restore="true" if restore else None)
    told = "Taken off the list; the tickets it removed come back." if restore else "Taken off the list."
    return redirect("/spam", told)


async def _list_page(page: Page, cursor: str, address: str = "", error: str = "") -> Response:
    found = await page.get("tickets", "/spam-senders", limit=PAGE_ENTRIES, cursor=cursor or None)
    status = 422 if error else 200
    return page.render("spam.html", code=status, entries=found["items"], next=found.get("next"), address=address, error=error)
