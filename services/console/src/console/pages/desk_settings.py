"""How the desk names statuses, priorities and categories; how long answers wait, and how many automatic mails leave."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from console.pages.desk import desk_settings
from console.pages.page import AWAY, AdministratorsPage, Form, Page, PageRoute, form_errors, redirect, text
from console.pages.texts import first_error
from console.pages.ticket_filter import STATUSES
from shared.http import ProblemError

router = APIRouter(prefix="/ticket-settings", route_class=PageRoute)

LISTS = ("priorities", "categories")
TICKS = ("acknowledge_unchecked",)
NUMBERS = ("undo_seconds", "automatic_per_sender", "automatic_per_mailbox")


@router.get("")
async def settings_page(page: AdministratorsPage) -> Response:
    settings = await desk_settings(page)
    return _form_page(page, settings, settings["version"], {})


@router.post("")
async def change(page: AdministratorsPage, form: Form) -> Response:
    values = settings_values(form)
    try:
        await page.send("PATCH", "tickets", "/ticket-settings", values, headers={"If-Match": f'"{text(form, "version")}"'})
    except ProblemError as error:
        version = text(form, "version") if error.status in AWAY else (await desk_settings(page))["version"]
        return _form_page(page, values, version, _told(error), error.status)
    return redirect("/ticket-settings", "Saved.")


def settings_values(form: FormData) -> dict[str, Any]:
    """The form as the service takes it: one name a line, each once."""
    names = {status: text(form, f"status_{status}") for status in STATUSES}
    lists = {name: list(dict.fromkeys(line.strip() for line in text(form, name).splitlines() if line.strip())) for name in LISTS}
    ticks = {name: name in form for name in TICKS}
    return {"status_names": names, **lists, **{name: text(form, name) for name in NUMBERS}, **ticks}


def _told(error: ProblemError) -> dict[str, str]:
    listed = form_errors(error)
    if error.status == 412:
        return {"form": "Somebody changed these settings meanwhile. What you typed is still here: save again to put it in their place."}
    places = {f"status_{status}": f"status_names.{status}" for status in STATUSES} | {name: name for name in (*LISTS, *NUMBERS)}
    errors = {field: told for field, place in places.items() if (told := first_error(listed, place))}
    if "priorities" in errors and "at least 1 item" in errors["priorities"]:
        errors["priorities"] = "Name at least one priority."
    return errors or {"form": error.problem.detail}


def _form_page(page: Page, values: dict[str, Any], version: int | str, errors: dict[str, str], code: int = 200) -> Response:
    return page.render("desk/settings.html", code=code, values=values, version=version, errors=errors)
