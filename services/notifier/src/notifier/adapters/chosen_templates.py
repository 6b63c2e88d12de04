"""Which templates the mails of a mailbox are made with: its own, else the one for all."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.tables import TEMPLATES
from notifier.domain.templates import Texts
from shared.api import TemplateKind

_Key = tuple[str | None, TemplateKind]


class ChosenTemplates:
    """Of some mailboxes, as they are now."""

    def __init__(self, known: Mapping[_Key, Texts]) -> None:
        self._known = known

    def of(self, scanner_id: str | None, kind: TemplateKind | None) -> Texts | None:
        """None where nobody made one: the built-in default is used."""
        if kind is None:
            return None
        return self._known.get((scanner_id, kind)) or self._known.get((None, kind))


async def chosen_templates(conn: AsyncConnection, scanner_ids: Collection[str | None]) -> ChosenTemplates:
    """Those that mails of these mailboxes may need."""
    ours = TEMPLATES.c.scanner_id.is_(None) | TEMPLATES.c.scanner_id.in_([one for one in scanner_ids if one])
    rows = await conn.execute(select(TEMPLATES).where(TEMPLATES.c.kind != TemplateKind.CANNED.value, ours))
    return ChosenTemplates({(row.scanner_id, TemplateKind(row.kind)): Texts(row.text, row.html, row.subject) for row in rows})
