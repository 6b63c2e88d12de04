"""Webhooks: list, form, what each was told, test, retry, delete."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, field_errors, redirect, text, texts_of
from console.pages.webhook_texts import CHANGES, STATES
from shared.http import ProblemError

router = APIRouter(prefix="/webhooks", route_class=PageRoute)

PAGE_DELIVERIES = 50
NEW: dict[str, Any] = {"name": "", "url": "https://", "types": [], "enabled": True}
REFUSALS = {409, 422}


@router.get("")
async def webhook_list(page: AdministratorsPage, cursor: str = "") -> Response:
    found = await page.get("tickets", "/webhooks", limit=200, cursor=cursor or None)
    return page.render("webhooks/list.html", webhooks=found["items"], next=found.get("next"), cursor=cursor)


@router.get("/new")
async def new_page(page: AdministratorsPage) -> Response:
    return _form_page(page, None, NEW, {}, str(uuid4()))


@router.post("/new")
async def create(page: AdministratorsPage, form: Form) -> Response:
    """The secret is shown by this very answer."""
    values, key = _values(form), text(form, "key", str(uuid4()))
    try:
        made = await page.send("POST", "tickets", "/webhooks", values, headers={"Idempotency-Key": key})
    except ProblemError as error:
        return _form_page(page, None, values, _told(error), key)
    return page.render("webhooks/secret.html", webhook=made)


@router.get("/{webhook_id}")
async def webhook_page(page: AdministratorsPage, webhook_id: str, state: str = "", cursor: str = "") -> Response:
    return await _webhook_page(page, webhook_id, state if state in STATES else "", cursor)


@router.post("/{webhook_id}/test")
async def test(page: AdministratorsPage, webhook_id: str) -> Response:
    told = await page.send("POST", "tickets", f"/webhooks/{quoted(webhook_id)}/test")
    result = {"ok": told["state"] == "delivered", "message": told["error"] or f"It answered {told['status']}.", "steps": []}
    return await _webhook_page(page, webhook_id, "", "", result)


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry")
async def retry(page: AdministratorsPage, webhook_id: str, delivery_id: str) -> Response:
    path = f"/webhooks/{quoted(webhook_id)}"
    try:
        await page.send("POST", "tickets", f"{path}/deliveries/{quoted(delivery_id)}/retry")
    except ProblemError as error:
        if error.status not in REFUSALS:
            raise
        return redirect(path, error.problem.detail, "bad")
    return redirect(path, "It is told again now.")


@router.get("/{webhook_id}/edit")
async def edit_page(page: AdministratorsPage, webhook_id: str) -> Response:
    webhook = await _read(page, webhook_id)
    return _form_page(page, webhook, webhook, {}, "")


@router.post("/{webhook_id}/edit")
async def change(page: AdministratorsPage, webhook_id: str, form: Form) -> Response:
    path, values = f"/webhooks/{quoted(webhook_id)}", _values(form)
    try:
        await page.send("PATCH", "tickets", path, values, headers={"If-Match": f'"{text(form, "version")}"'})
    except ProblemError as error:
        return _form_page(page, await _read(page, webhook_id), values, _told(error), "")
    return redirect(path, "Saved.")


@router.post("/{webhook_id}/secret")
async def renew(page: AdministratorsPage, webhook_id: str) -> Response:
    """The new secret is shown by this very answer."""
    changed = await page.send("PATCH", "tickets", f"/webhooks/{quoted(webhook_id)}", {"new_secret": True})
    return page.render("webhooks/secret.html", webhook=changed)


@router.get("/{webhook_id}/delete")
async def delete_page(page: AdministratorsPage, webhook_id: str) -> Response:
    return page.render("webhooks/delete.html", webhook=await _read(page, webhook_id))


@router.post("/{webhook_id}/delete")
async def delete(page: AdministratorsPage, webhook_id: str) -> Response:
    await page.send("DELETE", "tickets", f"/webhooks/{quoted(webhook_id)}")
    return redirect("/webhooks", "The webhook is deleted: its receiver is told nothing any more.")


async def _read(page: Page, webhook_id: str) -> dict[str, Any]:
    webhook: dict[str, Any] = await page.get("tickets", f"/webhooks/{quoted(webhook_id)}")
    return webhook


async def _webhook_page(page: Page, webhook_id: str, state: str, cursor: str, result: dict[str, Any] | None = None) -> Response:
    webhook = await _read(page, webhook_id)
    path = f"/webhooks/{quoted(webhook_id)}/deliveries"
    found = await page.get("tickets", path, limit=PAGE_DELIVERIES, state=state or None, cursor=cursor or None)
    log = {"items": found["items"], "next": found.get("next"), "cursor": cursor, "state": state}
    return page.render("webhooks/webhook.html", webhook=webhook, log=log, result=result)


def _values(form: FormData) -> dict[str, Any]:
    """The form as a webhook; all kinds ticked, or none, is every change there will ever be."""
    types = [kind for kind in CHANGES if kind in texts_of(form, "types")]
    return {
        "name": text(form, "name"),
        "url": text(form, "url"),
        "types": [] if len(types) == len(CHANGES) else types,
        "enabled": "enabled" in form,
    }


def _told(error: ProblemError) -> dict[str, str]:
    errors = field_errors(error) or {"form": error.problem.detail}
    if "pattern" in errors.get("url", "") or "at least 8" in errors.get("url", ""):
        errors["url"] = "Give a whole address, such as https://hooks.company.example/tickets."
    return errors


def _form_page(page: Page, webhook: dict[str, Any] | None, values: dict[str, Any], errors: dict[str, str], key: str) -> Response:
    status = 422 if errors else 200
    return page.render("webhooks/edit.html", code=status, webhook=webhook, values=values, errors=errors, key=key)
