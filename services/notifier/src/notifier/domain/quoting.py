"""The customer's message below an answer, as text and as HTML."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime

from notifier.domain.body import markup, readable
from notifier.domain.headers import one_line
from shared.events import Quoted

MAX_QUOTED = 20_000
"""Characters of the customer's message that are quoted as text; the whole stays in the ticket."""
CUT = "[…]"
STYLE = "margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex"

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [a-z]+="[^"]*")*)>')
_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')
_VOID = frozenset({"br", "hr", "img", "wbr", "col"})
_NEVER = frozenset(
    {"script", "style", "link", "meta", "base", "iframe", "frame", "object", "embed", "form", "input", "button", "textarea", "select"}
    | {"svg", "math", "template", "noscript", "title", "plaintext", "xmp", "html", "head", "body", "audio", "video", "source"}
)
_LINK = re.compile(r"\s*(?:https?|mailto|tel):", re.IGNORECASE)


def quoted_text(quoted: Quoted) -> str:
    """Each line behind a `>`; deeper ones as RFC 3676, 4.5 has them."""
    return "\n".join([_introduction(quoted), *(f">{line}" if line.startswith(">") else f"> {line}" for line in _lines(quoted))])


def quoted_markup(quoted: Quoted, images: Collection[str]) -> str:
    """Its HTML where that is as tickets leaves it, naming no other image than `images` (Content-IDs); else its text."""
    own = readable(quoted.html)
    inner = own if own and is_clean(own, images) else markup("\n".join(_lines(quoted)))
    return f'<div>{markup(_introduction(quoted))}</div>\n<blockquote type="cite" style="{STYLE}">{inner}</blockquote>'


def is_clean(html: str, images: Collection[str]) -> bool:
    """Whether it is what a sanitiser writes: whole tags, properly nested, nothing that runs or is loaded from elsewhere."""
    opened: list[str] = []
    at = 0
    while (start := html.find("<", at)) >= 0:
        tag = _TAG.match(html, start)
        if tag is None or tag[2] in _NEVER or not all(_harmless(tag[2], name, value, images) for name, value in _ATTRIBUTE.findall(tag[3])):
            return False
        if tag[1] and (not opened or opened.pop() != tag[2]):
            return False
        if not tag[1] and tag[2] not in _VOID:
            opened.append(tag[2])
        at = tag.end()
    return not opened


def _harmless(tag: str, name: str, value: str, images: Collection[str]) -> bool:
    if name.startswith("on") or name in {"style", "srcset", "background", "srcdoc", "action", "formaction", "poster", "data"}:
        return False
    if name == "src":
        return tag == "img" and value[:4] == "cid:" and value[4:] in images
    return name != "href" or (tag == "a" and _LINK.match(value) is not None)


def _introduction(quoted: Quoted) -> str:
    at: datetime = quoted.at.astimezone(UTC)
    day = f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year}"
    return f"On {day} at {at:%H:%M} UTC, {one_line(quoted.sender)} wrote:"


def _lines(quoted: Quoted) -> list[str]:
    text = readable(quoted.text)
    if len(text) > MAX_QUOTED:
        text = f"{text[:MAX_QUOTED]}\n{CUT}"
    return text.split("\n")
