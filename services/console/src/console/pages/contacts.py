"""The contacts."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from console.backend import quoted
from console.pages.page import Form, Page, PageRoute, SignedPage, field_errors, redirect, text
from shared.http import ProblemError

router = APIRouter(prefix="/contacts", route_class=PageRoute)

PAGE_CONTACTS = 50


@router.get("")
async def contact_list(page: SignedPage, q: str = "", cursor: str = "") -> Response:
    found = await page.get("tickets", "/contacts", q=q or None, limit=PAGE_CONTACTS, cursor=cursor or None)
    return page.render("contacts/list.html", contacts=found["items"], next=found.get("next"), q=q, cursor=cursor)


@router.get("/new")
async def new_page(page: SignedPage) -> Response:
    return _form_page(page, None, {"name": "", "addresses": []}, {}, str(uuid4()))


@router.post("/new")
async def create(page: SignedPage, form: Form) -> Response:
    values, key = contact_values(form), text(form, "key", str(uuid4()))
    try:
        await page.send("POST", "tickets", "/contacts", values, headers={"Idempotency-Key": key})
    except ProblemError as error:
        return _form_page(page, None, values, _told(error), key)
    return redirect("/contacts", f"{values['name']} is saved.")


@router.get("/{contact_id}")
async def edit_page(page: SignedPage, contact_id: str) -> Response:
    contact = await page.get("tickets", f"/contacts/{quoted(contact_id)}")
    tickets = (await page.get("tickets", "/tickets", contact_id=contact_id, limit=20))["items"]
    return _form_page(page, contact, contact, {}, "", tickets)


@router.post("/{contact_id}")
async def change(page: SignedPage, contact_id: str, form: Form) -> Response:
    path, values = f"/contacts/{quoted(contact_id)}", contact_values(form)
    try:
        await page.send("PATCH", "tickets", path, values, headers={"If-Match": f'"{text(form, "version")}"'})
    except ProblemError as error:
        return _form_page(page, await page.get("tickets", path), values, _told(error), "")
    return redirect("/contacts", f"{values['name']} is saved.")


@router.post("/{contact_id}/delete")
async def delete(page: SignedPage, contact_id: str) -> Response:
    await page.send("DELETE", "tickets", f"/contacts/{quoted(contact_id)}")
    return redirect("/contacts", "The contact is deleted. Its tickets stay.")


def contact_values(form: FormData) -> dict[str, Any]:
    """The form as a contact: one address a line."""
    addresses = [line.strip() for line in str(form.get("addresses", "")).replace("\x00", "").splitlines() if line.strip()]
    return {"name": text(form, "name"), "addresses": addresses}


def _told(error: ProblemError) -> dict[str, str]:
    errors = field_errors(error) or {"form": error.problem.detail}
    for name, message in list(errors.items()):
        if name.startswith("addresses"):
            errors["addresses"] = "Give whole addresses, one a line, such as anna@company.example." if "pattern" in message else message
    return errors


def _form_page(
    page: Page,
    contact: dict[str, Any] | None,
    values: dict[str, Any],
    errors: dict[str, str],
    key: str,
    tickets: list[dict[str, Any]] | None = None,
) -> Response:
    status = 422 if errors else 200
    return page.render("contacts/edit.html", code=status, contact=contact, values=values, errors=errors, key=key, tickets=tickets or [])
