"""Postgres' texts take no NUL."""

from __future__ import annotations

from typing import Any

from shared.events import TicketCommand


def storable(command: TicketCommand) -> TicketCommand:
    """The command with U+FFFD in place of NUL, character for character."""
    return TicketCommand.model_validate(without_nul(command.model_dump(by_alias=True)))


def without_nul(value: Any) -> Any:
    """A value of texts, lists and dictionaries whose texts have U+FFFD in place of NUL."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(name): without_nul(item) for name, item in value.items()}
    return value
