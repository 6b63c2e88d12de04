"""One ticket: its page, its fields, its history."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from console.pages import ticket_history
from console.pages.desk import PAGE_HISTORY, Item, desk_settings, ticket_values
from console.pages.page import Form, Page, PageRoute, SignedPage, field_errors, redirect, text
from console.pages.texts import first_error
from console.pages.ticket_form import Values, as_patch, changed_fields, form_values, in_conflict, shown_before
from console.pages.ticket_page import Typed, show_ticket
from shared.http import ProblemError

router = APIRouter(prefix="/tickets", route_class=PageRoute)

CHANGED_MEANWHILE = 412
FIELDS = ("title", "status", "priority", "category", "assignee", "tags", "watchers", "external_code")


@router.get("/{number}")
async def ticket_page(page: SignedPage, number: int, messages: str = "", fragment: str = "") -> Response:
    all_messages = messages == "all"
    if fragment:
        return page.fragment("tickets/_live.html", **await ticket_values(page, number, all_messages=all_messages))
    return await show_ticket(page, number, all_messages=all_messages)


@router.post("/{number}")
async def change_ticket(page: SignedPage, number: int, form: Form) -> Response:
    """Saves what was changed in the form. Others' changes of other fields stay and are told; of the same field they are shown first."""
    values = form_values(form) | ({"assignee": page.who.email} if "take" in form else {})
    changes = changed_fields(values, shown_before(form))
    if not changes:
        return redirect(f"/tickets/{number}", "Nothing was changed.", "info")
    try:
        told = await _save(page, number, changes, form)
    except ProblemError as error:
        return await _not_saved(page, number, changes, error, form)
    return redirect(f"/tickets/{number}", told)


@router.get("/{number}/history")
async def history_page(page: SignedPage, number: int, cursor: str = "") -> Response:
    ticket = await page.get("tickets", f"/tickets/{number}")
    found = await page.get("tickets", f"/tickets/{number}/history", limit=PAGE_HISTORY, cursor=cursor or None)
    settings = await desk_settings(page)
    return page.render(
        "tickets/history.html", ticket=ticket, settings=settings, history=found["items"], next=found.get("next"), cursor=cursor
    )


async def _save(page: Page, number: int, changes: Values, form: Any) -> str:
    """What to say of it. Raises the service's refusal, 412 where others did something that touches the changes."""
    path, patch = f"/tickets/{number}", as_patch(changes)
    try:
        await page.send("PATCH", "tickets", path, patch, headers=_if_match(text(form, "version")))
    except ProblemError as error:
        news = await news_since(page, number, text(form, "seen")) if error.status == CHANGED_MEANWHILE else []
        if error.status != CHANGED_MEANWHILE or in_conflict(changes, news):
            raise
        today = await page.get("tickets", path)
        await page.send("PATCH", "tickets", path, patch, headers=_if_match(today["version"]))
        names = (await desk_settings(page))["status_names"]
        return " ".join(["Saved. Meanwhile:", *(_sentence(entry, names) for entry in reversed(news))]) if news else "Saved."
    return "Saved."


def _if_match(version: object) -> dict[str, str]:
    return {"If-Match": f'"{version}"'}


def _sentence(entry: Item, names: dict[str, str]) -> str:
    told = ticket_history.tell(entry, names)
    return f"{told.who} {', '.join(told.what)}."


async def news_since(page: Page, number: int, seen: str) -> list[Item]:
    """What was done to the ticket after the entry that a form knew as the newest one, newest first."""
    newest = int(seen) if seen.isdecimal() else 0
    found = await page.get("tickets", f"/tickets/{number}/history", limit=PAGE_HISTORY)
    return [entry for entry in found["items"] if entry["id"] > newest]


async def _not_saved(page: Page, number: int, changes: Values, error: ProblemError, form: Any) -> Response:
    """The page again, with what was typed and why it is not stored."""
    listed = field_errors(error)
    errors = {name: told for name in FIELDS if (told := first_error(listed, name))} or {"form": error.problem.detail}
    news = await news_since(page, number, text(form, "seen")) if error.status == CHANGED_MEANWHILE else []
    if news:
        errors = {"form": "Not saved yet: somebody was faster. Look at what was done meanwhile, then save again."}
    return await show_ticket(page, number, Typed(changes=changes, errors=errors, news=news), code=error.status)
