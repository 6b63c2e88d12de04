"""One ticket's page, as it is shown at first and again with what somebody typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from fastapi import Response

from console.pages.desk import Item, ticket_values
from console.pages.page import Page
from console.pages.ticket_box import Box, box_values
from console.pages.ticket_form import Values, shown_values


@dataclass(frozen=True)
class Typed:
    """What somebody typed and is not stored yet."""

    changes: Values = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    news: Sequence[Item] = ()
    """What others did meanwhile."""
    box: Box | None = None
    """The answer or note."""
    key: str = ""
    told: str = ""
    """Why the answer or note was not taken."""


async def show_ticket(page: Page, number: int, typed: Typed | None = None, *, code: int = 200, all_messages: bool = False) -> Response:
    """The whole page."""
    typed = typed or Typed()
    values = await ticket_values(page, number, all_messages=all_messages)
    was = shown_values(values["ticket"])
    seen = max((entry["id"] for entry in values["history"]), default=0)
    own: dict[str, Any] = {"typed": typed, "was": was, "form": was | typed.changes, "seen": seen, "errors": typed.errors}
    box = await box_values(page, values, typed.box)
    return page.render("tickets/ticket.html", code=code, **values, **own, **box, key=typed.key or str(uuid4()))
