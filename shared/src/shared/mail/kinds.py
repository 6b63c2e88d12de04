"""The kind of a mail, told before any rule is asked. Recognisers are tried in order; the first that knows wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.mail.fields import Fields
from shared.mail.mark import OWN_HEADER
from shared.mail.model import DeliveryReport, Kind
from shared.mail.parts import Structure


@dataclass(frozen=True, slots=True)
class Told:
    """The kind, what told it in plain words, and, of a bounce or a receipt, what it reports."""

    kind: Kind = Kind.MAIL
    reason: str = ""
    report: DeliveryReport | None = None


def _own(fields: Fields) -> Told | None:
    return Told(Kind.OWN, f"it carries our own field {OWN_HEADER}") if fields.first(OWN_HEADER) else None


_RECOGNISERS: Final[tuple[Callable[[Fields], Told | None], ...]] = (_own,)


def tell(structure: Structure, text: str, *, pec: bool) -> Told:
    """The kind of the mail with that structure and text. `pec`: its mailbox is known to be PEC, whose fields then can be believed."""
    del text, pec
    fields = structure.root.fields
    return next((told for recognise in _RECOGNISERS if (told := recognise(fields)) is not None), Told())
