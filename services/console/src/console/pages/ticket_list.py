"""The list of tickets: found, filtered, and changed many at once."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from console.pages import ticket_filter
from console.pages.desk import colleagues, desk_settings, mailbox_names
from console.pages.page import Form, Page, PageRoute, SignedPage, redirect, text, texts_of
from shared.http import ProblemError

router = APIRouter(prefix="/tickets", route_class=PageRoute)

PAGE_TICKETS = 50
MAX_SHOWN_ERRORS = 3


@router.get("")
async def ticket_list(page: SignedPage, view: str = "", cursor: str = "", fragment: str = "") -> Response:
    wanted = ticket_filter.read_filter(page.request.query_params)
    found, settings = await asyncio.gather(
        page.get("tickets", "/tickets", **wanted, cursor=cursor or None, limit=PAGE_TICKETS), desk_settings(page)
    )
    values = {"tickets": found["items"], "next": found.get("next"), "settings": settings}
    values |= {"wanted": wanted, "view_id": view, "cursor": cursor, "colleagues": await colleagues(page)}
    if fragment:
        return page.fragment("tickets/_list.html", **values)
    views, boxes = await asyncio.gather(page.get("tickets", "/ticket-views", limit=200), mailbox_names(page))
    current = next((item for item in views["items"] if item["id"] == view), None)
    return page.render("tickets/list.html", **values, views=views["items"], current=current, mailboxes=boxes)


@router.post("/mass")
async def change_many(page: SignedPage, form: Form) -> Response:
    """Status and assignee of the ticked tickets; spam is asked about on a page of its own."""
    ids = [number for number in texts_of(form, "id") if number.isdecimal()][:PAGE_TICKETS]
    back = "/tickets?" + ticket_filter.query(ticket_filter.read_filter(form_back(form)), view=text(form, "view"))
    if "spam" in form:
        return redirect("/tickets/spam?" + urlencode([("id", number) for number in ids]))
    if not ids:
        return redirect(back, "Tick the tickets first.", "info")
    changes = _mass_changes(page, form)
    if not changes:
        return redirect(back, "Choose a status or an assignee first.", "info")
    refused = [told for number in ids if (told := await _change_one(page, number, changes))]
    done = len(ids) - len(refused)
    count = f"{done} ticket{' is' if done == 1 else 's are'} changed."
    return redirect(back, " ".join([count, *refused[:MAX_SHOWN_ERRORS]]), "bad" if refused else "good")


def form_back(form: FormData) -> FormData:
    """The filter the list was shown with: it travels beside the choice, under names of its own."""
    pairs = [(name.removeprefix("back_"), value) for name, value in form.multi_items() if name.startswith("back_")]
    return FormData(pairs)


def _mass_changes(page: Page, form: FormData) -> dict[str, Any]:
    status, assignee = text(form, "set_status"), text(form, "set_assignee")
    changes: dict[str, Any] = {"status": status} if status else {}
    if assignee:
        changes["assignee"] = {"me": page.who.email, "nobody": None}.get(assignee, assignee)
    return changes


async def _change_one(page: Page, number: str, changes: dict[str, Any]) -> str:
    """Why it was not changed, empty where it was. One ticket that refuses does not stop the others."""
    try:
        await page.send("PATCH", "tickets", f"/tickets/{number}", changes)
    except ProblemError as error:
        if error.status >= 500:
            raise
        return f"#{number}: {error.problem.detail}"
    return ""
