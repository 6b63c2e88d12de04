"""Files that people upload with a form, within bounds."""

from __future__ import annotations

from starlette.datastructures import FormData, UploadFile

from shared.http import ProblemError

MAX_UPLOAD_BYTES = 1024 * 1024


async def uploaded(form: FormData, name: str, most: int = MAX_UPLOAD_BYTES) -> bytes:
    """The file's bytes, empty where none was chosen. Raises ProblemError 413 above `most` bytes."""
    given = form.get(name)
    if not isinstance(given, UploadFile):
        return b""
    content = await given.read(most + 1)
    if len(content) > most:
        raise ProblemError(413, "Too large", f"“{given.filename}” is larger than {most // 1024 // 1024} MiB; more is not taken here.")
    return content
