"""Who is signed in: their name, the address their personal answers come from, and their own SMTP account."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError

from console.api.models import MePatch
from console.pages.page import Form, Page, PageRoute, SignedPage, form_errors, redirect, text
from console.pages.sender_form import new_sender, sender_values
from console.pages.senders import press
from shared.http import ProblemError

router = APIRouter(prefix="/me", route_class=PageRoute)

SENDER = "/me/sender"


@router.get("")
async def own_page(page: SignedPage) -> Response:
    return await _own_page(page)


@router.post("")
async def change(page: SignedPage, form: Form) -> Response:
    values = {name: text(form, name) for name in ("name", "mail_address")}
    try:
        wanted = MePatch.model_validate(values)
    except ValidationError as error:
        told = {str(item["loc"][0]): item["msg"].removeprefix("Value error, ") for item in error.errors()}
        return await _own_page(page, values=values, errors=told)
    await page.deps.accounts.change_own(page.who, wanted)
    return redirect("/me", "Saved.")


@router.post("/sender")
async def change_sender(page: SignedPage, form: Form) -> Response:
    values = sender_values(form, "smtp_") | {"name": page.who.name}
    try:
        await page.send("PUT", "notifier", SENDER, values)
    except ProblemError as error:
        told = {name if name == "form" else f"smtp_{name}": message for name, message in form_errors(error).items()}
        return await _own_page(page, smtp=values, errors=told)
    return redirect("/me", "Saved. Your personal answers leave by this account from now on; test it next.")


@router.post("/sender/test")
async def test(page: SignedPage, form: Form) -> Response:
    to = text(form, "to")
    return await _own_page(page, tested={"result": await press(page, f"{SENDER}/test", to), "to": to})


@router.post("/sender/forget")
async def forget(page: SignedPage) -> Response:
    try:
        await page.send("DELETE", "notifier", SENDER)
    except ProblemError as error:
        if error.status != 404:
            raise
    return redirect("/me", "The account is forgotten. Your personal answers leave by the mailbox's SMTP server.")


async def _own_page(
    page: Page,
    *,
    values: dict[str, Any] | None = None,
    smtp: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    tested: dict[str, Any] | None = None,
) -> Response:
    account, away = await _account(page)
    return page.render(
        "me.html",
        code=422 if errors else 200,
        values=values or {"name": page.who.name, "mail_address": page.who.mail_address},
        account=account,
        away=away and smtp is None,
        smtp=smtp or account or new_sender(),
        errors=errors or {},
        **({"result": None, "to": page.who.mail_address or page.who.email} | (tested or {})),
    )


async def _account(page: Page) -> tuple[dict[str, Any] | None, bool]:
    """The own SMTP account, if there is one, and whether the notifier is away: name and address can be set without it."""
    try:
        return await page.get("notifier", SENDER), False
    except ProblemError as error:
        return None, error.status != 404
