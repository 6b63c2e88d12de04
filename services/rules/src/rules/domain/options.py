"""Which options an action of each type has. What a saved rule holds is what happens: an option nobody would carry out is refused. Pure."""

from __future__ import annotations

from typing import Final, get_args

from shared.api import TicketStatus
from shared.events import Action, ActionType

_TICKET: Final = frozenset({"status", "priority", "category", "assignee", "tags"})
OPTIONS: Final[dict[ActionType, frozenset[str]]] = {
    ActionType.CREATE_TICKET: _TICKET | {"acknowledge"},
    ActionType.UPDATE_TICKET: _TICKET | {"lookup", "create_when_missing", "participants_only", "reopen_days"},
    ActionType.LINK_SENDER: frozenset({"record", "create_lead"}),
    ActionType.LINK_RECIPIENT: frozenset({"record", "create_lead"}),
    ActionType.ARCHIVE: frozenset(),
    ActionType.IGNORE: frozenset(),
}
STATUSES: Final = get_args(TicketStatus)


def refused_options(action: Action) -> dict[str, str]:
    """Option → why it is refused. An option with its default value is as good as left out."""
    reasons = {name: _refusal(action, name) for name in _set_options(action)}
    return {name: reason for name, reason in reasons.items() if reason}


def without_refused(action: Action) -> Action:
    """As it is carried out: rules saved before options were checked may hold some that never were."""
    return action.model_copy(update={name: Action.model_fields[name].default for name in refused_options(action)})


def _set_options(action: Action) -> list[str]:
    fields = Action.model_fields
    return [name for name in fields if name != "type" and getattr(action, name) != fields[name].default]


def _refusal(action: Action, name: str) -> str:
    value = getattr(action, name)
    if name not in OPTIONS[action.type]:
        return f"{action.type.value} has no option {name}; leave the field out"
    if name == "status" and value not in STATUSES:
        return f"must be one of {', '.join(STATUSES)}"
    return "must not be blank; leave it out" if _is_blank(value) else ""


def _is_blank(value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(text, str) and not text.strip() for text in texts)
