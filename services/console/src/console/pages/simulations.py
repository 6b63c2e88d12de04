"""Rules tried on mails before they are switched on: which mails, how far it is, what would change, and why."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, redirect, text
from console.pages.rule_set import RulesRoute, pages_path, save, scanner_of, told
from console.pages.simulation_form import choice_values, chosen_mails, draft_of, new_choice
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes/{scanner_id}/rules", route_class=RulesRoute)

PAGE_MAILS = 50
MAILS_TO_CHOOSE = 30


@router.get("/try")
async def choose_page(page: AdministratorsPage, scanner_id: str, version: int = 0) -> Response:
    """Today's rules or an earlier version's, on mails yet to be chosen."""
    return await _choose(page, scanner_id, None, version, new_choice())


@router.post("/try")
async def ask(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    draft, version = draft_of(form), text(form, "of_version")
    number = int(version) if version.isdecimal() else 0
    try:
        wanted: dict[str, Any] = {"mails": await chosen_mails(form)}
        wanted |= {"rules": draft} if draft is not None else {"version": number} if number else {}
        return await _ask(page, scanner_id, wanted, text(form, "key", str(uuid4())))
    except ProblemError as error:
        errors = {"file": error.problem.detail} if error.status == 413 else told(error)
        return await _choose(page, scanner_id, draft, number, choice_values(form), errors)


async def choose_mails(page: Page, scanner_id: str, draft: list[dict[str, Any]], errors: dict[str, str] | None = None) -> Response:
    """The page that asks on which mails the draft (`DraftRule`s, the whole set) shall be tried."""
    return await _choose(page, scanner_id, draft, 0, new_choice(), errors)


@router.get("/tried/{simulation_id}")
async def tried_page(
    page: AdministratorsPage, scanner_id: str, simulation_id: str, change: str = "", before: str = "", after: str = "", cursor: str = ""
) -> Response:
    simulation = await page.get("rules", _path(simulation_id))
    wanted: dict[str, Any] = {"change": change, "before": before, "after": after, "cursor": cursor}
    mails: dict[str, Any] = {"items": [], "next": None}
    if simulation["state"] == "done":
        given = {name: value or None for name, value in wanted.items()}
        mails = await page.get("rules", f"{_path(simulation_id)}/mails", limit=PAGE_MAILS, **given)
    current = await page.get("rules", f"/scanners/{quoted(scanner_id)}/rules")
    return page.render(
        "simulations/tried.html",
        scanner=await scanner_of(page, scanner_id),
        simulation=simulation,
        mails=mails["items"],
        next=mails["next"],
        current=current["version"],
        **wanted,
    )


@router.get("/tried/{simulation_id}/state")
async def state(page: AdministratorsPage, scanner_id: str, simulation_id: str) -> Response:
    """How far it is."""
    simulation = await page.get("rules", _path(simulation_id))
    return page.fragment("simulations/_state.html", simulation=simulation, scanner={"id": scanner_id})


@router.get("/tried/{simulation_id}/mails/{position}")
async def mail_page(page: AdministratorsPage, scanner_id: str, simulation_id: str, position: int) -> Response:
    mail = await page.get("rules", f"{_path(simulation_id)}/mails/{position}")
    scanner = await scanner_of(page, scanner_id)
    return page.render("simulations/mail.html", scanner=scanner, simulation_id=simulation_id, mail=mail)


@router.post("/tried/{simulation_id}/apply")
async def apply(page: AdministratorsPage, scanner_id: str, simulation_id: str, form: Form) -> Response:
    saved = await save(page, form, "POST", f"{_path(simulation_id)}/apply")
    return redirect(pages_path(scanner_id), f"The rules that were tried are switched on, as version {saved['version']}.")


async def _ask(page: Page, scanner_id: str, wanted: dict[str, Any], key: str) -> Response:
    body = {"scanner_id": scanner_id, **wanted}
    job = await page.send("POST", "rules", "/rule-simulations", body, headers={"Idempotency-Key": key})
    return redirect(f"{pages_path(scanner_id)}/tried/{quoted(job['id'].removeprefix('rules-'))}")


async def _choose(
    page: Page,
    scanner_id: str,
    draft: list[dict[str, Any]] | None,
    version: int,
    values: dict[str, Any],
    errors: dict[str, str] | None = None,
) -> Response:
    return page.render(
        "simulations/choose.html",
        code=422 if errors else 200,
        scanner=await scanner_of(page, scanner_id),
        mails=await _newest(page, scanner_id),
        draft=json.dumps(draft) if draft is not None else "",
        version=version,
        values=values,
        errors=errors or {},
        key=str(uuid4()),
    )


async def _newest(page: Page, scanner_id: str) -> list[dict[str, Any]]:
    """Mails to choose from: none while the fetcher is away, the other ways are there."""
    try:
        found = await page.get("fetcher", "/mails", scanner_id=scanner_id, limit=MAILS_TO_CHOOSE)
    except ProblemError:
        return []
    return [mail for mail in found["items"] if not mail["duplicate_of"]]


def _path(simulation_id: str) -> str:
    return f"/rule-simulations/{quoted(simulation_id)}"
