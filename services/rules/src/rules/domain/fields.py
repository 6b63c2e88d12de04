"""What conditions look at: a field's name to the mail's values. A new field is one more entry of `FIELDS`."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from shared.api import Condition, ConditionField
from shared.mail.model import Address, ParsedMail

Values = tuple[str, ...]
"""A field's values, never none: an empty field has one empty value. A condition holds when one of them does."""
NOTHING: Final[Values] = ("",)


class FieldKey(NamedTuple):
    """A field a condition names; of header fields each name is one of its own."""

    field: ConditionField
    header: str = ""
    """Name of the header field, in lower case."""

    @classmethod
    def of(cls, condition: Condition) -> FieldKey:
        """The field a condition looks at."""
        return cls(condition.field, (condition.header or "").lower())

    def __str__(self) -> str:
        return f"{self.field.value}:{self.header}" if self.header else self.field.value


def _addresses(addresses: Sequence[Address]) -> Values:
    """Each address alone and with its display name, as written in a header and without the quotes a header may need."""
    forms = [form for one in addresses for form in (one.address or one.name, str(one), f"{one.name} <{one.address}>" if one.name else "")]
    return _values(forms)


def _values(found: Sequence[str]) -> Values:
    return tuple(dict.fromkeys(value for value in found if value)) or NOTHING


FIELDS: Final[dict[ConditionField, Callable[[ParsedMail], Values]]] = {
    ConditionField.FROM: lambda mail: _addresses([mail.from_] if mail.from_ else []),
    ConditionField.TO: lambda mail: _addresses(mail.to),
    ConditionField.CC: lambda mail: _addresses(mail.cc),
    ConditionField.RECIPIENTS: lambda mail: _addresses([*mail.to, *mail.cc, *(Address(address=one) for one in mail.delivered_to)]),
    ConditionField.SUBJECT: lambda mail: (mail.subject,),
    ConditionField.BODY: lambda mail: (mail.text.strip(),),
    ConditionField.NEW_TEXT: lambda mail: (mail.new_text.strip(),),
    ConditionField.ATTACHMENT_NAME: lambda mail: _values([one.name for one in mail.attachments]),
    ConditionField.ATTACHMENT_SIZE: lambda mail: _values([str(one.size) for one in mail.attachments]),
    ConditionField.KIND: lambda mail: (mail.kind.value,),
    ConditionField.AUTHENTICATION: lambda mail: _values(mail.authentication),
}
"""All but header fields, of which a mail has as many as it likes."""


def fold(text: str) -> str:
    """For caseless comparison: Unicode case folding of the composed form (NFC), so that both spellings of `è` are one."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


class MailView:
    """One mail as the conditions see it: each field is taken and folded once, however many rules ask."""

    def __init__(self, mail: ParsedMail) -> None:
        self._mail = mail
        self._values: dict[FieldKey, Values] = {}
        self._folded: dict[FieldKey, Values] = {}
        self._headers: dict[str, list[str]] | None = None

    @property
    def headers(self) -> dict[str, list[str]]:
        """Name in lower case → every occurrence's value."""
        if self._headers is None:
            self._headers = {}
            for name, value in self._mail.headers:
                self._headers.setdefault(name.lower(), []).append(value)
        return self._headers

    @property
    def taken(self) -> Iterable[FieldKey]:
        """The fields somebody asked for."""
        return self._values.keys()

    def values(self, key: FieldKey) -> Values:
        """As the mail gives them."""
        if key not in self._values:
            header = key.field is ConditionField.HEADER
            self._values[key] = _values(self.headers.get(key.header, ())) if header else FIELDS[key.field](self._mail)
        return self._values[key]

    def folded(self, key: FieldKey) -> Values:
        """The same, for caseless comparison."""
        if key not in self._folded:
            self._folded[key] = tuple(fold(value) for value in self.values(key))
        return self._folded[key]

    def shown(self, key: FieldKey, chars: int) -> str:
        """The field for a person, cut."""
        values = self.values(key)
        text = ", ".join(value[: chars + 1] for value in values[: chars + 1])
        return text if len(text) <= chars else text[: chars - 1] + "…"
