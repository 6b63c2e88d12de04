"""Which folders of a mailbox are read."""

from __future__ import annotations

from fastapi import APIRouter, Response

from console.backend import quoted
from console.pages.folder_tree import tree
from console.pages.mailbox_texts import count
from console.pages.page import AdministratorsPage, Form, PageRoute, redirect, text, texts_of
from shared.http import ProblemError

router = APIRouter(prefix="/mailboxes/{scanner_id}/folders", route_class=PageRoute)


@router.get("")
async def folders_page(page: AdministratorsPage, scanner_id: str) -> Response:
    scanner = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    try:
        found = (await page.get("fetcher", _path(scanner_id)))["items"]
    except ProblemError as error:
        return page.render("mailboxes/folders.html", code=error.status, scanner=scanner, missing=[], groups=[], problem=error.problem)
    missing = [folder for folder in found if folder["missing"]]
    listed = [folder for folder in found if not folder["missing"]]
    return page.render("mailboxes/folders.html", scanner=scanner, missing=missing, groups=tree(listed), problem=None)


@router.post("")
async def select_folders(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    chosen = texts_of(form, "folder")
    await page.send("PUT", "fetcher", _path(scanner_id), {"selected": chosen})
    told = f"{count(len(chosen), 'folder is', 'folders are')} read." if chosen else "No folder is ticked: nothing is read."
    return redirect(f"/mailboxes/{quoted(scanner_id)}", told, "good" if chosen else "info")


@router.post("/replace")
async def replace_folder(page: AdministratorsPage, scanner_id: str, form: Form) -> Response:
    """A folder was renamed on the server: read the one it became. The others that are read stay."""
    gone, new = str(form.get("folder", "")), str(form.get("by", ""))
    if not gone or not text(form, "by"):
        raise ProblemError(400, "No folder is named", "Choose the folders on the page Select folders.")
    found = (await page.get("fetcher", _path(scanner_id)))["items"]
    chosen = [folder["name"] for folder in found if folder["selected"] and folder["name"] not in {gone, new}]
    await page.send("PUT", "fetcher", _path(scanner_id), {"selected": [*chosen, new]})
    return redirect(f"/mailboxes/{quoted(scanner_id)}", f"“{new}” is read in place of “{gone}”.")


def _path(scanner_id: str) -> str:
    return f"/scanners/{quoted(scanner_id)}/folders"
