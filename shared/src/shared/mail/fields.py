"""A header block: splitting it into fields, unfolding them, and reading parameters (RFC 2045, 2231). Linear in its length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, KeysView, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from shared.mail.charset import decode_header_bytes, decode_word
from shared.mail.limits import MAX_FIELD_BYTES, MAX_FIELDS, MAX_HEADER_BLOCK, MAX_PART_FIELDS, MAX_SHORT_FIELD
from shared.mail.text import unix_lines

_FIELD: Final = re.compile(rb"([!-9;-~]{1,512})[ \t]*:")
_MAIL_FIELD_BELOW: Final = re.compile(
    rb"(?:[^\r\n]{1,1000}+\r?\n){1,20}?"
    rb"(?:From|To|Cc|Subject|Date|Message-ID|Received|Return-Path|Reply-To|MIME-Version|Content-[\w-]{1,40}|X-[\w-]{1,40}): ",
    re.IGNORECASE,
)
"""Several foreign lines in a row need more than a word and a colon after them, which a text has too."""
_WHOLE_FIELD: Final = re.compile(r"^([!-,.-9;-~][!-9;-~]{0,511}+): *([^\n]*+)\n", re.MULTILINE)
"""Its name begins with no hyphen: such a line may be a delimiter."""
_PARAM: Final = re.compile(r'([^\s=;"]{1,128})\s{0,80}=\s{0,80}("(?:\\.|[^"\\])*+"?|[^;]*+)', re.DOTALL)
_MAX_PARAMS: Final = 200
_SHORT: Final = 64
_SECTION: Final = re.compile(r"(.+?)\*(\d{1,3})?(\*)?$")
_ESCAPED: Final = re.compile(r'\\(["\\])')
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE | re.ASCII)
_TAB_TO_SPACE: Final = bytes.maketrans(b"\t", b" ")
_ORDINARY_BLOCK: Final = 64 * 1024
_ORDINARY_PART_BLOCK: Final = 4 * 1024
_PRINTABLE: Final = bytes([*range(0x20, 0x7F), *b"\t\n\r"])


class Fields:
    """The fields of one header block in order, names as written, values unfolded, without tabs, decoded but for encoded words."""

    __slots__ = ("_index", "body", "defects", "pairs", "printable")

    def __init__(self, pairs: list[tuple[str, str]], body: int, defects: Iterable[str] = (), *, printable: bool = False) -> None:
        self.pairs = pairs
        self.body = body
        """Where the body starts, of fields that were read where they stand; parts with the same fields may share them."""
        self.defects = list(defects)
        self.printable = printable
        """Short, and all of it printable ASCII: what an encoded word hides is the only thing to be cleaned."""
        self._index: dict[str, list[str]] = {}
        for name, value in pairs:
            key = name.lower()
            if key in self._index:
                self._index[key].append(value)
            else:
                self._index[key] = [value]

    @property
    def names(self) -> KeysView[str]:
        """Every name there is, lower case: a set to ask for many at once."""
        return self._index.keys()

    def all(self, name: str) -> list[str]:
        """Every value of that name."""
        return self._index.get(name.lower(), [])

    def first(self, name: str) -> str:
        """The first value that is not blank: a second Subject or From is the odd one (RFC 5322, 3.6)."""
        for value in self._index.get(name.lower(), ()):
            if value and not value.isspace():
                return value
        return ""


def read_fields(raw: bytes, start: int = 0, is_delimiter: Callable[[bytes], object] = lambda _line: None) -> Fields:
    """The header block at `start`. It ends at a blank line, at a line that cannot be one of it, or at a MIME delimiter."""
    return ordinary_fields(raw, start) or tolerant_fields(raw, start, is_delimiter)


def ordinary_fields(raw: bytes, start: int) -> Fields | None:
    """The block when nothing about it is odd, as nearly always, by one pass of a regular expression; else None."""
    stop = start + (_ORDINARY_PART_BLOCK if start else _ORDINARY_BLOCK)
    end = raw.find(b"\r\n\r\n", start, stop)
    end, body = (end + 2, end + 4) if end >= 0 else ((end := raw.find(b"\n\n", start, stop)) + 1, end + 2)
    return None if end <= 0 else ordinary_block(raw[start:end], body, _most(start))


def ordinary_block(data: bytes, body: int, most: int) -> Fields | None:
    """The fields of a block whose end is known, when nothing about it is odd."""
    printable = len(data) <= MAX_SHORT_FIELD and not data.translate(None, _PRINTABLE)
    block = unix_lines(data).decode("latin-1")
    if "\r" in block:
        return None
    block = block.replace("\t", " ").replace("\n ", " ")
    found = _WHOLE_FIELD.findall(block)
    if len(found) != block.count("\n") or len(found) > most:
        return None
    return Fields(_texts(found, all_ascii=printable or block.isascii()), body, printable=printable)


def tolerant_fields(raw: bytes, start: int, is_delimiter: Callable[[bytes], object]) -> Fields:
    """The block line by line, whatever it is."""
    spans: list[tuple[bytes, int, int]] = []
    defects: list[str] = []
    body = _scan(defects, spans, raw, start, is_delimiter)
    values = [
        (
            name.decode("ascii"),
            raw[begin : min(end, begin + MAX_FIELD_BYTES)].translate(_TAB_TO_SPACE, b"\r\n").lstrip(b" ").decode("latin-1"),
        )
        for name, begin, end in spans[: _most(start)]
    ]
    if len(spans) > _most(start):
        defects.append(f"more than {_most(start)} header fields, the rest was left out")
    if any(end - begin > MAX_FIELD_BYTES for _, begin, end in spans):
        defects.append("a header field is too long, its rest was left out")
    return Fields(_texts(values, all_ascii=False), body, dict.fromkeys(defects))


def _most(start: int) -> int:
    """Fields that are kept of the mail's own block, or of a part's."""
    return MAX_PART_FIELDS if start else MAX_FIELDS


def _texts(values: list[tuple[str, str]], *, all_ascii: bool) -> list[tuple[str, str]]:
    """The values, read as Latin-1 so far, by the charset their bytes are in."""
    if all_ascii or all(value.isascii() for _, value in values):
        return values
    types = [value[:4096] for name, value in values if name.lower() == "content-type"]
    found = _CHARSET.search(" ".join(types))
    hint = found[1] if found else ""
    return [(name, value if value.isascii() else decode_header_bytes(value.encode("latin-1"), hint)) for name, value in values]


def _scan(defects: list[str], spans: list[tuple[bytes, int, int]], raw: bytes, start: int, is_delimiter: Callable[[bytes], object]) -> int:
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
        elif line.strip() and not _skips(defects, raw, line, end, at_start=pos == start, within=bool(spans)):
            return pos
        pos = end
    if pos < len(raw):
        defects.append("header block is too long, its rest was left out")
    # only the mail's own block is looked for its far end: a thousand parts doing so would be quadratic
    return _blank_line(raw, pos) if pos < len(raw) and start == 0 else pos


def _skips(defects: list[str], raw: bytes, line: bytes, following: int, *, at_start: bool, within: bool) -> bool:
    """A foreign line within the header block: mbox's `From `, or one with more fields below. Else the body begins here."""
    if at_start and line.startswith((b"From ", b">From ")):
        return True
    if not within or not (_FIELD.match(raw[following : following + 512]) or _MAIL_FIELD_BELOW.match(raw, following, following + 4096)):
        defects.append("no blank line after the header block")
        return False
    if not defects:
        defects.append("a line of the header block is no field")
    return True


