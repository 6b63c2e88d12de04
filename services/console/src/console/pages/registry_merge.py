"""Doubles become one: the others are chosen by a search, looked at together, and merged."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from console.pages.page import Form, PageRoute, SignedPage, redirect, text, texts_of
from console.pages.registry_forms import KINDS, Kind

FOUND = 20
MOST = 50


def merge_router(kind: Kind) -> APIRouter:
    router = APIRouter(prefix=kind.path, route_class=PageRoute)

    @router.get("/{record_id}/merge")
    async def choose_page(page: SignedPage, record_id: str, q: str = "", other: Annotated[tuple[str, ...], Query()] = ()) -> Response:
        """A search for the others; with some chosen, what would become of all."""
        record = await page.get("tickets", kind.of(record_id))
        chosen = [await page.get("tickets", kind.of(one)) for one in dict.fromkeys(other[:MOST]) if one != record_id]
        found = (await page.get("tickets", kind.path, q=q, limit=FOUND))["items"] if q else []
        taken = {record_id, *(one["id"] for one in chosen)}
        left = [one for one in found if one["id"] not in taken]
        return page.render("registry/merge.html", kind=kind, record=record, q=q, found=left, chosen=chosen, after=after(record, chosen))

    @router.post("/{record_id}/merge")
    async def merge(page: SignedPage, record_id: str, form: Form) -> Response:
        body, version = {"ids": texts_of(form, "other")}, text(form, "version")
        await page.send("POST", "tickets", f"{kind.of(record_id)}/merge", body, headers={"If-Match": f'"{version}"'})
        return redirect(kind.of(record_id), "They are one now.")

    return router


def after(record: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
    """How the merged record will look: what is empty is filled from the first of the others that has it, notes are joined."""
    gone = {other["id"] for other in others}
    filled = {
        name: record[name] or next((other[name] for other in others if other[name] and other[name] not in gone), None)
        for name in ("phone", "company", "website", "account_id")
    }
    addresses = [address for one in (record, *others) for address in one["addresses"]]
    note = "\n\n".join(dict.fromkeys(one["note"].strip() for one in (record, *others) if one["note"].strip()))
    return {**record, **filled, "addresses": addresses, "note": note}


router = APIRouter()
for of_kind in KINDS:
    router.include_router(merge_router(of_kind))
