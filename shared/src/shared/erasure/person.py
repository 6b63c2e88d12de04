"""An address within texts and JSON, and what they say without it. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

ERASED: Final = "erased"
"""Stands where an address or a name was."""
GONE_TEXT: Final = "Erased on request."
"""Stands where a whole text was."""
GONE_REASON: Final = "erased: all that was kept about the sender was removed on request"
"""Why a mail that was removed, or that comes again, has no ticket."""
_LOCAL: Final = r"[\w.!#$%&'*+/=?^`{|}~-]"
"""Characters of a local part (RFC 5322, 3.2.3): what stands before the address must be none, else it is another one."""


class Person:
    """The address to be erased. Letters' case makes no difference; a plus tag makes another address."""

    def __init__(self, address: str) -> None:
        self.folded = address.strip().casefold()
        bare = re.escape(self.folded)
        self._bare = re.compile(rf"(?<!{_LOCAL}){bare}(?![\w-]|\.\w)", re.IGNORECASE)
        self._with_name = re.compile(rf'(?:"(?:[^"\\]|\\.)*"|[^,;:<>"\r\n]*)\s*<{bare}>', re.IGNORECASE)

    @property
    def like(self) -> str:
        """Pattern for SQL's ILIKE: holds for every text that names the address, and for some that name a longer one."""
        escaped = re.sub(r"([\\%_])", r"\\\1", self.folded)
        return f"%{escaped}%"

    def owns(self, address: str | None) -> bool:
        """Whether this is the address itself."""
        return (address or "").strip().casefold() == self.folded

    def wrote(self, sender: str | None) -> bool:
        """Whether a header's `Name <address>` is the person's."""
        text = (sender or "").strip()
        return self.owns(text.rpartition("<")[2].removesuffix(">")) if text.endswith(">") else self.owns(text)

    def named_in(self, text: str | None) -> bool:
        """Whether the text names the address."""
        return bool(text) and self._bare.search(text or "") is not None

    def without(self, value: Any) -> Any:
        """A value of texts, lists and dictionaries with `erased` in place of the address. An address' own display name goes with it."""
        if isinstance(value, str):
            return self._bare.sub(ERASED, value) if self.named_in(value) else value
        if isinstance(value, list):
            return [self.without(one) for one in value]
        if isinstance(value, dict):
            if self.owns(_text(value.get("address"))):
                return {**value, "address": ERASED} | ({"name": ""} if "name" in value else {})
            return {self.without(name): self.without(one) for name, one in value.items()}
        return value

    def without_name(self, text: str) -> str:
        """A list of addresses as a header has it: the display name before the address goes, too."""
        return str(self.without(self._with_name.sub(lambda found: _lead(found[0]) + ERASED, text)))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _lead(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]
