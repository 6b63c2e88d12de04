"""The parts of a mail (RFC 2046): one walk over its delimiter lines, no recursion, linear in its length."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from shared.mail.envelope import normal
from shared.mail.limits import MAX_DELIMITER_LINES, MAX_DEPTH, MAX_PARTS
from shared.mail.model import Attachment
from shared.mail.names import attachment_name
from shared.mail.part import Part, read_part
from shared.mail.transfer import decoded
from shared.mail.within import clean_id, files_within

__all__ = ["Part", "Structure", "attachment", "open_part"]

_GUESSED_IN: Final = 4096


class Structure:
    """All parts of a mail in order. Never raises; `defects` says what was odd or left out."""

    def __init__(self, raw: bytes) -> None:
        self.raw = normal(raw)
        self.defects: list[str] = []
        self.parts: list[Part] = []
        self._open: list[Part] = []
        self._depths: dict[bytes, list[int]] = {}
        self._needle = b"\n--"
        """Where a delimiter line begins. A long needle is found faster, and only one may be looked for."""
        self._groups = 0
        self._leaf: Part | None = None
        self.root = self._begin(0)
        self._walk()
        if not self.root.children:
            self.root.number = "1"
        for part in self.parts:
            if part.type.startswith("multipart/") and not part.children:  # one that could not be taken apart
                part.type = "text/plain" if part.number == "1" else "application/octet-stream"

    def leaves(self) -> Iterator[Part]:
        return (part for part in self.parts if not part.multipart or not part.children)

    def content(self, part: Part, limit: int | None = None) -> bytes:
        """The part's bytes without its transfer encoding; with a limit, at least that many of its first ones if it has them."""
        end = part.end if limit is None else min(part.end, part.start + limit * 4)
        data = self.raw[part.start : end]
        data = decoded(data, part.encoding)
        return data if limit is None else data[:limit]

    def defect(self, text: str) -> None:
        if text not in self.defects:
            self.defects.append(text)

    def _walk(self) -> None:
        if not self._open:
            self.root.end = len(self.raw)
            return
        pos = self.root.start
        for _ in range(MAX_DELIMITER_LINES):
            at = self._hyphens(pos)
            if at < 0 or len(self.parts) > MAX_PARTS:
                break
            pos = self._line(at)
            if not self._open:
                return
        else:
            at = pos
        if at >= 0:
            self.defect(f"more than {MAX_PARTS} parts, the rest was left out")
            self._close(0, at)
            return
        if self._open:
            self.defect("a multipart has no end")
        self._close(0, len(self.raw))

    def _hyphens(self, pos: int) -> int:
        """Offset of the next line that may be a delimiter, -1 for none. Base64 has no hyphen, and one byte is found fast."""
        hyphen = self.raw.find(b"-", pos)
        return -1 if hyphen < 0 else self.raw.find(self._needle, max(0, hyphen - 1)) + 1 or -1

    def _line(self, at: int) -> int:
        """Handles a line that begins with two hyphens; the offset where the walk goes on."""
        end = self.raw.find(b"\n", at)
        end = end if end >= 0 else len(self.raw)
        found = self._delimiter(self.raw[at:end])
        if found is None:
            return end
        depth, last = found
        self._close(depth + 1, at)
        if last:
            self._close(depth, at)
            return end
        return self._begin(min(end + 1, len(self.raw))).start

    def _delimiter(self, line: bytes) -> tuple[int, bool] | None:
        """Depth of the multipart that the line belongs to, and whether it is its last one."""
        text = line[2:].rstrip()
        if text in self._depths:
            return self._depths[text][-1], False
        if text.endswith(b"--") and text[:-2] in self._depths:
            return self._depths[text[:-2]][-1], True
        return None

    def _begin(self, pos: int) -> Part:
        parent = self._open[-1] if self._open else None
        part = read_part(self.raw, pos, parent, self._delimiter)
        for defect in part.fields.defects if parent is not None else ():
            self.defect(defect)
        self.parts.append(part)
        self._leaf = part
        if part.type.startswith("multipart/"):
            self._descend(part)
        return part

    def _descend(self, part: Part) -> None:
        boundary = part.params.get("boundary", "").rstrip().encode("utf-8", "replace") or _guess(self.raw, part.start)
        if not boundary:
            self.defect("a multipart has no boundary")
            return
        if len(self._open) >= MAX_DEPTH:
            self.defect(f"parts more than {MAX_DEPTH} deep were left out")
            return
        part.boundary = boundary
        if part.type == "multipart/alternative" and not part.group:
            self._groups += 1
            part.group = self._groups
        self._leaf = None
        self._depths.setdefault(boundary, []).append(len(self._open))
        self._open.append(part)
        self._set_needle()

    def _close(self, depth: int, end: int) -> None:
        """Ends the leaf begun last and every multipart from `depth` on. The line break before a delimiter belongs to the delimiter."""
        if end < len(self.raw) and self.raw[end - 1 : end] == b"\n":
            end -= 2 if self.raw[end - 2 : end] == b"\r\n" else 1
        if self._leaf is not None:
            self._leaf.end = max(self._leaf.start, end)
            self._leaf = None
        if len(self._open) <= depth:
            return
        while len(self._open) > depth:
            part = self._open.pop()
            part.end = max(part.start, end)
            assert part.boundary is not None  # noqa: S101 - only such parts are opened
            depths = self._depths[part.boundary]
            depths.pop()
            if not depths:
                del self._depths[part.boundary]
            if not part.children:
                self.defect("a multipart has no parts")
        self._set_needle()

    def _set_needle(self) -> None:
        self._needle = b"\n--" + next(iter(self._depths)) if len(self._depths) == 1 else b"\n--"


def open_part(raw: bytes, part: str) -> tuple[Attachment, bytes]:
    """The part of that number, as `parse` numbers them, and its decoded bytes. KeyError when the mail has no such part."""
    structure = Structure(raw)
    outer = part.rpartition(".")[0]
    for leaf in structure.leaves():
        data = structure.content(leaf) if leaf.number in {part, outer} else b""
        if leaf.number == part:
            return attachment(leaf, data), data
        if leaf.number == outer:
            for found, inner in files_within(leaf.number, leaf.type, data).files:
                if found.part == part:
                    return found, inner
    raise KeyError(part)


def attachment(part: Part, data: bytes) -> Attachment:
    content_id = clean_id(part.fields.first("Content-ID"))
    return Attachment(
        part=part.number,
        name=attachment_name(part.name or _name_by_place(part), part.type, part.number, data),
        type=part.type,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content_id=content_id or None,
        inline=part.disposition == "inline"
        or (bool(content_id) and part.disposition != "attachment" and "multipart/related" in part.parents),
    )


def _name_by_place(part: Part) -> str:
    """What a mail encrypted by PGP says is in a part of no type and name of its own (RFC 3156, 4)."""
    encrypted = part.parents[-1:] == ("multipart/encrypted",) and part.type == "application/octet-stream"
    return "encrypted.asc" if encrypted else ""


def _guess(raw: bytes, start: int) -> bytes:
    """A multipart without a boundary parameter: its first line with two hyphens, if that comes again."""
    match = re.compile(rb"^--([^\s][^\r\n]{0,200}?)[ \t]*\r?$", re.MULTILINE).search(raw, start, start + _GUESSED_IN)
    return match[1] if match and raw.find(b"\n--" + match[1], match.end()) > 0 else b""