def _blank_line(raw: bytes, pos: int) -> int:
    found = re.compile(rb"\n\r?\n").search(raw, pos - 1)
    return found.end() if found else len(raw)


def params(value: str) -> tuple[str, Mapping[str, str]]:
    """`text/plain; charset=x` as `("text/plain", {"charset": "x"})`: first of equal names wins, RFC 2231 sections joined and decoded."""
    return _known_params(value) if len(value) <= _SHORT else _params(value[:MAX_FIELD_BYTES])


@lru_cache(maxsize=1024)
def _known_params(value: str) -> tuple[str, Mapping[str, str]]:
    """Most parts of most mails have one of few types."""
    return _params(value)


def _params(value: str) -> tuple[str, Mapping[str, str]]:
    head, rest = _head(value)
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for count, match in enumerate(_PARAM.finditer(rest)):
        if count >= _MAX_PARAMS:
            break
        name, text = match[1].lower(), _unquote(match[2])
        section = _SECTION.match(name) if "*" in name else None
        if section is None:
            plain.setdefault(name, text)
        else:
            extended = section[3] is not None or section[2] is None
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (text, extended))
    if sections:
        plain.update({name: _joined(parts) for name, parts in sections.items()})
    return head, plain


def _head(value: str) -> tuple[str, str]:
    """What stands before the parameters, and these; the semicolon between, or the head itself, may be missing."""
    head, _, rest = value.partition(";")
    words = head.split(None, 1)
    if "=" not in head or not words:
        return (words[0].lower() if words else ""), rest
    if "=" in words[0] or words[1].startswith("="):
        return "", value
    return words[0].lower(), f"{words[1]};{rest}"


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        text = text.strip()
        return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text
    # only quotes and backslashes are escaped in practice: `C:\temp\x` is a Windows path
    text = text[1:].removesuffix('"')
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


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
