"""File names of attachments that are safe to show and to save under."""

from __future__ import annotations

import re
from typing import Final

from shared.mail.fields import read_fields
from shared.mail.limits import MAX_NAME_BYTES, MAX_SHORT_FIELD
from shared.mail.words import decode_words, no_bidi

_UNSAFE: Final = re.compile(r'[/\\:*?"<>|]')
# A table of our own: the system's one differs between machines, and a name must not.
_SUFFIXES: Final = {
    "text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "text/rfc822-headers": ".txt",
    "text/xml": ".xml",
    "message/rfc822": ".eml", "message/global": ".eml", "message/delivery-status": ".txt", "message/disposition-notification": ".txt",
    "message/rfc822-headers": ".txt", "message/feedback-report": ".txt", "application/postscript": ".ps", "application/gzip": ".gz",
    "audio/mp3": ".mp3", "audio/ogg": ".ogg", "audio/mp4": ".m4a", "image/webp": ".webp", "image/heic": ".heic", "text/markdown": ".md",
    "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "application/vnd.ms-excel": ".xls", "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/pdf": ".pdf", "application/zip": ".zip", "application/json": ".json", "application/xml": ".xml", "application/rtf": ".rtf",
    "application/msword": ".doc",
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/bmp": ".bmp", "image/tiff": ".tif", "image/svg+xml": ".svg",
    "audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/basic": ".au", "video/mp4": ".mp4", "video/mpeg": ".mpg",
}  # fmt: skip

# Parts that hardly ever have a name of their own: as the programs that write them call them.
_NAMES: Final = {
    "application/pkcs7-signature": "smime.p7s", "application/x-pkcs7-signature": "smime.p7s", "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m", "application/pgp-signature": "signature.asc", "application/pgp-encrypted": "pgp-version.txt",
    "application/pgp-keys": "key.asc", "application/ms-tnef": "winmail.dat", "text/calendar": "invitation.ics",
}  # fmt: skip


def given_name(written: str) -> str:
    """The name as the mail gives it, made harmless; empty when nothing is left of it."""
    return safe_name(decode_words(written, MAX_SHORT_FIELD)) if written else ""


def attachment_name(given: str, media: str, number: str, data: bytes) -> str:
    """The name that is given; else a mail's subject, or one of the part's number and type."""
    if given:
        return given
    if media in {"message/rfc822", "message/global"}:
        subject = safe_name(decode_words(read_fields(data).first("Subject"), MAX_SHORT_FIELD))
        return cut_name(subject, ".eml") if subject else "mail.eml"
    suffix = _SUFFIXES.get(media) or (".txt" if media.startswith("text/") else ".bin")
    return _NAMES.get(media) or f"part-{number[:60]}{suffix}"


def safe_name(name: str) -> str:
    """One component of a path on any system: no separators, controls, bidi marks, leading dots or trailing blanks."""
    name = _UNSAFE.sub("_", no_bidi(name)).strip(" .") if name.strip(" ._/\\") else ""
    stem, dot, suffix = name.rpartition(".")
    return cut_name(stem, dot + suffix) if dot and len(suffix) <= 16 else cut_name(name, "")


def cut_name(stem: str, suffix: str) -> str:
    room = MAX_NAME_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip() + suffix
