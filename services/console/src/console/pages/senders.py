"""SMTP identities: list, form, test, delete."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, field_errors, redirect, text
from console.pages.sender_form import new_sender, sender_values
from shared.http import ProblemError

router = APIRouter(prefix="/senders", route_class=PageRoute)


async def senders(page: Page) -> list[dict[str, Any]]:
    """All SMTP identities (at most 200 are shown)."""
    items: list[dict[str, Any]] = (await page.get("notifier", "/senders", limit=200))["items"]
    return items


@router.get("")
async def sender_list(page: AdministratorsPage) -> Response:
    return page.render("senders/list.html", senders=await senders(page))


@router.get("/new")
async def new_page(page: AdministratorsPage) -> Response:
    return _form_page(page, None, new_sender(), {}, str(uuid4()))


@router.post("/new")
async def create(page: AdministratorsPage, form: Form) -> Response:
    values, key = sender_values(form), text(form, "key", str(uuid4()))
    try:
        made = await page.send("POST", "notifier", "/senders", values, headers={"Idempotency-Key": key})
    except ProblemError as error:
        return _form_page(page, None, values, _told(error), key)
    return redirect(f"/senders/{quoted(made['id'])}", "Saved. Test the connection next.")


@router.get("/{sender_id}")
async def edit_page(page: AdministratorsPage, sender_id: str) -> Response:
    sender = await page.get("notifier", f"/senders/{quoted(sender_id)}")
    return _form_page(page, sender, sender, {}, "")


@router.post("/{sender_id}")
async def change(page: AdministratorsPage, sender_id: str, form: Form) -> Response:
    path, values = f"/senders/{quoted(sender_id)}", sender_values(form)
    try:
        await page.send("PATCH", "notifier", path, values, headers={"If-Match": f'"{text(form, "version")}"'})
    except ProblemError as error:
        return _form_page(page, await page.get("notifier", path), values, _told(error), "")
    return redirect(path, "Saved.")


@router.post("/{sender_id}/test")
async def test(page: AdministratorsPage, sender_id: str) -> Response:
    path = f"/senders/{quoted(sender_id)}"
    result = await page.send("POST", "notifier", f"{path}/test")
    sender = await page.get("notifier", path)
    return _form_page(page, sender, sender, {}, "", result)


@router.post("/{sender_id}/delete")
async def delete(page: AdministratorsPage, sender_id: str) -> Response:
    try:
        await page.send("DELETE", "notifier", f"/senders/{quoted(sender_id)}")
    except ProblemError as error:
        if error.status != 409:
            raise
        return redirect(f"/senders/{quoted(sender_id)}", error.problem.detail, "bad")
    return redirect("/senders", "The SMTP identity is deleted.")


def _told(error: ProblemError) -> dict[str, str]:
    return field_errors(error) or {"form": error.problem.detail}


def _form_page(
    page: Page,
    sender: dict[str, Any] | None,
    values: dict[str, Any],
    errors: dict[str, str],
    key: str,
    result: dict[str, Any] | None = None,
) -> Response:
    status = 422 if errors else 200
    return page.render("senders/edit.html", code=status, sender=sender, values=values, errors=errors, key=key, result=result)
