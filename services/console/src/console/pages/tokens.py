"""API tokens: made, shown once, revoked."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from console.domain.principal import Role
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, redirect, text
from shared.http import not_found

router = APIRouter(prefix="/tokens", route_class=PageRoute)

MAX_SHOWN = 200


@router.get("")
async def token_list(page: AdministratorsPage) -> Response:
    return await _list_page(page)


@router.post("")
async def create(page: AdministratorsPage, form: Form) -> Response:
    """The new token is shown by this very answer and never again: it is stored as a hash only."""
    name = text(form, "name")
    if not name:
        return await _list_page(page, error="Give the token a name, so that you know later what uses it.")
    role: Role = "administrator" if text(form, "role") == "administrator" else "operator"
    made = await page.deps.accounts.create_token(name[:200], role)
    return await _list_page(page, made=made.model_dump(mode="json"))


@router.post("/{token_id}/delete")
async def delete(page: AdministratorsPage, token_id: str) -> Response:
    if not await page.deps.accounts.tokens.delete(token_id):
        raise not_found("token", token_id)
    return redirect("/tokens", "The token is revoked: it opens nothing any more.")


async def _list_page(page: Page, made: dict[str, Any] | None = None, error: str = "") -> Response:
    found = await page.deps.accounts.tokens.list(MAX_SHOWN, None)
    items = [item.model_dump(mode="json") for item in found.items]
    return page.render("tokens.html", code=422 if error else 200, tokens=items, made=made, error=error)
