"""The ledger: every mail seen, what became of it, and why."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.mailboxes import scanner_if_there, scanners
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, SignedPage, redirect, text
from shared.http import ProblemError

router = APIRouter(prefix="/mails", route_class=PageRoute)

PAGE_MAILS = 50


@router.get("")
async def mail_list(page: SignedPage, q: str = "", scanner_id: str = "", outcome: str = "", cursor: str = "") -> Response:
    wanted = {"q": q, "scanner_id": scanner_id, "outcome": outcome, "cursor": cursor}
    found = await page.get("fetcher", "/mails", limit=PAGE_MAILS, **{name: value or None for name, value in wanted.items()})
    box = await scanner_if_there(page, scanner_id)
    values: dict[str, Any] = {
        "mails": found["items"],
        "next": found.get("next"),
        "scanners": await _choices(page, box),
        "scanner": box,
    } | wanted
    return page.render("mails/list.html", **values)


@router.get("/{mail_id}")
async def mail_page(page: SignedPage, mail_id: str) -> Response:
    mail = await page.get("fetcher", f"/mails/{quoted(mail_id)}")
    decision, told = await _decision(page, mail_id)
    box = await scanner_if_there(page, mail["scanner_id"])
    return page.render("mails/mail.html", mail=mail, decision=decision, undecided=told, scanner=box, key=str(uuid4()))


@router.post("/{mail_id}/retry")
async def retry(page: AdministratorsPage, mail_id: str, form: Form) -> Response:
    await page.send("POST", "fetcher", f"/mails/{quoted(mail_id)}/retry", headers={"Idempotency-Key": text(form, "key", str(uuid4()))})
    return redirect(f"/mails/{quoted(mail_id)}", "The mail is on its way again; its outcome follows in a moment.", "info")


async def _choices(page: Page, chosen: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The mailboxes to filter by; the chosen one is among them however many there are."""
    listed = await scanners(page)
    return listed if chosen is None or any(item["id"] == chosen["id"] for item in listed) else [chosen, *listed]


async def _decision(page: Page, mail_id: str) -> tuple[dict[str, Any] | None, str]:
    """The decision, or why there is none to show."""
    try:
        found: dict[str, Any] = await page.get("rules", f"/mails/{quoted(mail_id)}/decision")
    except ProblemError as error:
        if error.status == 404:
            return None, "The rules have not decided this mail. It is on its way, was skipped, or failed before its turn."
        return None, error.problem.detail
    return found, ""
