"""The ordered rules of a mailbox: order, switching, copying, deleting."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, redirect, text, texts_of
from console.pages.rule_set import RulesRoute, pages_path, save, scanner_of, set_path
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes/{scanner_id}/rules", route_class=RulesRoute)


@router.get("")
async def rule_list(page: AdministratorsPage, scanner_id: str) -> Response:
    rules = await page.get("rules", set_path(scanner_id))
    return page.render(
        "rules/list.html",
        scanner=await scanner_of(page, scanner_id),
        rules=rules["items"],
        version=rules["version"],
        statistics=await _statistics(page, scanner_id),
    )


@router.post("/order")
async def order(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    """The whole order, of the version it was seen in. Dragging asks here only when an example would break."""
    path = f"{set_path(scanner_id)}/order"
    await save(page, form, "PUT", path, {"rule_ids": texts_of(form, "rule_id")}, version=text(form, "version"))
    return redirect(pages_path(scanner_id), "The new order is saved.")


@router.post("/{rule_id}/move")
async def move(page: AdministratorsPage, scanner_id: str, rule_id: str, form: Form) -> Response:
    """One place up or down. The order is checked against the list as it was read, so that two people do not undo each other."""
    rules = await page.get("rules", set_path(scanner_id))
    ids = [rule["id"] for rule in rules["items"]]
    place = ids.index(rule_id) if rule_id in ids else -1
    other = place + (-1 if text(form, "direction") == "up" else 1)
    if place >= 0 and 0 <= other < len(ids):
        ids[place], ids[other] = ids[other], ids[place]
        await save(page, form, "PUT", f"{set_path(scanner_id)}/order", {"rule_ids": ids}, version=rules["version"])
    return _at(scanner_id, rule_id)


@router.post("/{rule_id}/enabled")
async def enable(page: AdministratorsPage, scanner_id: str, rule_id: str, form: Form) -> Response:
    await save(page, form, "PATCH", f"/rules/{quoted(rule_id)}", {"enabled": text(form, "enabled") == "yes"})
    return _at(scanner_id, rule_id)


@router.post("/{rule_id}/duplicate")
async def duplicate(page: AdministratorsPage, scanner_id: str, rule_id: str, form: Form) -> Response:
    copy = await save(page, form, "POST", f"/rules/{quoted(rule_id)}/duplicate", key=text(form, "key"))
    return _at(scanner_id, copy["id"], f"“{copy['name']}” is added right below, disabled: change it, then enable it.")


@router.get("/{rule_id}/delete")
async def confirm_delete(page: AdministratorsPage, scanner_id: str, rule_id: str) -> Response:
    rule = await page.get("rules", f"/rules/{quoted(rule_id)}")
    return page.render("rules/delete.html", scanner=await scanner_of(page, scanner_id), rule=rule)


@router.post("/{rule_id}/delete")
async def delete(page: AdministratorsPage, scanner_id: str, rule_id: str, form: Form) -> Response:
    await save(page, form, "DELETE", f"/rules/{quoted(rule_id)}")
    return redirect(pages_path(scanner_id), "The rule is deleted. An earlier version can be restored at Versions.")


def _at(scanner_id: str, rule_id: str, flash: str = "") -> Response:
    return redirect(f"{pages_path(scanner_id)}#rule-{quoted(rule_id)}", flash)


async def _statistics(page: Page, scanner_id: str) -> dict[str, dict[str, Any]] | None:
    """By rule; None where they cannot be had just now: the rules are shown without them."""
    try:
        found = await page.get("rules", f"{set_path(scanner_id)}/statistics")
    except ProblemError:
        return None
    return {item["rule_id"]: item for item in found["items"]}
