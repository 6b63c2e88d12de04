"""The ordered rules of a mailbox and their editor."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, field_errors, redirect, text
from console.pages.rule_form import new_rule, rule_values
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes/{scanner_id}/rules", route_class=PageRoute)


@router.get("")
async def rule_list(page: AdministratorsPage, scanner_id: str) -> Response:
    rules = await page.get("rules", _set_path(scanner_id))
    return page.render("rules/list.html", scanner=await _scanner(page, scanner_id), rules=rules["items"])


@router.get("/new")
async def new_page(page: AdministratorsPage, scanner_id: str) -> Response:
    return await _form_page(page, scanner_id, None, new_rule(), {}, str(uuid4()))


@router.post("/new")
async def create(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    values, key = rule_values(form), text(form, "key", str(uuid4()))
    if "more" in form:
        return await _form_page(page, scanner_id, None, values, {}, key)
    try:
        rule = await page.send("POST", "rules", _set_path(scanner_id), values, headers={"Idempotency-Key": key})
    except ProblemError as error:
        return await _form_page(page, scanner_id, None, values, _told(error), key)
    return redirect(f"{_pages(scanner_id)}#rule-{quoted(rule['id'])}", f"The rule “{rule['name']}” is saved, as the last one.")


@router.get("/{rule_id}")
async def edit_page(page: AdministratorsPage, scanner_id: str, rule_id: str) -> Response:
    rule = await page.get("rules", f"/rules/{quoted(rule_id)}")
    return await _form_page(page, scanner_id, rule, rule, {}, "")


@router.post("/{rule_id}")
async def change(page: AdministratorsPage, scanner_id: str, rule_id: str, form: Form) -> Response:
    path, values = f"/rules/{quoted(rule_id)}", rule_values(form)
    if "more" in form:
        return await _form_page(page, scanner_id, await page.get("rules", path), values, {}, "")
    try:
        await page.send("PATCH", "rules", path, values, headers={"If-Match": f'"{text(form, "version")}"'})
    except ProblemError as error:
        return await _form_page(page, scanner_id, await page.get("rules", path), values, _told(error), "")
    return redirect(f"{_pages(scanner_id)}#rule-{quoted(rule_id)}", f"The rule “{values['name']}” is saved.")


@router.post("/{rule_id}/move")
async def move(page: AdministratorsPage, scanner_id: str, rule_id: str, form: Form) -> Response:
    """One place up or down. The order is checked against the list as it was read, so that two people do not undo each other."""
    rules = await page.get("rules", _set_path(scanner_id))
    ids = [rule["id"] for rule in rules["items"]]
    place = ids.index(rule_id) if rule_id in ids else -1
    other = place + (-1 if text(form, "direction") == "up" else 1)
    if place >= 0 and 0 <= other < len(ids):
        ids[place], ids[other] = ids[other], ids[place]
        headers = {"If-Match": f'"{rules["version"]}"'}
        await page.send("PUT", "rules", f"{_set_path(scanner_id)}/order", {"rule_ids": ids}, headers=headers)
    return redirect(f"{_pages(scanner_id)}#rule-{quoted(rule_id)}")


@router.post("/{rule_id}/enabled")
async def enable(page: AdministratorsPage, scanner_id: str, rule_id: str, form: Form) -> Response:
    await page.send("PATCH", "rules", f"/rules/{quoted(rule_id)}", {"enabled": text(form, "enabled") == "yes"})
    return redirect(f"{_pages(scanner_id)}#rule-{quoted(rule_id)}")


@router.get("/{rule_id}/delete")
async def confirm_delete(page: AdministratorsPage, scanner_id: str, rule_id: str) -> Response:
    rule = await page.get("rules", f"/rules/{quoted(rule_id)}")
    return page.render("rules/delete.html", scanner=await _scanner(page, scanner_id), rule=rule)


@router.post("/{rule_id}/delete")
async def delete(page: AdministratorsPage, scanner_id: str, rule_id: str) -> Response:
    await page.send("DELETE", "rules", f"/rules/{quoted(rule_id)}")
    return redirect(_pages(scanner_id), "The rule is deleted.")


def _set_path(scanner_id: str) -> str:
    return f"/scanners/{quoted(scanner_id)}/rules"


def _pages(scanner_id: str) -> str:
    return f"/mailboxes/{quoted(scanner_id)}/rules"


def _told(error: ProblemError) -> dict[str, str]:
    return field_errors(error) or {"form": error.problem.detail}


async def _scanner(page: Page, scanner_id: str) -> dict[str, Any]:
    """The mailbox, or what can be said of it while the fetcher is away."""
    try:
        found: dict[str, Any] = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    except ProblemError as error:
        if error.status == 404:
            raise
        return {"id": scanner_id, "name": "Mailbox", "warnings": []}
    return found


async def _form_page(
    page: Page, scanner_id: str, rule: dict[str, Any] | None, values: dict[str, Any], errors: dict[str, str], key: str
) -> Response:
    status = 422 if errors else 200
    scanner = await _scanner(page, scanner_id)
    return page.render("rules/edit.html", code=status, scanner=scanner, rule=rule, values=values, errors=errors, key=key)
