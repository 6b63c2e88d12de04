"""A CSV file of records: tried first, then taken in, with how far it is."""

from __future__ import annotations

import codecs
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.page import Form, PageRoute, SignedPage, field_errors, redirect, text
from console.pages.registry_forms import KINDS, Kind
from console.pages.uploads import uploaded
from shared.http import ProblemError

MAX_FILE_BYTES = 9 * 1024 * 1024
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def import_router(kind: Kind) -> APIRouter:
    router = APIRouter(prefix=f"{kind.path}/import", route_class=PageRoute)

    @router.get("")
    async def form_page(page: SignedPage) -> Response:
        return page.render("registry/import.html", kind=kind, pasted="", error="", key=str(uuid4()))

    @router.post("")
    async def try_it(page: SignedPage, form: Form) -> Response:
        """The file is tried; nothing is taken in yet."""
        pasted, key = str(form.get("text", "")).replace("\x00", ""), text(form, "key", str(uuid4()))
        try:
            csv = decoded(await uploaded(form, "file", MAX_FILE_BYTES)) or pasted
            if not csv.strip():
                raise ProblemError(422, "Nothing given", "Choose a file, or paste its text.")
            body = {"csv": csv, "dry_run": True}
            job = await page.send("POST", "tickets", f"{kind.path}/import", body, headers={"Idempotency-Key": key})
        except ProblemError as error:
            told = error.problem.detail if error.status == 413 else next(iter(field_errors(error).values()), error.problem.detail)
            return page.render("registry/import.html", code=422, kind=kind, pasted=pasted, error=told, key=str(uuid4()))
        return redirect(f"{kind.path}/import/{quoted(job['id'])}")

    @router.get("/{job_id}")
    async def job_page(page: SignedPage, job_id: str) -> Response:
        return page.render("registry/imported.html", kind=kind, job=await _job(page, job_id))

    @router.get("/{job_id}/state")
    async def state(page: SignedPage, job_id: str) -> Response:
        """How far it is."""
        return page.fragment("registry/_import_state.html", kind=kind, job=await _job(page, job_id))

    @router.post("/{job_id}")
    async def take_in(page: SignedPage, job_id: str) -> Response:
        """The file that was tried is taken in: once, however often it is asked for."""
        headers = {"Idempotency-Key": f"import-{job_id}"}
        job = await page.send("POST", "tickets", f"{kind.path}/import", {"job_id": job_id}, headers=headers)
        return redirect(f"{kind.path}/import/{quoted(job['id'])}")

    return router


def decoded(content: bytes) -> str:
    """The file's text: UTF-8, or UTF-16 with its mark, else what Windows in Western Europe writes."""
    if content.startswith(_WIDE):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


async def _job(page: SignedPage, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = await page.get("tickets", f"/jobs/{quoted(job_id)}")
    return job | {"result": job["result"] or {}}


router = APIRouter()
for of_kind in KINDS:
    router.include_router(import_router(of_kind))
