"""Contacts, accounts and leads: lists, a record's page, and its form."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.pages.page import Form, Page, PageRoute, SignedPage, redirect, text
from console.pages.registry_forms import KINDS, Kind, account_of, accounts_to_choose, empty_values, record_values, told
from shared.http import ProblemError

PAGE_RECORDS = 50
SHOWN_TICKETS = 20
SHOWN_MAILS = 20
SHOWN_CONTACTS = 50


def records_router(kind: Kind) -> APIRouter:  # noqa: C901 -- a list of routes
    """The pages of one sort; to be included after those of its import, which is no record's id."""
    router = APIRouter(prefix=kind.path, route_class=PageRoute)

    @router.get("")
    async def record_list(page: SignedPage, q: str = "", cursor: str = "") -> Response:
        found = await page.get("tickets", kind.path, q=q or None, limit=PAGE_RECORDS, cursor=cursor or None)
        return page.render("registry/list.html", kind=kind, kinds=KINDS, records=found["items"], next=found.get("next"), q=q, cursor=cursor)

    @router.get("/new")
    async def new_page(page: SignedPage) -> Response:
        return await _form_page(page, kind, None, empty_values(), {}, str(uuid4()))

    @router.post("/new")
    async def create(page: SignedPage, form: Form) -> Response:
        values, key = record_values(form, kind), text(form, "key", str(uuid4()))
        try:
            made = await page.send("POST", "tickets", kind.path, values, headers={"Idempotency-Key": key})
        except ProblemError as error:
            return await _form_page(page, kind, None, empty_values() | values, told(error), key)
        return redirect(kind.of(made["id"]), f"{values['name']} is saved.")

    @router.get("/{record_id}")
    async def record_page(page: SignedPage, record_id: str, cursor: str = "") -> Response:
        record = await page.get("tickets", kind.of(record_id))
        tickets = await page.get("tickets", "/tickets", contact_id=record_id, limit=SHOWN_TICKETS)
        mails = await page.get("tickets", f"{kind.of(record_id)}/mails", limit=SHOWN_MAILS, cursor=cursor or None)
        contacts: dict[str, Any] = {"items": [], "next": None}
        if kind.sort == "account":
            contacts = await page.get("tickets", "/contacts", account_id=record_id, limit=SHOWN_CONTACTS)
        account = await account_of(page, record["account_id"])
        return page.render(
            "registry/record.html",
            kind=kind, record=record, account=account, contacts=contacts, tickets=tickets, mails=mails, cursor=cursor,
        )  # fmt: skip

    @router.get("/{record_id}/edit")
    async def edit_page(page: SignedPage, record_id: str) -> Response:
        record = await page.get("tickets", kind.of(record_id))
        return await _form_page(page, kind, record, record, {}, "")

    @router.post("/{record_id}/edit")
    async def change(page: SignedPage, record_id: str, form: Form) -> Response:
        values = record_values(form, kind)
        try:
            await page.send("PATCH", "tickets", kind.of(record_id), values, headers={"If-Match": f'"{text(form, "version")}"'})
        except ProblemError as error:
            record = await page.get("tickets", kind.of(record_id))
            return await _form_page(page, kind, record, empty_values() | values, told(error), "")
        return redirect(kind.of(record_id), f"{values['name']} is saved.")

    @router.get("/{record_id}/delete")
    async def delete_page(page: SignedPage, record_id: str) -> Response:
        return page.render("registry/delete.html", kind=kind, record=await page.get("tickets", kind.of(record_id)))

    @router.post("/{record_id}/delete")
    async def delete(page: SignedPage, record_id: str, form: Form) -> Response:
        await page.send("DELETE", "tickets", kind.of(record_id), headers={"If-Match": f'"{text(form, "version")}"'})
        return redirect(kind.path, f"The {kind.sort} is deleted. Its tickets and mails stay.")

    return router


async def _form_page(
    page: Page, kind: Kind, record: dict[str, Any] | None, values: dict[str, Any], errors: dict[str, str], key: str
) -> Response:
    accounts = await accounts_to_choose(page, values["account_id"]) if kind.sort == "contact" else []
    code = 422 if errors else 200
    return page.render("registry/edit.html", code=code, kind=kind, record=record, values=values, errors=errors, key=key, accounts=accounts)


router = APIRouter()
for of_kind in KINDS:
    router.include_router(records_router(of_kind))
