"""The mailboxes: list, one mailbox with its state, and what can be done with it. Form and folders have files of their own."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import AdministratorsPage, Form, Page, PageRoute, redirect, text
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes", route_class=PageRoute)

PAGE_MAILBOXES = 100
SHOWN_SCANS = 10


@router.get("")
async def mailbox_list(page: AdministratorsPage, cursor: str = "") -> Response:
    found = await page.get("fetcher", "/scanners", limit=PAGE_MAILBOXES, cursor=cursor or None)
    return page.render("mailboxes/list.html", scanners=found["items"], next=found["next"], cursor=cursor)


@router.get("/{scanner_id}")
async def mailbox_page(page: AdministratorsPage, scanner_id: str, job: str = "") -> Response:
    return await show_mailbox(page, scanner_id, job=await _job(page, job))


@router.get("/{scanner_id}/state")
async def state(page: AdministratorsPage, scanner_id: str) -> Response:
    """The part of the page that follows what goes on."""
    return page.fragment("mailboxes/_live.html", **await _state(page, scanner_id))


@router.get("/{scanner_id}/jobs/{job_id}")
async def job_state(page: AdministratorsPage, scanner_id: str, job_id: str) -> Response:
    """How far Scan now is."""
    return page.fragment("mailboxes/_job.html", job=await page.get("fetcher", f"/jobs/{quoted(job_id)}"), scanner_id=scanner_id)


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


async def show_mailbox(page: Page, scanner_id: str, *, job: dict[str, Any] | None = None, result: dict[str, Any] | None = None) -> Response:
    """The mailbox's page, with a job under way or a test's result."""
    known = await _state(page, scanner_id)
    sender = await _sender(page, known["scanner"]["sender_id"])
    return page.render("mailboxes/mailbox.html", sender=sender, job=job, result=result, scanner_id=scanner_id, **known)


async def scanners(page: Page) -> list[dict[str, Any]]:
    """The mailboxes to choose from (at most 200)."""
    items: list[dict[str, Any]] = (await page.get("fetcher", "/scanners", limit=200))["items"]
    return items


async def scanner_if_there(page: Page, scanner_id: str) -> dict[str, Any] | None:
    """The mailbox; None where it was deleted."""
    if not scanner_id:
        return None
    try:
        found: dict[str, Any] = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    except ProblemError as error:
        if error.status != 404:
            raise
        return None
    return found


async def _state(page: Page, scanner_id: str) -> dict[str, Any]:
    path = f"/scanners/{quoted(scanner_id)}"
    scanner = await page.get("fetcher", path)
    scans = await page.get("fetcher", f"{path}/scans", limit=SHOWN_SCANS)
    return {"scanner": scanner, "scans": scans["items"]}


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
