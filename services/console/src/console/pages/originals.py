"""A message as it came: its HTML in a frame of its own, the pictures in it, and the source text of its mail."""

from __future__ import annotations

import base64
import re
from typing import Any

from fastapi import APIRouter, Response

from console.backend import checked, quoted
from console.pages.desk import message_of
from console.pages.page import Page, PageRoute, SignedPage
from shared.http import ProblemError

router = APIRouter(prefix="/tickets/{number}/messages/{message_id}", route_class=PageRoute)

MAX_SOURCE_BYTES = 512 * 1024
MAX_PICTURE_BYTES = 8 * 1024 * 1024
"""All pictures of one message together; those beyond it are downloads."""
PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
PICTURE = re.compile(r'(<img\b[^>]*? src=")/api/v1/tickets/\d+/attachments/([\w.-]+)\?inline=true(")')
FRAME_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


@router.get("/html")
async def message_html(page: SignedPage, number: int, message_id: str) -> Response:
    """A message's sanitised HTML as a document of its own, for the sandboxed frame: no script, no form, nothing from elsewhere."""
    message = await message_of(page, number, message_id)
    if not message["html"]:
        raise ProblemError(404, "No such message", "This message has no HTML.")
    response = page.fragment("tickets/message_frame.html", html=await _with_pictures(page, number, message))
    response.headers["Content-Security-Policy"] = FRAME_POLICY
    return response


@router.get("/source")
async def source(page: SignedPage, number: int, message_id: str) -> Response:
    """The mail as it was received, its headers first."""
    ticket = await page.get("tickets", f"/tickets/{number}")
    raw, cut = await _beginning(page, number, message_id)
    headers, body = split_source(raw)
    values: dict[str, Any] = {"ticket": ticket, "message_id": message_id, "headers": headers, "body": body}
    return page.render("tickets/source.html", **values, cut=cut, limit=MAX_SOURCE_BYTES)


def split_source(raw: bytes) -> tuple[str, str]:
    """Headers and body (RFC 5322, 2.1), for people's eyes: what is not UTF-8 is shown as U+FFFD, NUL and other controls as dots."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    visible = "".join(sign if sign.isprintable() or sign in "\n\t" else "·" for sign in text)
    headers, _, body = visible.partition("\n\n")
    return headers, body


async def _beginning(page: Page, number: int, message_id: str) -> tuple[bytes, bool]:
    """At most MAX_SOURCE_BYTES of the original, and whether there is more."""
    path = f"/tickets/{number}/messages/{quoted(message_id)}/original"
    found = bytearray()
    async with page.deps.backend.stream("tickets", "GET", path, actor=page.who, headers={"accept-encoding": "identity"}) as response:
        if response.status_code >= 400:
            await response.aread()
            checked("tickets", response)
        async for part in response.aiter_bytes():
            found += part
            if len(found) > MAX_SOURCE_BYTES:
                break
    return bytes(found[:MAX_SOURCE_BYTES]), len(found) > MAX_SOURCE_BYTES


async def _with_pictures(page: Page, number: int, message: dict[str, Any]) -> str:
    """The HTML with its own pictures put into it: a sandboxed frame has no session to ask for them with."""
    pictures = await _pictures(page, number, message)
    return PICTURE.sub(lambda found: f"{found[1]}{pictures.get(found[2], '')}{found[3]}", message["html"])


async def _pictures(page: Page, number: int, message: dict[str, Any]) -> dict[str, str]:
    """Address by attachment, as data URLs (RFC 2397)."""
    shown = {found[2] for found in PICTURE.finditer(message["html"])}
    left, pictures = MAX_PICTURE_BYTES, {}
    for file in message["attachments"]:
        if file["id"] not in shown or file["type"] not in PICTURE_TYPES or file["blocked"] or file["size"] > left:
            continue
        response = await page.call("GET", "tickets", f"/tickets/{number}/attachments/{quoted(file['id'])}")
        if response.status_code < 400:
            left -= len(response.content)
            pictures[file["id"]] = f"data:{file['type']};base64,{base64.b64encode(response.content).decode()}"
    return pictures
