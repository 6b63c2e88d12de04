"""Address lists (RFC 5322, 3.4) as they come: tolerant, linear, at most `MAX_ADDRESSES`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from shared.mail.limits import MAX_ADDRESSES, MAX_FIELD_BYTES, MAX_ID, MAX_SUBJECT
from shared.mail.model import Address
from shared.mail.words import decode_words, no_bidi, one_line

# Unclosed quotes and brackets match to the end, so that each character is looked at once. An encoded word is whole: some have commas.
_TOKEN: Final = re.compile(
    r'=\?[\w.:()/+*-]{1,97}\?[bBqQ]\?[^?"]{0,1000}+\?=|"(?:\\.|[^"\\])*+"?|<[^<>]*+>?|[(),;:]|\\.|(?:[^"<(),;:\\=]++|=(?!\?))++|.',
    re.DOTALL,
)
# One mailbox as nearly all are written: nothing in it needs the tokens above.
_ATOM: Final = r"[\w.!#$%&'*+/=?^`{|}~-]{1,128}@[A-Za-z0-9.-]{1,253}"
_ORDINARY: Final = re.compile(
    rf'\s{{0,16}}(?:(?:"([^"\\]{{0,512}})"|([^"\\(),;:<>@]{{0,512}}+))\s{{0,16}}<({_ATOM})>|({_ATOM}))\s{{0,16}}(?:,|$)', re.ASCII
)
_PARENTHESES: Final = re.compile(r"\\.|[()]", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ADDRESS: Final = re.compile(r"[^\s<>,;:()\"\[\]]{1,512}@(?:\[[^\s\[\]]{1,64}\]|[^\s<>,;:()\"\[\]]{1,512})")
_SPACED_AT: Final = re.compile(r"([^\s<>,;:()\"@]{1,64})\s{0,4}@\s{0,4}([^\s<>,;:()\"@]{1,253})")
_MAILTO: Final = re.compile(r"[\[<]?\s{0,4}mailto:$", re.IGNORECASE)
_COMMENT: Final = re.compile(r"\([^()]{0,256}\)")
_SHORT: Final = 256
_MAX_PHRASE: Final = 4096
_MAX_PIECES: Final = 4096
_QUOTED_LOCAL: Final = re.compile(r'"(?:[^"\\]|\\.){1,64}"@[^\s"]+')
_WORD_START: Final = re.compile(r"\s*=\?")


@dataclass(slots=True)
class _Pending:
    phrase: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    angle: str | None = None
    named: int = 0
    """How much of the phrase came before the angle: what follows may be the next one's name."""
    surname: str = ""
    """Words before the last comma that were no address: of `Rossi, Anna <a@b>`, which should have quotes."""


def addresses(value: str) -> list[Address]:
    """Every mailbox of an unfolded address field, groups flattened. Names are decoded, addresses kept as written."""
    if len(value) <= _SHORT:
        return list(_known_addresses(value))
    value = value[:MAX_FIELD_BYTES]
    found = ordinary_addresses(value)
    return tolerant_addresses(value) if found is None else found


@lru_cache(maxsize=1024)
def _known_addresses(value: str) -> tuple[Address, ...]:
    """A desk's own addresses come in every mail, its people's in many."""
    found = ordinary_addresses(value)
    return tuple(tolerant_addresses(value) if found is None else found)


def ordinary_addresses(value: str) -> list[Address] | None:
    """The addresses when all of them are written as `Anna <a@b.example>`, `"Rossi, Anna" <a@b.example>` or `a@b.example`; else None."""
    found: list[Address] = []
    pos, end = 0, len(value)
    while pos < end and len(found) < MAX_ADDRESSES:
        match = _ORDINARY.match(value, pos)
        if match is None:
            return None
        quoted, plain, angle, bare = match.groups()
        found.append(Address(name=_text(quoted or plain or ""), address=angle or bare))
        pos = match.end()
    return found


def tolerant_addresses(value: str) -> list[Address]:
    """The addresses whatever the value is, token by token."""
    if not _balanced(value):  # one stray quote or parenthesis would swallow all addresses after it
        value = re.sub(r'["()\\]', " ", value)
    found: list[Address] = []
    pending, pos = _Pending(), 0
    while pos < len(value) and len(found) < MAX_ADDRESSES:
        match = _TOKEN.match(value, pos)
        piece = match[0] if match else value[pos]
        pos += len(piece)
        if piece == "(":
            end = _closing(value, pos)
            pending.comments.append(value[pos : end - 1])
            pos = end
        elif piece in {",", ";"}:
            _finish(pending, found)
            pending = _Pending(surname=_bare(pending) if piece == "," else "")
        elif piece == ":":
            pending = _colon(pending, value, pos)
        elif piece[0] == "<":
            pending = _angle(pending, piece, found)
        elif len(pending.phrase) < _MAX_PIECES:
            pending.phrase.append(piece)
    _finish(pending, found)
    return found[:MAX_ADDRESSES]


