"""The form of a rule."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, redirect, text
from console.pages.rule_form import carets, check, draft, is_field, new_rule, rule_values
from console.pages.rule_set import RulesRoute, pages_path, save, scanner_of, set_path, told
from console.pages.simulations import choose_mails
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes/{scanner_id}/rules", route_class=RulesRoute)


@router.get("/new")
async def new_page(page: AdministratorsPage, scanner_id: str) -> Response:
    return await _form_page(page, scanner_id, None, new_rule(), key=str(uuid4()))


@router.post("/new")
async def create(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    values, key = rule_values(form), text(form, "key", str(uuid4()))
    if "more" in form:
        return await _form_page(page, scanner_id, None, values, key=key)
    try:
        check(values)
        if "try" in form:
            return await _try(page, scanner_id, None, values)
        rule = await save(page, form, "POST", set_path(scanner_id), values, key=key)
    except ProblemError as error:
        return await _form_page(page, scanner_id, None, values, error, key=key)
    return redirect(f"{pages_path(scanner_id)}#rule-{quoted(rule['id'])}", f"The rule “{rule['name']}” is saved, as the last one.")


@router.get("/{rule_id}")
async def edit_page(page: AdministratorsPage, scanner_id: str, rule_id: str) -> Response:
    rule = await page.get("rules", f"/rules/{quoted(rule_id)}")
    return await _form_page(page, scanner_id, rule, rule)


@router.post("/{rule_id}")
async def change(page: AdministratorsPage, scanner_id: str, rule_id: str, form: Form) -> Response:
    path, values = f"/rules/{quoted(rule_id)}", rule_values(form)
    if "more" in form:
        seen = {"version": text(form, "version")}
        return await _form_page(page, scanner_id, await page.get("rules", path) | seen, values)
    try:
        check(values)
        if "try" in form:
            return await _try(page, scanner_id, rule_id, values)
        await save(page, form, "PATCH", path, values, version=text(form, "version"))
    except ProblemError as error:
        return await _form_page(page, scanner_id, await page.get("rules", path), values, error)
    return redirect(f"{pages_path(scanner_id)}#rule-{quoted(rule_id)}", f"The rule “{values['name']}” is saved.")


async def _try(page: Page, scanner_id: str, rule_id: str | None, values: dict[str, Any]) -> Response:
    """On to the choice of mails, with the set as it would be; nothing is saved."""
    rules = await page.get("rules", set_path(scanner_id))
    return await choose_mails(page, scanner_id, draft(rules["items"], rule_id, values))


async def _form_page(
    page: Page, scanner_id: str, rule: dict[str, Any] | None, values: dict[str, Any], error: ProblemError | None = None, *, key: str = ""
) -> Response:
    return page.render(
        "rules/edit.html",
        code=422 if error else 200,
        scanner=await scanner_of(page, scanner_id),
        rule=rule,
        values=values,
        errors=_errors(error) if error else {},
        carets=carets(error, values["conditions"]) if error else {},
        key=key,
    )


def _errors(error: ProblemError) -> dict[str, str]:
    """What is wrong by field; what is about none of the form's is told above it."""
    errors = told(error)
    elsewhere = [message for name, message in errors.items() if not is_field(name)]
    return errors | ({"form": " ".join(elsewhere)} if elsewhere else {})
