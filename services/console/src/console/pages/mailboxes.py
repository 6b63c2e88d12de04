"""The mailboxes: list, one mailbox with its state, and what can be done with it. Its form is in `mailbox_edit`."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.folder_tree import tree
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, redirect, text, texts_of
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes", route_class=PageRoute)


@router.get("")
async def mailbox_list(page: AdministratorsPage) -> Response:
    return page.render("mailboxes/list.html", scanners=await scanners(page))


@router.get("/{scanner_id}")
async def mailbox_page(page: AdministratorsPage, scanner_id: str, job: str = "", fragment: str = "") -> Response:
    known = await _job(page, job)
    if fragment:
        return page.render("mailboxes/_job.html", job=known)
    return await show_mailbox(page, scanner_id, job=known)


@router.post("/{scanner_id}/test")
async def test(page: AdministratorsPage, scanner_id: str) -> Response:
    result = await page.send("POST", "fetcher", f"/scanners/{quoted(scanner_id)}/test")
    return await show_mailbox(page, scanner_id, result=result)


@router.post("/{scanner_id}/scan")
async def scan(page: AdministratorsPage, scanner_id: str) -> Response:
    job = await page.send("POST", "fetcher", f"/scanners/{quoted(scanner_id)}/scan", headers={"Idempotency-Key": str(uuid4())})
    return redirect(f"/mailboxes/{quoted(scanner_id)}?job={quoted(job['id'])}")


@router.post("/{scanner_id}/enabled")
async def enable(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    enabled = text(form, "enabled") == "yes"
    await page.send("PATCH", "fetcher", f"/scanners/{quoted(scanner_id)}", {"enabled": enabled})
    told = "The mailbox is read again." if enabled else "The mailbox is no longer read. Its tickets stay."
    return redirect(f"/mailboxes/{quoted(scanner_id)}", told)


@router.get("/{scanner_id}/delete")
async def confirm_delete(page: AdministratorsPage, scanner_id: str) -> Response:
    return page.render("mailboxes/delete.html", scanner=await page.get("fetcher", f"/scanners/{quoted(scanner_id)}"))


@router.post("/{scanner_id}/delete")
async def delete(page: AdministratorsPage, scanner_id: str) -> Response:
    await page.send("DELETE", "fetcher", f"/scanners/{quoted(scanner_id)}")
    return redirect("/mailboxes", "The mailbox is deleted here. The mails on its server are untouched.")


@router.get("/{scanner_id}/folders")
async def folders_page(page: AdministratorsPage, scanner_id: str) -> Response:
    scanner = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    try:
        found = (await page.get("fetcher", f"/scanners/{quoted(scanner_id)}/folders"))["items"]
    except ProblemError as error:
        return page.render("mailboxes/folders.html", code=error.status, scanner=scanner, folders=[], problem=error.problem)
    return page.render("mailboxes/folders.html", scanner=scanner, folders=tree(found), problem=None)


@router.post("/{scanner_id}/folders")
async def select_folders(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    chosen = texts_of(form, "folder")
    await page.send("PUT", "fetcher", f"/scanners/{quoted(scanner_id)}/folders", {"selected": chosen})
    told = f"{len(chosen)} folders are read." if len(chosen) != 1 else "One folder is read."
    return redirect(
        f"/mailboxes/{quoted(scanner_id)}", told if chosen else "No folder is ticked: nothing is read.", "good" if chosen else "info"
    )


async def show_mailbox(page: Page, scanner_id: str, *, job: dict[str, Any] | None = None, result: dict[str, Any] | None = None) -> Response:
    """The mailbox's page, with a job under way or a test's result."""
    scanner = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    return page.render("mailboxes/mailbox.html", scanner=scanner, sender=await _sender(page, scanner["sender_id"]), job=job, result=result)


async def scanners(page: Page) -> list[dict[str, Any]]:
    """All mailboxes (at most 200 are shown)."""
    items: list[dict[str, Any]] = (await page.get("fetcher", "/scanners", limit=200))["items"]
    return items


async def _sender(page: Page, sender_id: str | None) -> dict[str, Any] | None:
    if sender_id is None:
        return None
    try:
        found: dict[str, Any] = await page.get("notifier", f"/senders/{quoted(sender_id)}")
    except ProblemError:
        return None
    return found


async def _job(page: Page, job_id: str) -> dict[str, Any] | None:
    if not job_id:
        return None
    try:
        found: dict[str, Any] = await page.get("fetcher", f"/jobs/{quoted(job_id)}")
    except ProblemError:
        return None
    return found
