"""Files that are chosen in the form of an answer, without scripts: stored with the tickets service before the answer is sent."""

from __future__ import annotations

from starlette.datastructures import FormData, UploadFile

from console.backend import checked
from console.pages.page import Page
from shared.http import ProblemError

MAX_FILE_BYTES = 10 * 1000 * 1000
"""Of one file: a request's body is bounded by `console.middleware`, and a form has more in it than the file."""


def chosen_files(form: FormData) -> list[UploadFile]:
    """The files of the form's plain field."""
    return [file for file in form.getlist("file") if isinstance(file, UploadFile) and file.filename]


async def upload(page: Page, number: int, file: UploadFile) -> str:
    """The file's id, once it is stored. Raises ProblemError 413 for one too large, and the service's problems."""
    content = await file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ProblemError(413, "Too large", f"“{file.filename}” is larger than {MAX_FILE_BYTES // 1000 // 1000} MB. Nothing was sent.")
    headers = {"Content-Type": file.content_type or "application/octet-stream"}
    response = await page.call(
        "POST", "tickets", f"/tickets/{number}/uploads", params={"name": file.filename}, content=content, headers=headers
    )
    return str(checked("tickets", response)["id"])
