"""The spam list: addresses and domains, what they stopped, and taking them off again; and how far long work on it is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.jobs import ENDED, finished
from console.pages.page import Form, Page, PageRoute, SignedPage, field_errors, redirect, text
from shared.http import ProblemError

router = APIRouter(prefix="/spam", route_class=PageRoute)

PAGE_ENTRIES = 100
WHAT_TO_GIVE = "Give a whole address, such as offers@shop.example, or a domain, such as @shop.example."


@router.get("")
async def spam_list(page: SignedPage, q: str = "", cursor: str = "") -> Response:
    return await _list_page(page, q=q, cursor=cursor)


@router.post("")
async def add(page: SignedPage, form: Form) -> Response:
    address = text(form, "address")
    try:
        entry = await page.send("POST", "tickets", "/spam-senders", {"address": address})
    except ProblemError as error:
        told = WHAT_TO_GIVE if "address" in field_errors(error) else error.problem.detail or error.problem.title
        return await _list_page(page, address=address, error=told)
    whose = f"{entry['address']} and all below it" if entry["kind"] == "domain" else entry["address"]
    return redirect("/spam", f"Mails from {whose} are spam from now on.")


@router.post("/{entry_id}/delete")
async def remove(page: SignedPage, entry_id: str, form: Form) -> Response:
    if "restore" not in form:
        await page.send("DELETE", "tickets", f"/spam-senders/{quoted(entry_id)}")
        return redirect("/spam", "Taken off the list. What it removed stays removed.")
    job = await page.send("DELETE", "tickets", f"/spam-senders/{quoted(entry_id)}", restore="true")
    return await after(page, job, "/spam")


@router.get("/work/{job_id}")
async def work(page: SignedPage, job_id: str) -> Response:
    return page.render("spam/work.html", job=await _job(page, job_id))


@router.get("/work/{job_id}/state")
async def state(page: SignedPage, job_id: str) -> Response:
    """How far it is."""
    return page.fragment("spam/_state.html", job=await _job(page, job_id))


async def after(page: Page, job: dict[str, Any], path: str) -> Response:
    """What work on the list came to, where it ends within a moment; else a page that shows how far it is."""
    ended = await finished(page, "tickets", job)
    if ended["state"] not in ENDED:
        return redirect(f"/spam/work/{quoted(ended['id'])}")
    return redirect(path, told(ended), "bad" if ended["state"] == "failed" else "good")


def told(job: dict[str, Any]) -> str:
    """What ended work came to, in words."""
    result = job["result"] or {}
    if job["state"] == "failed":
        return f"It stopped after {job['done']:,} of {job['total']:,}: {result.get('problem', 'the log of tickets has the reason')}."
    if "spammed" in result:
        return _marked(result)
    parts = [f"{_counted(result['restored'], 'ticket')} restored", f"{_counted(result['released'], 'held mail')} sent on their way again"]
    kept = f" Left as they are, since another entry concerns their senders: {result['kept']:,}." if result["kept"] else ""
    return f"Taken off the list: {' and '.join(parts)}.{kept}"


def _marked(result: dict[str, Any]) -> str:
    count, listed, skipped = result["spammed"], result["addresses"], result["skipped"]
    marked = f"{count:,} ticket{' is' if count == 1 else 's are'} marked as spam."
    left = f" Left as they were, since they were deleted or merged before: {len(skipped):,}." if skipped else ""
    if not listed:
        return f"{marked}{left} Nobody was put on the spam list."
    whom = listed[0] if len(listed) == 1 else f"{len(listed):,} senders"
    return f"{marked}{left} On the spam list now: {whom}. It can be taken back there."


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


async def _job(page: Page, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = await page.get("tickets", f"/jobs/{quoted(job_id)}")
    return job | {"told": told(job) if job["state"] in ENDED else ""}


async def _list_page(page: Page, *, q: str = "", cursor: str = "", address: str = "", error: str = "") -> Response:
    found = await page.get("tickets", "/spam-senders", limit=PAGE_ENTRIES, cursor=cursor or None, q=q or None)
    values = {"entries": found["items"], "next": found.get("next"), "q": q, "cursor": cursor}
    return page.render("spam/list.html", code=422 if error else 200, **values, address=address, error=error)
