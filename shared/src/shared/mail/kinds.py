"""The kind of a mail, told from its header fields before any rule is asked. Recognisers are tried in order; the first that knows wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.mail.fields import Fields
from shared.mail.model import Kind

OWN_HEADER: Final = "X-Mail-Converter-Id"
"""Private field of every mail we send: one that comes back with it is ours (loops, copies to ourselves)."""


def _own(fields: Fields) -> Kind | None:
    return Kind.OWN if fields.first(OWN_HEADER) else None


_RECOGNISERS: Final[tuple[Callable[[Fields], Kind | None], ...]] = (_own,)


def kind_of(fields: Fields) -> Kind:
    return next((kind for recognise in _RECOGNISERS if (kind := recognise(fields)) is not None), Kind.MAIL)
