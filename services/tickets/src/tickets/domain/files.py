"""How an attachment is handed to a browser, and which are not handed out: the others stay in the archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from shared.mail.names import cut_name, safe_name
from shared.mail.words import one_line

SHOWN_INLINE: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
DOWNLOAD_TYPE: Final = "application/octet-stream"
MAIL_TYPE: Final = "message/rfc822"
NO_NAME: Final = "attachment"
ACTIVE: Final = ("html", "xml", "svg", "javascript", "ecmascript", "xsl", "mhtml", "flash")
DOMAIN_ENDINGS: Final = frozenset({"com"})
"""Before another ending it is a web address's: `shop.com.pdf`."""
MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True)
class Policy:
    """Which attachments are handed out."""

    endings: frozenset[str]
    types: frozenset[str]
    limit: int

    @classmethod
    def of(cls, listed: str, limit: int) -> Policy:
        """`listed`: endings of names and media types, comma separated."""
        entries = {entry.strip().lower().lstrip(".") for entry in listed.split(",")} - {""}
        types = frozenset(entry for entry in entries if "/" in entry)
        return cls(frozenset(entries - types), types, limit)

    def refusal(self, name: str, media_type: str, size: int) -> str | None:
        """Why it is not handed out, in plain words; None where it is."""
        if ending := next((one for one in _endings(name) if one in self.endings), None):
            return f"Files with .{ending} in the end of their name are not handed out, since opening one may run a program."
        if (kind := media_type.strip().lower()) in self.types:
            return f"Files of the type {kind} are not handed out, since opening one may run a program."
        if size > self.limit:
            return f"Files larger than {size_text(self.limit)} are not handed out; this one has {size_text(size)}."
        return None


def _endings(name: str) -> list[str]:
    """The ending, and the one it may hide: of `invoice.exe.pdf` both. Systems leave out dots and blanks behind a name."""
    parts = [part.strip().lower() for part in file_name(name).rstrip(" .").split(".")[1:]]
    return [*parts[-1:], *(part for part in parts[-2:-1] if part not in DOMAIN_ENDINGS)]


def size_text(size: int) -> str:
    return f"{size / MEBIBYTE:.0f} MiB" if size >= MEBIBYTE else f"{size:,} bytes"


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


def file_name(name: str) -> str:
    """One component of a path on any system: see `shared.mail.names.safe_name`, which the parser has applied to most of them."""
    shown = "".join(character for character in one_line(name) if character.isprintable())
    return safe_name(shown) or NO_NAME


def mail_name(subject: str) -> str:
    """File name of a mail: its subject."""
    return cut_name(file_name(subject) if subject.strip() else "mail", ".eml")


def disposition(kind: str, name: str) -> str:
    """`attachment; filename="plain"; filename*=UTF-8''…`; the plain name has neither quotes nor anything outside ASCII."""
    safe = file_name(name)
    plain = "".join(character if character.isascii() and character not in '"%' else "_" for character in safe)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(safe.encode('utf-8', 'replace'), safe='')}"
