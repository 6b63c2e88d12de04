"""The pages' own style sheet, scripts and icon."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from shared.http import not_found

router = APIRouter()

FOLDER = Path(__file__).parent.parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def known_files() -> dict[str, tuple[bytes, str, str]]:
    """Name to content, media type and a fingerprint: read once, so that a request's name never touches the file system."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in TYPES:
            content = path.read_bytes()
            found[path.name] = (content, TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:12])
    return found


def static_url(name: str) -> str:
    """The file's address with its fingerprint, so that a new version is loaded at once and an old one kept for good."""
    return f"/static/{name}?v={known_files()[name][2]}"


@router.get("/static/{name}")
async def static_file(request: Request, name: str) -> Response:
    if name not in known_files():
        raise not_found("file", name)
    content, media_type, mark = known_files()[name]
    fresh = request.query_params.get("v") == mark
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=media_type, headers=headers)
