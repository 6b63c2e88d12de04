"""What conditions look at: a field's name to the mail's values. A new field is one more entry of `FIELDS`."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from shared.api import ConditionField
from shared.mail.model import Address, ParsedMail

Values = tuple[str, ...]
"""A field's values, never none: an empty field has one empty value. A condition holds when one of them does."""


def _address_values(addresses: Sequence[Address]) -> Values:
    """Each address alone and with its display name, as written in a header and without the quotes a header may need."""
    forms = [form for one in addresses for form in (one.address or one.name, str(one), f"{one.name} <{one.address}>" if one.name else "")]
    return tuple(dict.fromkeys(form for form in forms if form)) or ("",)


FIELDS: Final[dict[ConditionField, Callable[[ParsedMail], Values]]] = {
    ConditionField.FROM: lambda mail: _address_values([mail.from_] if mail.from_ else []),
    ConditionField.TO: lambda mail: _address_values(mail.to),
    ConditionField.SUBJECT: lambda mail: (mail.subject,),
    ConditionField.BODY: lambda mail: (mail.text.strip(),),
}


def fold(text: str) -> str:
    """For caseless comparison: Unicode case folding of the composed form (NFC), so that both spellings of `è` are one."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


class MailView:
    """One mail as the conditions see it: each field is taken and folded once, however many rules ask."""

    def __init__(self, mail: ParsedMail) -> None:
        self._mail = mail
        self._values: dict[ConditionField, Values] = {}
        self._folded: dict[ConditionField, Values] = {}

    def values(self, field: ConditionField) -> Values:
        """As the mail gives them."""
        if field not in self._values:
            self._values[field] = FIELDS[field](self._mail)
        return self._values[field]

    def folded(self, field: ConditionField) -> Values:
        """The same, for caseless comparison."""
        if field not in self._folded:
            self._folded[field] = tuple(fold(value) for value in self.values(field))
        return self._folded[field]

    def shown(self, field: ConditionField, chars: int) -> str:
        """The field for a person, cut."""
        return _shown(self.values(field), chars)


@lru_cache(maxsize=64)
def _shown(values: Values, chars: int) -> str:
    text = ", ".join(value[: chars + 1] for value in values[: chars + 1])
    return text if len(text) <= chars else text[: chars - 1] + "…"
