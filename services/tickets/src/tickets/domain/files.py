"""How an attachment is handed to a browser: as a download, except raster images that were asked for inline."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

SHOWN_INLINE: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
DOWNLOAD_TYPE: Final = "application/octet-stream"
ACTIVE: Final = ("html", "xml", "svg", "javascript", "ecmascript", "xsl", "mhtml", "flash")


def headers(name: str, media_type: str, *, inline: bool) -> dict[str, str]:
    """Response headers: RFC 6266 disposition with an RFC 8187 name, and nothing a browser would run."""
    shown = inline and media_type in SHOWN_INLINE
    return {
        "Content-Type": safe_type(media_type),
        "Content-Disposition": disposition("inline" if shown else "attachment", name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=3600",
    }


def safe_type(media_type: str) -> str:
    """The declared type, unless a browser could run it or it is no type."""
    kind = media_type.lower()
    plain = kind.isascii() and kind.isprintable() and kind.count("/") == 1 and not any(sign in kind for sign in ' ,;"')
    return kind if plain and not any(word in kind for word in ACTIVE) else DOWNLOAD_TYPE


def disposition(kind: str, name: str) -> str:
    """`attachment; filename="plain"; filename*=UTF-8''…`; the plain name has neither quotes nor anything outside ASCII."""
    one_line = "".join(character for character in name if character.isprintable()).replace("/", "_").replace("\\", "_") or "attachment"
    plain = "".join(character if character.isascii() and character not in '"%' else "_" for character in one_line)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(one_line.encode('utf-8', 'replace'), safe='')}"
