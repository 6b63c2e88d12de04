"""Status codes and addresses in what servers say. Each pattern looks at a character a bounded number of times."""

from __future__ import annotations

import re
from typing import Final

MAX_REASON: Final = 500

_STATUS: Final = re.compile(r"(?<![\w.])([245])\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})(?!\.?\d|\w)")
_REFUSAL: Final = re.compile(r"(?<![\w.=:/-])([45][0-5]\d)(?=(?:-|:?\s{1,16})[^\s])")
_ACCEPTED: Final = re.compile(r"(?<![\w.=:/-])(2[0-5]\d)(?=(?:-|:?\s{1,16})[^\s])")
# Tried only where a word begins, and each word only once.
_ADDRESS: Final = re.compile(r"(?<![^\s<>()\[\]\",;:@])[^\s<>()\[\]\",;:@]{1,256}+@[^\s<>()\[\]\",;:@'*]{1,255}+")
_SPACES: Final = re.compile(r"\s+")


def status_in(text: str) -> str:
    """The enhanced status code (RFC 3463) that says most: one like `5.0.0` only where there is no other."""
    found = [match[0] for match in _STATUS.finditer(text[:4096])]
    return next((one for one in found if not is_vague(one)), found[0] if found else "")


def is_vague(status: str) -> bool:
    """`5.0.0` and the like: failed, and nothing more."""
    return status[1:] == ".0.0"


def refusal_in(text: str) -> tuple[str, int]:
    """The first SMTP reply code (RFC 5321, 4.2) of a server that did not take the mail, and where it stands; empty and 0 for none."""
    found = _REFUSAL.search(text[:4096])
    return (found[1], found.start()) if found else ("", 0)


def reply_in(text: str) -> str:
    """The first SMTP reply code, one of a refusal before any other."""
    accepted = _ACCEPTED.search(text[:4096])
    return refusal_in(text)[0] or (accepted[1] if accepted else "")


def addresses_in(line: str) -> list[str]:
    """Addresses that stand in a line of a text, in order."""
    if "@" not in line:
        return []
    found = (match[0].strip("'`.*") for match in _ADDRESS.finditer(line[:2000]))
    return [one.rstrip(".!?>") for one in found if one.partition("@")[2][:1].isalnum()]


def words(text: str) -> str:
    """The server's words in one line, cut."""
    return _SPACES.sub(" ", text[: 8 * MAX_REASON]).strip(" \t\n-=*_;,'\"")[:MAX_REASON]
