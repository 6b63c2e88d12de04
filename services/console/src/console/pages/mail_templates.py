"""Templates of answers and acknowledgements, and canned answers: list, form with a preview, delete."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from console.backend import quoted
from console.pages.desk import mailbox_names
from console.pages.originals import FRAME_POLICY
from console.pages.page import AWAY, AdministratorsPage, Form, Page, PageRoute, field_errors, form_errors, redirect, text
from console.pages.template_texts import KINDS, new_template
from shared.http import ProblemError

router = APIRouter(prefix="/mail-templates", route_class=PageRoute)

TEXTS = ("subject", "text", "html")
REFUSALS = {409, 412, 422}


@router.get("")
async def template_list(page: AdministratorsPage, kind: str = "", cursor: str = "") -> Response:
    chosen = kind if kind in KINDS else ""
    found = await page.get("notifier", "/templates", limit=200, kind=chosen or None, cursor=cursor or None)
    mailboxes = dict(await mailbox_names(page))
    return page.render(
        "mail_templates/list.html", items=found["items"], next=found.get("next"), cursor=cursor, kind=chosen, mailboxes=mailboxes
    )


@router.get("/new")
async def new_page(page: AdministratorsPage, kind: str = "") -> Response:
    return await _form_page(page, None, new_template(kind if kind in KINDS else "canned"), {}, str(uuid4()))


@router.post("/new")
async def create(page: AdministratorsPage, form: Form) -> Response:
    values, key = _values(form), text(form, "key", str(uuid4()))
    try:
        made = await page.send("POST", "notifier", "/templates", values, headers={"Idempotency-Key": key})
    except ProblemError as error:
        return await _form_page(page, None, values, _told(error), key)
    return redirect(_path(made["id"]), "Saved.")


@router.get("/preview")
async def no_preview(page: AdministratorsPage) -> Response:
    """What the frame shows of a template that nothing is saved of."""
    return _frame(page, None, "Press the button above.")


@router.post("/preview")
async def preview(page: AdministratorsPage, form: Form) -> Response:
    """What the form's texts would make, as a document for the frame beside it; so is what is wrong with them."""
    body = _values(form)
    body = {name: body[name] for name in ("kind", *TEXTS)}
    return await _preview(page, "/templates/preview", body)


@router.get("/{template_id}/preview")
async def saved_preview(page: AdministratorsPage, template_id: str) -> Response:
    return await _preview(page, f"/templates/{quoted(template_id)}/preview", {})


@router.get("/{template_id}")
async def edit_page(page: AdministratorsPage, template_id: str) -> Response:
    template = await _read(page, template_id)
    return await _form_page(page, template, template, {}, "")


@router.post("/{template_id}")
async def change(page: AdministratorsPage, template_id: str, form: Form) -> Response:
    """Kind and mailbox stay what they were made for."""
    values = _values(form)
    patch = {name: values[name] for name in ("name", *TEXTS)}
    headers = {"If-Match": f'"{text(form, "version")}"'}
    try:
        await page.send("PATCH", "notifier", f"/templates/{quoted(template_id)}", patch, headers=headers)
    except ProblemError as error:
        away = values | {"id": template_id, "version": text(form, "version")}
        template = away if error.status in AWAY else await _read(page, template_id)
        return await _form_page(page, template, template | patch, _told(error), "")
    return redirect(_path(template_id), "Saved. Mails not made yet are made with it.")


@router.get("/{template_id}/delete")
async def delete_page(page: AdministratorsPage, template_id: str) -> Response:
    return page.render("mail_templates/delete.html", saved=await _read(page, template_id))


@router.post("/{template_id}/delete")
async def delete(page: AdministratorsPage, template_id: str) -> Response:
    await page.send("DELETE", "notifier", f"/templates/{quoted(template_id)}")
    return redirect("/mail-templates", "The template is deleted.")


def _path(template_id: str) -> str:
    return f"/mail-templates/{quoted(template_id)}"


async def _read(page: Page, template_id: str) -> dict[str, Any]:
    template: dict[str, Any] = await page.get("notifier", f"/templates/{quoted(template_id)}")
    return template


def _values(form: FormData) -> dict[str, Any]:
    """The form as a template. Browsers end lines by CR LF in what they send; templates have LF."""
    texts = {name: text(form, name).replace("\r\n", "\n") for name in TEXTS}
    return {"name": text(form, "name"), "kind": text(form, "kind"), "scanner_id": text(form, "scanner_id") or None, **texts}


def _told(error: ProblemError) -> dict[str, str]:
    if error.status == 412:
        return {"form": "Somebody changed this template meanwhile. What you typed is still here: save again to put it in its place."}
    return form_errors(error)


async def _preview(page: Page, path: str, body: dict[str, Any]) -> Response:
    try:
        return _frame(page, await page.send("POST", "notifier", path, body))
    except ProblemError as error:
        return _frame(page, None, _reason(error))


def _frame(page: Page, made: dict[str, Any] | None, told: str = "") -> Response:
    response = page.fragment("mail_templates/preview.html", made=made, told=told)
    response.headers["Content-Security-Policy"] = FRAME_POLICY
    return response


def _reason(error: ProblemError) -> str:
    """Why there is no preview, with the field's name; a frame shows no page of errors."""
    if error.status not in REFUSALS:
        return error.problem.detail
    return " ".join(f"{name.capitalize()}: {told}" for name, told in field_errors(error).items()) or error.problem.detail


async def _form_page(page: Page, template: dict[str, Any] | None, values: dict[str, Any], errors: dict[str, str], key: str) -> Response:
    mailboxes = await mailbox_names(page)
    given: dict[str, Any] = {"saved": template, "values": values, "errors": errors, "key": key, "mailboxes": mailboxes}
    return page.render("mail_templates/edit.html", code=422 if errors else 200, **given)
