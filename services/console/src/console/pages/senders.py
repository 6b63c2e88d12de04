"""SMTP identities: list, form, test, delete."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.oauth import redirect_uri
from console.pages.page import AWAY, AdministratorsPage, Form, Page, PageRoute, field_errors, form_errors, redirect, text
from console.pages.sender_form import new_sender, sent, shown, typed
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
    values, key = typed(form), text(form, "key", str(uuid4()))
    try:
        made = await page.send("POST", "notifier", "/senders", sent(values, form), headers={"Idempotency-Key": key})
    except ProblemError as error:
        return _form_page(page, None, values, form_errors(error), key)
    return redirect(f"/senders/{quoted(made['id'])}", f"Saved. {'Sign in' if _needs_person(made) else 'Test the connection'} next.")


@router.get("/{sender_id}")
async def edit_page(page: AdministratorsPage, sender_id: str) -> Response:
    sender = await page.get("notifier", f"/senders/{quoted(sender_id)}")
    return _form_page(page, sender, shown(sender), {}, "")


@router.post("/{sender_id}")
async def change(page: AdministratorsPage, sender_id: str, form: Form) -> Response:
    path, values = f"/senders/{quoted(sender_id)}", typed(form)
    try:
        await page.send("PATCH", "notifier", path, sent(values, form), headers={"If-Match": f'"{text(form, "version")}"'})
    except ProblemError as error:
        saved = await _saved(page, sender_id, values, text(form, "version"), error)
        return _form_page(page, saved, values, form_errors(error), "")
    return redirect(path, "Saved.")


@router.post("/{sender_id}/test")
async def test(page: AdministratorsPage, sender_id: str, form: Form) -> Response:
    """With an address a mail is sent there, else the connection alone is tried."""
    path, to = f"/senders/{quoted(sender_id)}", text(form, "to")
    result = await press(page, f"{path}/test", to)
    sender = await page.get("notifier", path)
    return _form_page(page, sender, shown(sender), {}, "", {"result": result, "to": to})


async def press(page: Page, path: str, to: str) -> dict[str, Any]:
    """What the test button of an SMTP account told; a refusal counts as a test that failed."""
    try:
        told: dict[str, Any] = await page.send("POST", "notifier", path, {"to": to or None})
    except ProblemError as error:
        refused = field_errors(error).get("to", "") if error.status == 422 else ""
        message = refused or error.problem.detail
        return {"ok": False, "message": message, "steps": []}
    return told


@router.post("/{sender_id}/delete")
async def delete(page: AdministratorsPage, sender_id: str) -> Response:
    try:
        await page.send("DELETE", "notifier", f"/senders/{quoted(sender_id)}")
    except ProblemError as error:
        if error.status != 409:
            raise
        return redirect(f"/senders/{quoted(sender_id)}", error.problem.detail, "bad")
    return redirect("/senders", "The SMTP identity is deleted.")


async def _saved(page: Page, sender_id: str, values: dict[str, Any], version: str, error: ProblemError) -> dict[str, Any]:
    """As it is saved; where the notifier is away, as it was typed."""
    if error.status in AWAY:
        return values | {"id": sender_id, "version": version, "oauth_state": None}
    saved: dict[str, Any] = await page.get("notifier", f"/senders/{quoted(sender_id)}")
    return saved


def _needs_person(sender: dict[str, Any]) -> bool:
    return bool(sender["auth"] == "oauth2" and sender["oauth"]["grant"] == "refresh_token")


def _form_page(
    page: Page,
    sender: dict[str, Any] | None,
    values: dict[str, Any],
    errors: dict[str, str],
    key: str,
    tested: dict[str, Any] | None = None,
) -> Response:
    return page.render(
        "senders/edit.html",
        code=422 if errors else 200,
        sender=sender,
        values=values,
        errors=errors,
        key=key,
        redirect_uri=redirect_uri(page.deps.settings),
        **({"result": None, "to": page.who.email} | (tested or {})),
    )
