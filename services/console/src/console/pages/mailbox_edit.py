"""The form of a mailbox, with the SMTP identity its answers leave by."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, field_errors, redirect, text
from console.pages.sender_form import new_sender, sender_values
from console.pages.senders import senders
from shared.api import ScannerIn
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes", route_class=PageRoute)

TEXTS = (
    "name",
    "server",
    "port",
    "protocol",
    "username",
    "address",
    "ssl_type",
    "ssl_method",
    "find",
    "after_scanning",
    "interval_seconds",
)
NEW_SENDER = "new"


@router.get("/new")
async def new_page(page: AdministratorsPage) -> Response:
    values = ScannerIn(name="x", server="x", username="x").model_dump(mode="json") | {"name": "", "server": "", "username": ""}
    return await _form_page(page, None, values, new_sender(), {}, str(uuid4()))


@router.post("/new")
async def create(page: AdministratorsPage, form: Form) -> Response:
    values = mailbox_values(form)
    key = text(form, "key", str(uuid4()))
    try:
        values["sender_id"] = await _sender_id(page, form, key)
        scanner = await page.send("POST", "fetcher", "/scanners", _sent(values, form), headers={"Idempotency-Key": key})
    except ProblemError as error:
        return await _form_page(page, None, values, sender_values(form, "smtp_"), _told(error), key)
    return await _saved(page, scanner["id"], form)


@router.get("/{scanner_id}/edit")
async def edit_page(page: AdministratorsPage, scanner_id: str) -> Response:
    scanner = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    return await _form_page(page, scanner, scanner, new_sender(), {}, str(uuid4()))


@router.post("/{scanner_id}/edit")
async def change(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    values, key = mailbox_values(form), text(form, "key", str(uuid4()))
    path = f"/scanners/{quoted(scanner_id)}"
    try:
        values["sender_id"] = await _sender_id(page, form, key)
        await page.send("PATCH", "fetcher", path, _sent(values, form), headers={"If-Match": f'"{text(form, "version")}"'})
    except ProblemError as error:
        scanner = await page.get("fetcher", path)
        return await _form_page(page, scanner, values, sender_values(form, "smtp_"), _told(error), key)
    return await _saved(page, scanner_id, form)


def mailbox_values(form: FormData) -> dict[str, Any]:
    """The form as a scanner's fields; whether they are right the fetcher says."""
    values: dict[str, Any] = {name: text(form, name) for name in TEXTS}
    start = text(form, "start_from")
    return values | {
        "enabled": "enabled" in form,
        "pec": "pec" in form,
        "parameters": parameters(str(form.get("parameters", ""))),
        "spam_folder": text(form, "spam_folder") or None,
        "start_from": f"P{text(form, 'start_days')}D" if start == "days" else start,
        "sender_id": text(form, "sender_id") or None,
    }


def parameters(lines: str) -> dict[str, str]:
    """`NAME=value` lines as pairs. A line without `=` is a name without value: the fetcher then says what is wrong with it."""
    pairs = (line.partition("=") for line in lines.replace("\x00", "").splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


async def _sender_id(page: Page, form: FormData, key: str) -> str | None:
    """The chosen SMTP identity; a new one is made first, so that the mailbox can point at it."""
    chosen = text(form, "sender_id")
    if chosen != NEW_SENDER:
        return chosen or None
    values = sender_values(form, "smtp_")
    values["name"] = values["name"] or text(form, "name")
    try:
        made = await page.send("POST", "notifier", "/senders", values, headers={"Idempotency-Key": f"{key}-sender"})
    except ProblemError as error:
        _name_fields_of_sender(error)
        raise
    return str(made["id"])


def _name_fields_of_sender(error: ProblemError) -> None:
    for item in (error.problem.model_extra or {}).get("errors", []):
        item["field"] = f"smtp_{item['field']}"


def _sent(values: dict[str, Any], form: FormData) -> dict[str, Any]:
    """A password left blank stays as it is."""
    password = str(form.get("password", ""))
    return values | ({"password": password} if password else {})


def _told(error: ProblemError) -> dict[str, str]:
    errors = field_errors(error)
    return errors or {"form": error.problem.detail}


async def _form_page(
    page: Page, scanner: dict[str, Any] | None, values: dict[str, Any], smtp: dict[str, Any], errors: dict[str, str], key: str
) -> Response:
    status = 422 if errors else 200
    for name in list(errors):
        errors.setdefault(name.partition(".")[0], errors[name])
    listed, away = await _senders(page)
    shown = {"scanner": scanner, "values": values, "smtp": smtp, "errors": errors, "senders": listed, "away": away, "key": key}
    choose_new = any(name.startswith("smtp_") for name in errors) or (not listed and scanner is None and not errors)
    return page.render("mailboxes/edit.html", code=status, choose_new=choose_new, **shown)


async def _senders(page: Page) -> tuple[list[dict[str, Any]], bool]:
    """The SMTP identities, and whether the notifier is away: a mailbox can be set up without it."""
    try:
        return await senders(page), False
    except ProblemError:
        return [], True


async def _saved(page: Page, scanner_id: str, form: FormData) -> Response:
    """Saving tests the connection and says what failed; it stays saved all the same."""
    there = f"/mailboxes/{quoted(scanner_id)}"
    if "untested" in form:
        return redirect(there, "Saved.")
    try:
        result = await page.send("POST", "fetcher", f"/scanners/{quoted(scanner_id)}/test")
    except ProblemError as error:
        return redirect(there, f"Saved, but the connection could not be tested. {error.problem.detail}", "bad")
    if result["ok"]:
        return redirect(there, f"Saved. {result['message']}")
    return redirect(there, f"Saved, but the connection failed. {result['message']}", "bad")
