"""The form of a mailbox, with the SMTP identity its answers leave by."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from console.backend import quoted
from console.oauth import redirect_uri
from console.pages.mailbox_form import is_field, new_mailbox, sent, shown, typed
from console.pages.mailbox_texts import needs_person, provider
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, field_errors, redirect, text
from console.pages.sender_form import new_sender, sender_values
from console.pages.senders import senders
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes", route_class=PageRoute)

NEW_SENDER = "new"


@router.get("/new")
async def new_page(page: AdministratorsPage) -> Response:
    return await _form_page(page, None, new_mailbox(), new_sender(), {}, str(uuid4()))


@router.post("/new")
async def create(page: AdministratorsPage, form: Form) -> Response:
    values, key = typed(form), text(form, "key", str(uuid4()))
    try:
        body = sent(values, form) | {"sender_id": await _sender_id(page, form, key)}
        scanner = await page.send("POST", "fetcher", "/scanners", body, headers={"Idempotency-Key": key})
    except ProblemError as error:
        return await _form_page(page, None, values, sender_values(form, "smtp_"), _told(error), key)
    return await _saved(page, scanner, form)


@router.get("/{scanner_id}/edit")
async def edit_page(page: AdministratorsPage, scanner_id: str) -> Response:
    scanner = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    return await _form_page(page, scanner, shown(scanner), new_sender(), {}, str(uuid4()))


@router.post("/{scanner_id}/edit")
async def change(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    values, key = typed(form), text(form, "key", str(uuid4()))
    path = f"/scanners/{quoted(scanner_id)}"
    try:
        body = sent(values, form) | {"sender_id": await _sender_id(page, form, key)}
        scanner = await page.send("PATCH", "fetcher", path, body, headers={"If-Match": f'"{text(form, "version")}"'})
    except ProblemError as error:
        scanner = await page.get("fetcher", path)
        return await _form_page(page, scanner, values, sender_values(form, "smtp_"), _told(error), key)
    return await _saved(page, scanner, form)


@router.get("/{scanner_id}/folder-names")
async def folder_names(page: AdministratorsPage, scanner_id: str) -> Response:
    """Options for the form's folder fields, fetched when one of them is entered: the form never waits for the mailbox's server."""
    try:
        found = (await page.get("fetcher", f"/scanners/{quoted(scanner_id)}/folders"))["items"]
    except ProblemError as error:
        if error.status == 404:
            raise
        found = []
    names = [folder["name"] for folder in found if folder["selectable"] and not folder["missing"]]
    return page.fragment("mailboxes/_folder_names.html", names=names)


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


def _told(error: ProblemError) -> dict[str, str]:
    """What is wrong by field; what is about none of the form's is told above it."""
    errors = field_errors(error)
    elsewhere = [message for name, message in errors.items() if not is_field(name)]
    return errors | ({} if errors and not elsewhere else {"form": " ".join(elsewhere) or error.problem.detail})


async def _form_page(
    page: Page, scanner: dict[str, Any] | None, values: dict[str, Any], smtp: dict[str, Any], errors: dict[str, str], key: str
) -> Response:
    listed, away = await _senders(page)
    given = {"scanner": scanner, "values": values, "smtp": smtp, "errors": errors, "senders": listed, "away": away, "key": key}
    choose_new = values["sender_id"] == NEW_SENDER or any(name.startswith("smtp_") for name in errors)
    return page.render(
        "mailboxes/edit.html",
        code=422 if errors else 200,
        choose_new=choose_new or (not listed and scanner is None and not errors),
        redirect_uri=redirect_uri(page.deps.settings),
        **given,
    )


async def _senders(page: Page) -> tuple[list[dict[str, Any]], bool]:
    """The SMTP identities, and whether the notifier is away: a mailbox can be set up without it."""
    try:
        return await senders(page), False
    except ProblemError:
        return [], True


async def _saved(page: Page, scanner: dict[str, Any], form: FormData) -> Response:
    """Saving tests the connection and says what failed; it stays saved all the same."""
    there = f"/mailboxes/{quoted(scanner['id'])}"
    if needs_person(scanner):
        return redirect(there, f"Saved. Next, sign in with {provider(scanner)} below.", "info")
    if "untested" in form:
        return redirect(there, "Saved.")
    try:
        result = await page.send("POST", "fetcher", f"/scanners/{quoted(scanner['id'])}/test")
    except ProblemError as error:
        return redirect(there, f"Saved, but the connection could not be tested. {error.problem.detail}", "bad")
    if result["ok"]:
        return redirect(there, f"Saved. {result['message']}")
    return redirect(there, f"Saved, but the connection failed. {result['message']}", "bad")
