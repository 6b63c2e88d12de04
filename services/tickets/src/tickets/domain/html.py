"""A mail's HTML made safe to show: no scripts, no styles that reach out, no remote images (design section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import nh3

BLOCKED_TITLE: Final = "Remote image, not loaded"
_TAGS: Final = (nh3.ALLOWED_TAGS | {"font", "u", "s", "big"}) - {"map", "area", "form", "input", "button"}
_ATTRIBUTES: Final[dict[str, set[str]]] = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"colspan", "rowspan", "align", "valign", "width", "bgcolor"},
    "th": {"colspan", "rowspan", "align", "valign", "width", "bgcolor"},
    "table": {"align", "width", "border", "cellpadding", "cellspacing", "bgcolor"},
    "tr": {"align", "valign", "bgcolor"},
    "font": {"color", "size", "face"},
    "ol": {"start", "type"},
    "blockquote": {"type"},
}
_LINKS: Final = ("http:", "https:", "mailto:", "tel:")
_SCHEMES: Final = {"http", "https", "mailto", "tel", "cid"}
_DROPPED_WITH_CONTENT: Final = {"script", "style", "title", "head", "svg", "math", "iframe", "object", "template", "noscript", "textarea"}


def sanitise(html: str, images: Mapping[str, str]) -> str:
    """Safe HTML. `images` maps a Content-ID to the address of the attachment; every other image loses its source."""
    return _marked(_clean(html, images, {"a": {"target": "_blank"}}))


def quotable(html: str, images: Mapping[str, str]) -> tuple[str, set[str]]:
    """The HTML as an answer quotes it, and which of `images` (by Content-ID, the address each has there) it shows; others are left out."""
    first, *rest = _clean(html, images, {}).split("<img")
    tags = [_tag(one) for one in rest]
    kept = [f"<img{one}" if ' src="' in tag else one[len(tag) + 1 :] for one, tag in zip(rest, tags, strict=True)]
    shown = {name for name, address in images.items() if any(f' src="{address}"' in tag for tag in tags)}
    return first + "".join(kept), shown


def _clean(html: str, images: Mapping[str, str], fixed: dict[str, dict[str, str]]) -> str:
    """`fixed`: attributes that a tag gets whatever it had."""

    def attribute(tag: str, name: str, value: str) -> str | None:
        if tag == "img" and name == "src":
            return images.get(unquote(value[4:]).strip("<>")) if value[:4].lower() == "cid:" else None
        if tag == "a" and name == "href":  # browsers pass over blanks around it, and the notifier looks at its beginning
            link = value.strip()
            return link if link.lower().startswith(_LINKS) else None
        return value

    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes=_SCHEMES,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        url_relative="pass_through",  # the filter lets none through but our own attachments
        set_tag_attribute_values=fixed,
    )


def _marked(html: str) -> str:
    """An image without a source says so. After cleaning, `<img` occurs only as a tag, its attributes quoted."""
    parts = html.split("<img")
    return parts[0] + "".join(_mark(part) for part in parts[1:])


def _mark(rest: str) -> str:
    tag = _tag(rest)
    return (
        f"<img{rest}" if ' src="' in tag else f'<img data-blocked="remote" title="{BLOCKED_TITLE}"{_without_title(tag)}{rest[len(tag) :]}'
    )


def _tag(rest: str) -> str:
    """The attributes up to the tag's end; a `>` within quotes belongs to a value."""
    quoted = False
    for position, character in enumerate(rest):
        if character == '"':
            quoted = not quoted
        elif character == ">" and not quoted:
            return rest[:position]
    return rest


def _without_title(tag: str) -> str:
    before, found, after = tag.partition(' title="')
    return before + after.partition('"')[2] if found else tag
