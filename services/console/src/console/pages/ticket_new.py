"""A ticket made by hand."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.pages.desk import colleagues, desk_settings
from console.pages.page import Form, Page, PageRoute, SignedPage, field_errors, redirect, text
from console.pages.texts import first_error
from console.pages.ticket_form import as_patch, form_values
from shared.http import ProblemError

router = APIRouter(prefix="/tickets/new", route_class=PageRoute)

FIELDS = ("title", "description", "priority", "category", "assignee", "tags", "watchers", "external_code", "contact_id")
BLANK: dict[str, Any] = dict.fromkeys(FIELDS, "") | {"tags": [], "watchers": []}


@router.get("")
async def new_page(page: SignedPage, contact_id: str = "") -> Response:
    return await _form_page(page, BLANK | {"contact_id": contact_id}, {}, str(uuid4()))


@router.post("")
async def create(page: SignedPage, form: Form) -> Response:
    values = form_values(form) | {"description": text(form, "description"), "contact_id": text(form, "contact_id")}
    key = text(form, "key", str(uuid4()))
    wanted = {**as_patch(values), "contact_id": values["contact_id"] or None}
    try:
        made = await page.send("POST", "tickets", "/tickets", wanted, headers={"Idempotency-Key": key})
    except ProblemError as error:
        listed = field_errors(error)
        errors = {name: told for name in FIELDS if (told := first_error(listed, name))} or {"form": error.problem.detail}
        return await _form_page(page, BLANK | values, errors, key)
    return redirect(f"/tickets/{made['id']}", f"Ticket {made['id']} is made.")


async def _form_page(page: Page, values: dict[str, Any], errors: dict[str, str], key: str) -> Response:
    settings = await desk_settings(page)
    people = await colleagues(page)
    code = 422 if errors else 200
    return page.render("tickets/new.html", code=code, form=values, errors=errors, key=key, settings=settings, colleagues=people)
