"""Examples: mails pinned to a mailbox's rules with what they must become."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, field_errors, redirect, text
from console.pages.rule_set import RulesRoute, pages_path, scanner_of, set_path
from console.pages.uploads import uploaded
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes/{scanner_id}/rules/examples", route_class=RulesRoute)

FIELDS = {"name", "file", "raw", "expected.outcome", "expected.rule_id"}


@router.get("")
async def examples_page(page: AdministratorsPage, scanner_id: str) -> Response:
    return await _list_page(page, scanner_id, None)


@router.post("/check")
async def check(page: AdministratorsPage, scanner_id: str) -> Response:
    """Each example under today's rules; it changes nothing, so the answer is the page itself."""
    found = await page.send("POST", "rules", f"{_path(scanner_id)}/check")
    return await _list_page(page, scanner_id, {item["example"]["id"]: item for item in found["items"]})


@router.get("/new")
async def new_page(page: AdministratorsPage, scanner_id: str, mail_id: str = "") -> Response:
    values = {"name": "", "mail_id": mail_id, "raw": "", "outcome": "", "rule_id": "", "key": str(uuid4())}
    mail = await page.get("fetcher", f"/mails/{quoted(mail_id)}") if mail_id else None
    return await _form_page(page, scanner_id, values | {"name": mail["subject"][:200] if mail else ""}, mail, {})


@router.post("/new")
async def pin(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    values = {name: text(form, name) for name in ("name", "mail_id", "raw", "outcome", "rule_id", "key")}
    try:
        body = {"name": values["name"], "expected": _expected(values), **await _mail(form, values)}
        made = await page.send("POST", "rules", _path(scanner_id), body, headers={"Idempotency-Key": values["key"] or str(uuid4())})
    except ProblemError as error:
        mail = await page.get("fetcher", f"/mails/{quoted(values['mail_id'])}") if values["mail_id"] else None
        return await _form_page(page, scanner_id, values, mail, _told(error))
    return redirect(_pages(scanner_id), f"“{made['name']}” is pinned: saving rules that change its result asks first.")


@router.post("/{example_id}/delete")
async def unpin(page: AdministratorsPage, scanner_id: str, example_id: str) -> Response:
    await page.send("DELETE", "rules", f"{_path(scanner_id)}/{quoted(example_id)}")
    return redirect(_pages(scanner_id), "The example is unpinned.")


def _path(scanner_id: str) -> str:
    return f"{set_path(scanner_id)}/examples"


def _pages(scanner_id: str) -> str:
    return f"{pages_path(scanner_id)}/examples"


def _expected(values: dict[str, str]) -> dict[str, Any] | None:
    """The chosen result; None for what today's rules make of it."""
    return {"outcome": values["outcome"], "rule_id": values["rule_id"] or None} if values["outcome"] else None


async def _mail(form: FormData, values: dict[str, str]) -> dict[str, str]:
    """The pinned mail: one of the ledger, an uploaded file, or a pasted text."""
    if values["mail_id"]:
        return {"mail_id": values["mail_id"]}
    if content := await uploaded(form, "file"):
        return {"raw_base64": base64.b64encode(content).decode()}
    if not values["raw"]:
        told = [{"field": "file", "message": "Choose a file, or paste the mail below."}]
        raise ProblemError(422, "No mail", "Choose a file, or paste the mail.", errors=told)
    return {"raw": values["raw"]}


def _told(error: ProblemError) -> dict[str, str]:
    if error.status == 413:
        return {"file": error.problem.detail}
    errors = field_errors(error)
    return errors if errors and set(errors) <= FIELDS else errors | {"form": error.problem.detail}


async def _list_page(page: Page, scanner_id: str, results: dict[str, dict[str, Any]] | None) -> Response:
    found = await page.get("rules", _path(scanner_id))
    return page.render("rules/examples.html", scanner=await scanner_of(page, scanner_id), examples=found["items"], results=results)


async def _form_page(page: Page, scanner_id: str, values: dict[str, str], mail: dict[str, Any] | None, errors: dict[str, str]) -> Response:
    return page.render(
        "rules/example_new.html",
        code=422 if errors else 200,
        scanner=await scanner_of(page, scanner_id),
        rules=(await page.get("rules", set_path(scanner_id)))["items"],
        values=values,
        mail=mail,
        errors=errors,
    )
