"""The kind of a mail, told before any rule is asked. Recognisers are tried in order; the first that knows wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.mail.kinds.automatic import BESIDE_FIELDS, auto_reply, automatic, feedback, mailing_list, unanswerable
from shared.mail.kinds.bounces import FAILED_RECIPIENTS, REPORT_TYPES, notice, receipt_or_bounce
from shared.mail.kinds.marks import AUTO_REPLIES, MARK_FIELDS, marked
from shared.mail.kinds.out_of_office import is_fixed
from shared.mail.kinds.pec import PEC_FIELDS, certified
from shared.mail.kinds.signs import SUSPICIOUS, Signs, answers, subject_of
from shared.mail.kinds.told import Told
from shared.mail.mark import OWN_HEADER
from shared.mail.model import Kind
from shared.mail.parts import Structure

_MAIL: Final = Told()
_FIELDS: Final = MARK_FIELDS | BESIDE_FIELDS | PEC_FIELDS | {OWN_HEADER.lower(), FAILED_RECIPIENTS.lower()}
_LOOKED_INTO: Final = ("From", "Return-Path", "Delivered-To", "X-Mailer")
"""Fields most mails have: not that they are there tells anything, but what is in them."""


def _own(signs: Signs) -> Told | None:
    """Another installation's mails bear the mark too: what says that it is an automatic reply is one, whoever sent it."""
    if not signs.fields.first(OWN_HEADER) or marked(signs.fields, AUTO_REPLIES) is not None:
        return None
    return Told(Kind.OWN, f"it carries our own field {OWN_HEADER}")


_RECOGNISERS: Final[tuple[Callable[[Signs], Told | None], ...]] = (
    receipt_or_bounce,
    feedback,
    notice,
    auto_reply,
    automatic,
    mailing_list,
    unanswerable,
)


def tell(structure: Structure, text: str, *, pec: bool) -> Told:
    """The kind of the mail with that structure and text. `pec`: its mailbox is known to be PEC, whose fields then can be believed."""
    if _ordinary(structure):
        return _MAIL
    signs = Signs(structure, text)
    recognisers = (_own, certified, *_RECOGNISERS) if pec else (_own, *_RECOGNISERS)
    return next((told for recognise in recognisers if (told := recognise(signs)) is not None), _MAIL)


def _ordinary(structure: Structure) -> bool:
    """Nothing that any recogniser goes by is there. Asked of every mail, so only of a few values."""
    fields = structure.root.fields
    if not _FIELDS.isdisjoint(fields.names):
        return False
    written = " ".join([fields.first(name) for name in _LOOKED_INTO]).lower()
    for word in SUSPICIOUS:  # a generator would cost more than the search
        if word in written:
            return False
    for part in structure.parts:
        if part.type in REPORT_TYPES:
            return False
    return "report-type" not in structure.root.params and not (answers(fields) and is_fixed(subject_of(fields)))
