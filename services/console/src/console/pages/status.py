"""How the services are doing, and the events they could not handle."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from console.aggregates import act_on_dead_letter, dead_letters, status
from console.pages.mailboxes import scanners
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, redirect, text
from console.settings import SERVICES, ServiceName
from shared.http import ProblemError, not_found

router = APIRouter(prefix="/status", route_class=PageRoute)

MAX_LETTERS = 50
"""Shown at once; the others come up as these are settled."""
LETTERS = "/status#dead-letters"


@router.get("")
async def status_page(page: AdministratorsPage) -> Response:
    state = await status(page.deps, page.who)
    letters = await dead_letters(page.deps.backend, page.who, limit=MAX_LETTERS)
    shown: dict[str, Any] = {"state": state.model_dump(mode="json"), "letters": letters.model_dump(mode="json")}
    return page.render("status.html", mailboxes=await _mailboxes(page), **shown)


@router.post("/dead-letters/{letter_id}/retry")
async def retry(page: AdministratorsPage, letter_id: str) -> Response:
    try:
        await act_on_dead_letter(page.deps.backend, page.who, letter_id, "retry")
    except ProblemError as error:
        if error.status != 409:
            raise
        return redirect(LETTERS, f"It failed again. {error.problem.detail}", "bad")
    return redirect(LETTERS, "Handled: it is no dead letter any more.")


@router.post("/dead-letters/{letter_id}/drop")
async def drop(page: AdministratorsPage, letter_id: str, form: Form) -> Response:
    try:
        await act_on_dead_letter(page.deps.backend, page.who, letter_id, "drop", {"reason": text(form, "reason")})
    except ProblemError as error:
        if error.status != 422:
            raise
        return redirect(LETTERS, "Give a reason of a few words: it becomes the mail's outcome.", "bad")
    return redirect(LETTERS, "Given up, with your reason as its outcome.", "info")


@router.post("/release-brake/{service}")
async def release(page: AdministratorsPage, service: str) -> Response:
    await page.send("POST", _known(service), "/dead-letters/release-brake")
    return redirect("/status", "The brake is released; events are handled again.")


async def _mailboxes(page: Page) -> list[dict[str, Any]] | None:
    """The mailboxes (at most 200 are looked at); None while the fetcher cannot be asked."""
    try:
        return await scanners(page)
    except ProblemError as error:
        if error.status not in {503, 504}:
            raise
        return None


def _known(service: str) -> ServiceName:
    """One of the services, whatever the address says. Raises ProblemError 404."""
    for name in SERVICES:
        if name == service:
            return name
    raise not_found("service", service)
