"""Rules as a file: taken away for another mailbox, and taken in after a look at what is in it."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from console.pages.page import AdministratorsPage, Form, Page, redirect, text
from console.pages.rule_file import faults, names_in, read
from console.pages.rule_set import RulesRoute, broken_examples, pages_path, save, scanner_of, set_path
from console.pages.uploads import uploaded
from shared.api import RuleExport
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes/{scanner_id}/rules", route_class=RulesRoute)


@router.get("/export")
async def export(page: AdministratorsPage, scanner_id: str) -> Response:
    content = await page.get("rules", f"{set_path(scanner_id)}/export")
    name = re.sub(r"[^A-Za-z0-9]+", "-", (await scanner_of(page, scanner_id))["name"]).strip("-").lower() or "mailbox"
    headers = {"Content-Disposition": f'attachment; filename="rules-{name}.json"'}
    return Response(json.dumps(content, ensure_ascii=False, indent=2) + "\n", media_type="application/json", headers=headers)


@router.get("/import")
async def import_page(page: AdministratorsPage, scanner_id: str) -> Response:
    return await _form_page(page, scanner_id, "", "append", [])


@router.post("/import")
async def look_or_take(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    """First what is in the file; then, with `take`, the file as it was looked at."""
    pasted, mode = text(form, "text"), "replace" if text(form, "mode") == "replace" else "append"
    content = pasted.encode()
    try:
        content = await uploaded(form, "file") or content
        file = read(content)
    except ProblemError as error:
        return await _form_page(page, scanner_id, pasted, mode, faults(error, names_in(content)))
    if "more" in form:
        return await _form_page(page, scanner_id, file.model_dump_json(indent=2, exclude_unset=True), mode, [])
    if "take" not in form:
        version = (await page.get("rules", set_path(scanner_id)))["version"]
        return await _preview(page, scanner_id, file, mode, [], {"key": str(uuid4()), "version": version})
    return await _take(page, scanner_id, form, file, mode)


async def _take(page: Page, scanner_id: str, form: FormData, file: RuleExport, mode: str) -> Response:
    seen = {"key": text(form, "key"), "version": text(form, "version")}
    body = {"mode": mode, "file": file.model_dump(mode="json", exclude_unset=True)}
    try:
        saved = await save(page, form, "POST", f"{set_path(scanner_id)}/import", body, **seen)
    except ProblemError as error:
        if broken_examples(error):
            raise
        wrong = faults(error, [rule.name for rule in file.rules])
        return await _preview(page, scanner_id, file, mode, wrong, seen)
    return redirect(pages_path(scanner_id), f"The file's rules are taken in, as version {saved['version']}.")


async def _form_page(page: Page, scanner_id: str, content: str, mode: str, wrong: list[str]) -> Response:
    scanner = await scanner_of(page, scanner_id)
    return page.render("rules/import.html", code=422 if wrong else 200, scanner=scanner, content=content, mode=mode, wrong=wrong)


async def _preview(page: Page, scanner_id: str, file: RuleExport, mode: str, wrong: list[str], seen: dict[str, Any]) -> Response:
    return page.render(
        "rules/import_preview.html",
        code=422 if wrong else 200,
        scanner=await scanner_of(page, scanner_id),
        file=file.model_dump(mode="json"),
        content=file.model_dump_json(exclude_unset=True),
        mode=mode,
        wrong=wrong,
        seen=seen,
    )
