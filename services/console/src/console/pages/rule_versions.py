"""Versions of a mailbox's rules: who changed what when, two compared, one looked at or restored."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from console.pages.page import AdministratorsPage, Form, Page, redirect, text
from console.pages.rule_set import RulesRoute, pages_path, save, scanner_of, set_path

router = APIRouter(prefix="/mailboxes/{scanner_id}/rules/versions", route_class=RulesRoute)

PAGE_VERSIONS = 50


@router.get("")
async def versions_page(page: AdministratorsPage, scanner_id: str, cursor: str = "") -> Response:
    found = await page.get("rules", f"{set_path(scanner_id)}/versions", limit=PAGE_VERSIONS, cursor=cursor or None)
    return page.render(
        "rules/versions.html",
        scanner=await scanner_of(page, scanner_id),
        versions=found["items"],
        next=found["next"],
        cursor=cursor,
        current=await _current(page, scanner_id),
    )


@router.get("/compare")
async def compare(page: AdministratorsPage, scanner_id: str, version: int, against: int) -> Response:
    """From the earlier to the later one, whichever was named first."""
    earlier, later = sorted((version, against))
    return page.render(
        "rules/compare.html",
        scanner=await scanner_of(page, scanner_id),
        earlier=earlier,
        later=later,
        **await _changes(page, scanner_id, later, earlier),
    )


@router.get("/{number}")
async def version_page(page: AdministratorsPage, scanner_id: str, number: int) -> Response:
    return page.render(
        "rules/version.html",
        scanner=await scanner_of(page, scanner_id),
        shown=await _content(page, scanner_id, number),
        current=await _current(page, scanner_id),
    )


@router.get("/{number}/restore")
async def confirm_restore(page: AdministratorsPage, scanner_id: str, number: int) -> Response:
    current = await _current(page, scanner_id)
    return page.render(
        "rules/restore.html",
        scanner=await scanner_of(page, scanner_id),
        number=number,
        current=current,
        **await _changes(page, scanner_id, number, current),
    )


@router.post("/{number}/restore")
async def restore(page: AdministratorsPage, scanner_id: str, number: int, form: Form) -> Response:
    path = f"{set_path(scanner_id)}/versions/{number}/restore"
    saved = await save(page, form, "POST", path, version=text(form, "version"))
    return redirect(pages_path(scanner_id), f"The rules of version {number} are in force again, as version {saved['version']}.")


async def _current(page: Page, scanner_id: str) -> int:
    return int((await page.get("rules", set_path(scanner_id)))["version"])


async def _content(page: Page, scanner_id: str, number: int) -> dict[str, Any]:
    found: dict[str, Any] = await page.get("rules", f"{set_path(scanner_id)}/versions/{number}")
    return found


async def _changes(page: Page, scanner_id: str, version: int, against: int) -> dict[str, Any]:
    """What differs in `version` from `against`, and the rules of both by id, to tell what was added or removed."""
    compared = await page.get("rules", f"{set_path(scanner_id)}/versions/{version}/changes", against=against)
    before, after = await _content(page, scanner_id, against), await _content(page, scanner_id, version)
    return {"changes": compared["changes"], "rules": {rule["id"]: rule for rule in (*before["rules"], *after["rules"])}}
