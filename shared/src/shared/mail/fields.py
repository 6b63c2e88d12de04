"""A header block: splitting it into fields, unfolding them, and reading parameters (RFC 2045, 2231). Linear in its length."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from shared.mail.charset import decode_header_bytes, decode_word
from shared.mail.limits import MAX_FIELD_BYTES, MAX_FIELDS, MAX_HEADER_BLOCK

_FIELD: Final = re.compile(rb"([!-9;-~]{1,512})[ \t]*:")
_PARAM: Final = re.compile(r'([^\s=;"]{1,128})\s{0,80}=\s{0,80}("(?:\\.|[^"\\])*+"?|[^;]*+)', re.DOTALL)
_MAX_PARAMS: Final = 200
_SECTION: Final = re.compile(r"(.+?)\*(\d{1,3})?(\*)?$")
_CHARSET: Final = re.compile(rb"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


@dataclass(slots=True)
class Fields:
    """The fields of one header block in order, names as written, values as raw bytes still folded; and where the body starts."""

    raw: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: int = 0
    defects: list[str] = field(default_factory=list)
    _index: dict[bytes, list[bytes]] = field(default_factory=dict)
    _hint: str | None = None

    def all(self, name: str) -> list[str]:
        """Every value of that name, unfolded, its 8-bit bytes decoded, encoded words not yet."""
        if not self._index:
            for key, value in self.raw:
                self._index.setdefault(key.lower(), []).append(value)
        return [self.text(value) for value in self._index.get(name.lower().encode(), [])]

    def first(self, name: str) -> str:
        """The first value that is not blank: a second Subject or From is the odd one (RFC 5322, 3.6)."""
        return next((value for value in self.all(name) if value.strip()), "")

    def text(self, value: bytes) -> str:
        if b"\n" in value or b"\r" in value:
            value = value.replace(b"\r", b"").replace(b"\n", b"")
        return value.decode("ascii") if value.isascii() else decode_header_bytes(value, self.hint)

    @property
    def hint(self) -> str:
        if self._hint is None:
            found = _CHARSET.search(b" ".join(value[:4096] for key, value in self.raw if key.lower() == b"content-type"))
            self._hint = found[1].decode("ascii", "replace") if found else ""
        return self._hint


def read_fields(raw: bytes, start: int = 0, is_delimiter: Callable[[bytes], object] = lambda _line: None) -> Fields:
    """The header block at `start`. It ends at a blank line, at a line that cannot be one of it, or at a MIME delimiter."""
    fields = Fields()
    spans: list[tuple[bytes, int, int]] = []
    fields.body = _scan(fields, spans, raw, start, is_delimiter)
    fields.raw = [(name, raw[begin : min(end, begin + MAX_FIELD_BYTES)]) for name, begin, end in spans[:MAX_FIELDS]]
    if len(spans) > MAX_FIELDS:
        _once(fields, f"more than {MAX_FIELDS} header fields, the rest was left out")
    if any(end - begin > MAX_FIELD_BYTES for _, begin, end in spans):
        _once(fields, "a header field is too long, its rest was left out")
    return fields


def _scan(fields: Fields, spans: list[tuple[bytes, int, int]], raw: bytes, start: int, is_delimiter: Callable[[bytes], object]) -> int:
    """Puts name and value's place of each field to `spans`; the offset of the body."""
    pos, stop = start, min(len(raw), start + MAX_HEADER_BLOCK)
    while pos < stop:
        end = raw.find(b"\n", pos, stop) + 1 or stop
        line = raw[pos:end]
        if line in {b"\n", b"\r\n"}:
            return end
        if line.startswith(b"--") and is_delimiter(line) is not None:
            return pos
        match = _FIELD.match(line)
        if line[0] in b" \t" and spans:
            spans[-1] = (spans[-1][0], spans[-1][1], end)
        elif match is not None:
            spans.append((match[1], pos + match.end(), end))
        elif line.strip() and not _skips(fields, raw, line, end, at_start=pos == start, within=bool(spans)):
            return pos
        pos = end
    if pos < len(raw):
        _once(fields, "header block is too long, its rest was left out")
    # only the mail's own block is looked for its far end: a thousand parts doing so would be quadratic
    return _blank_line(raw, pos) if pos < len(raw) and start == 0 else pos


def _skips(fields: Fields, raw: bytes, line: bytes, following: int, *, at_start: bool, within: bool) -> bool:
    """A foreign line within the header block: mbox's `From `, or a line between two fields. Else the body begins here."""
    if at_start and line.startswith((b"From ", b">From ")):
        return True
    if not within or _FIELD.match(raw[following : following + 512]) is None:
        _once(fields, "no blank line after the header block")
        return False
    _once(fields, "a line of the header block is no field")
    return True


def _blank_line(raw: bytes, pos: int) -> int:
    found = re.compile(rb"\n\r?\n").search(raw, pos - 1)
    return found.end() if found else len(raw)


def _once(fields: Fields, defect: str) -> None:
    if defect not in fields.defects:
        fields.defects.append(defect)


def params(value: str) -> tuple[str, dict[str, str]]:
    """`text/plain; charset=x` as `("text/plain", {"charset": "x"})`: first of equal names wins, RFC 2231 sections joined and decoded."""
    value = value[:MAX_FIELD_BYTES]
    head, _, rest = value.partition(";")
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for count, match in enumerate(_PARAM.finditer(rest)):
        if count >= _MAX_PARAMS:
            break
        name, text = match[1].lower(), _unquote(match[2])
        section = _SECTION.match(name)
        if section is None:
            plain.setdefault(name, text)
        else:
            extended = section[3] is not None or section[2] is None
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (text, extended))
    plain.update({name: _joined(parts) for name, parts in sections.items()})
    return head.strip().lower(), plain


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text.strip()
    # only quotes and backslashes are escaped in practice: `C:\temp\x` is a Windows path
    return re.sub(r'\\(["\\])', r"\1", text[1:].removesuffix('"'))


def _joined(parts: dict[int, tuple[str, bool]]) -> str:
    data, charset, out = b"", "", ""
    for number in sorted(parts):
        text, extended = parts[number]
        if extended and number == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        if extended:
            data += unquote_to_bytes(text)
            continue
        out, data = out + decode_word(data, charset or "utf-8") + text, b""
    return out + decode_word(data, charset or "utf-8")