def _angle(pending: _Pending, piece: str, found: list[Address]) -> _Pending:
    if pending.angle is not None:  # `a <a@x> b <b@x>`: the comma is missing
        following = _Pending(phrase=pending.phrase[pending.named :])
        pending.phrase = pending.phrase[: pending.named]
        _finish(pending, found)
        pending = following
    pending.named = len(pending.phrase)
    pending.angle = piece[1:-1] if piece.endswith(">") else piece[1:].partition(",")[0]
    return pending


def _colon(pending: _Pending, value: str, pos: int) -> _Pending:
    """A group's name ends here and is dropped; a colon elsewhere (`mailto:`, `Re: x <a@b>`) belongs to the phrase."""
    rest = value[pos : pos + 2048]
    if pending.angle is None and ";" in rest:
        return _Pending()
    if len(pending.phrase) < _MAX_PIECES:
        pending.phrase.append(":")
    return pending


def _balanced(value: str) -> bool:
    if '"' not in value and "(" not in value:
        return True
    depth, pos = 0, 0
    while match := _TOKEN.match(value, pos) if depth == 0 else _PARENTHESES.search(value, pos):
        piece, pos = match[0], match.end()
        if piece[0] == '"' and (len(piece) == 1 or not piece.endswith('"')):
            return False
        depth += (piece == "(") - (piece == ")" and depth > 0)
    return depth == 0


def _closing(value: str, pos: int) -> int:
    """Offset behind the parenthesis that closes the comment begun before `pos`."""
    depth = 1
    for match in _PARENTHESES.finditer(value, pos):
        depth += (match[0] == "(") - (match[0] == ")")
        if depth == 0:
            return match.end()
    return len(value) + 1


def _bare(pending: _Pending) -> str:
    """The phrase when it can be nothing but words of a name."""
    phrase = "".join(pending.phrase).strip()
    return phrase if pending.angle is None and not pending.comments and len(phrase) <= _SHORT and not set(phrase) & set('@":') else ""


def _finish(pending: _Pending, found: list[Address]) -> None:
    phrase = "".join(pending.phrase).strip()[:_MAX_PHRASE]
    comment = " ".join(pending.comments)
    if pending.angle is not None:
        _finish_angle(pending, pending.angle, comment, found)
    elif phrase or comment.strip():
        found.extend(_without_angle(phrase, comment, pending.phrase))


def _finish_angle(pending: _Pending, angle: str, comment: str, found: list[Address]) -> None:
    after = "".join(pending.phrase[pending.named :])
    name = _name(pending.phrase if any(map(str.isalnum, after)) else pending.phrase[: pending.named])
    if name and pending.surname and found:
        found.pop()
        name = f"{_text(pending.surname)}, {name}"
    address = _spec(angle)
    if address or name:
        found.append(Address(name=name or _text(comment), address=address))


def _without_angle(phrase: str, comment: str, pieces: list[str]) -> list[Address]:
    match = _ADDRESS.search(phrase) if not _WORD_START.match(phrase) else None
    if _QUOTED_LOCAL.fullmatch(phrase) or _SPACED_AT.fullmatch(phrase):
        return [Address(name=_text(comment), address=_spec(phrase))]
    if match is not None:
        words = phrase.split(None, MAX_ADDRESSES)
        if len(words) > 1 and all(map(_ADDRESS.fullmatch, words)):  # the commas are missing
            return [Address(address=_spec(word)) for word in words]
        before, after = _MAILTO.sub("", phrase[: match.start()].rstrip()).strip(), phrase[match.end() :].strip()
        name = _name([before, " " if before and after else "", after]).strip(" <>[]")
        return [Address(name=name or _text(comment), address=_spec(match[0]))]
    if " " in phrase or "=?" in phrase or '"' in phrase:
        return [Address(name=_name(pieces), address="")]
    return [Address(name=_text(comment), address=_spec(phrase))] if phrase else []


def _spec(text: str) -> str:
    """The address without route (`<@relay:a@b>`, RFC 5322, 4.4), blanks and controls; surrounding quotes of broken mailers go too."""
    text = one_line(text)
    if text.startswith("@") and ":" in text:
        text = text.partition(":")[2]
    if '"' not in text:
        text = (_COMMENT.sub("", text) if "(" in text else text).replace(" ", "")
    text = text.removeprefix("mailto:")
    text = text.strip("'") if text.startswith("'") and text.endswith("'") else text
    return no_bidi(text)[:MAX_ID]


def without_tag(address: str) -> str:
    """`help+123@` is `help@` with a ticket's number (RFC 5233: the detail)."""
    local, at, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def _name(phrase: list[str]) -> str:
    parts = [_ESCAPED.sub(r"\1", part[1:].removesuffix('"')) if part[:1] == '"' else part for part in phrase]
    return _text("".join(parts))


def _text(raw: str) -> str:
    if not raw:
        return ""
    return no_bidi(decode_words(_ESCAPED.sub(r"\1", raw) if "\\" in raw else raw))[:MAX_SUBJECT]
