"""What the mailbox's provider found out about a mail's sender (RFC 8601)."""

from __future__ import annotations

import re
from typing import Final

from shared.mail.fields import Fields

_MAX_RESULTS: Final = 20
_MAX_LENGTH: Final = 16 * 1024
_RESULT: Final = re.compile(
    r"(?:^|;)\s{0,80}+([a-z][a-z0-9_-]{0,40}+)\s{0,8}(?:/\s{0,8}\d{1,4}\s{0,8})?=\s{0,8}([a-z][a-z0-9_-]{0,40}+)(?![^\s;])"
)
_PLAIN_COMMENT: Final = re.compile(r'\([^()"\\]*+\)')
# A quote that nothing ends is matched alone.
_SPECIAL: Final = re.compile(r'"(?:\\.|[^"\\])*+"|"|[()]', re.DOTALL)
_WITHIN_COMMENT: Final = re.compile(r"\\.|[()]", re.DOTALL)


def authentication(fields: Fields) -> list[str]:
    """Results of the topmost Authentication-Results as `method=result`, lower case, each once; none where there is no such field.

    Only the topmost is the provider's own: those below came with the mail, and anybody can write them. One that is damaged gives none.
    """
    written = fields.all("Authentication-Results")
    if not written:
        return []
    found = _RESULT.findall(_plain(written[0][:_MAX_LENGTH].lower()))
    return list(dict.fromkeys(f"{method}={result}" for method, result in found))[:_MAX_RESULTS]


def _plain(value: str) -> str:
    """The value without comments and quoted strings; empty where one of them has no end."""
    if '"' not in value and "\\" not in value:
        value = _PLAIN_COMMENT.sub(" ", value)
        if "(" not in value and ")" not in value:
            return value
    out: list[str] = []
    depth = pos = 0
    while match := (_WITHIN_COMMENT if depth else _SPECIAL).search(value, pos):
        if depth == 0:
            out.append(value[pos : match.start()])
        pos = match.end()
        depth += (match[0] == "(") - (match[0] == ")")
        if depth < 0 or match[0] == '"':
            return ""
    return " ".join([*out, value[pos:]]) if depth == 0 else ""
