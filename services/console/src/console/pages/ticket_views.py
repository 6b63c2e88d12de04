"""Saved views of the list: the filter of now under a name."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages import ticket_filter
from console.pages.page import Form, PageRoute, SignedPage, redirect, text
from console.pages.ticket_list import form_back
from shared.http import ProblemError

router = APIRouter(prefix="/tickets/views", route_class=PageRoute)


@router.post("")
async def save(page: SignedPage, form: Form) -> Response:
    wanted = ticket_filter.read_filter(form_back(form))
    name = text(form, "name")
    back = "/tickets?" + ticket_filter.query(wanted)
    if not name:
        return redirect(back, "Give the view a name first.", "bad")
    view = {"name": name, "shared": "shared" in form, "filter": wanted}
    try:
        made = await page.send("POST", "tickets", "/ticket-views", view)
    except ProblemError as error:
        return redirect(back, error.problem.detail, "bad")
    return redirect("/tickets?" + ticket_filter.query(wanted, view=made["id"]), f"The view “{name}” is saved.")


@router.post("/{view_id}")
async def change(page: SignedPage, view_id: str, form: Form) -> Response:
    """Another name, shared or not, and where it was asked for the filter of now."""
    wanted = ticket_filter.read_filter(form_back(form))
    values: dict[str, Any] = {"name": text(form, "name"), "shared": "shared" in form}
    if "with_filter" in form:
        values["filter"] = wanted
    back = "/tickets?" + ticket_filter.query(wanted, view=view_id)
    try:
        await page.send("PATCH", "tickets", f"/ticket-views/{quoted(view_id)}", values, headers={"If-Match": f'"{text(form, "version")}"'})
    except ProblemError as error:
        told = "Somebody changed this view meanwhile. Look at it again." if error.status == 412 else error.problem.detail
        return redirect(back, told, "bad")
    return redirect(back, f"The view “{values['name']}” is saved.")


@router.post("/{view_id}/delete")
async def delete(page: SignedPage, view_id: str) -> Response:
    await page.send("DELETE", "tickets", f"/ticket-views/{quoted(view_id)}")
    return redirect("/tickets", "The view is deleted. The tickets stay.")
