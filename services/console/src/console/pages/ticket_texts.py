"""How a ticket is told to people: statuses by the desk's names, belonging, what a message is. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any

from markupsafe import Markup, escape

from console.pages.texts import STATUSES, Badge, actor, address, moment, person

NUMBER = re.compile(r"(?<![&\w])#(\d{1,18})\b")
PREVIEW_CHARS = 120
LOUD_FROM = 2
"""Priorities this far above the lowest are shown in a list."""

KINDS = {
    "mail": "Mail",
    "comment": "Comment",
    "note": "Internal note",
    "reply": "Answer",
}
MODES = {
    "info": "Answer",
    "personal": "Answer by mail",
    "acknowledgement": "Automatic acknowledgement",
    "notice": "Notice to the assignee",
}
REPORTS: dict[str, tuple[str, str]] = {
    "bounce": ("Came back", "bad"),
    "delayed": ("Delayed", "warn"),
    "delivered": ("Delivery receipt", "good"),
    "read": ("Read receipt", "good"),
    "auto_reply": ("Automatic reply", "calm"),
}
"""A mail that came back about an answer: words and tone."""
TAKEN_BACK = frozenset({"info", "personal"})
"""Modes of mails that operators wrote: the machine's own are not taken back."""
DETAILED = frozenset({"failed", "bounced", "delayed", "cancelled", "too_late"})
"""States whose reason somebody wants to read."""


def status_badge(status: str, names: Mapping[str, str]) -> Badge:
    """The status by the desk's name for it."""
    told, tone = STATUSES.get(status, (status, "calm"))
    return Badge(names.get(status, told), tone)


def status_choices(names: Mapping[str, str]) -> list[tuple[str, str]]:
    """For a select, in the order of a ticket's life."""
    return [(status, names.get(status, told)) for status, (told, _) in STATUSES.items()]


def with_present(known: Sequence[str], present: str | None) -> list[str]:
    """The desk's names, and the one that is there though it is none of them."""
    return [*known, *([present] if present and present not in known else [])]


def is_loud(priority: str, priorities: Sequence[str]) -> bool:
    """True for the upper priorities of the desk, those above its second."""
    return priority in priorities[LOUD_FROM:]


def capital(word: str) -> str:
    """The desk's word at the beginning of a phrase."""
    return word[:1].upper() + word[1:]


def colleague(email: str, colleagues: Sequence[tuple[str, str]]) -> str:
    """The name of whoever has the address, else the address."""
    return dict(colleagues).get(email) or email


def kind(message: Mapping[str, Any]) -> str:
    """What the message is, in a word or two; a comment that was mailed is an answer."""
    if message["mode"]:
        return MODES[message["mode"]]
    mailed = message["kind"] == "comment" and (message["deliveries"] or message["delivery"])
    return "Answer" if mailed else KINDS[message["kind"]]


def cancellable(message: Mapping[str, Any], sent: Mapping[str, Any] | None, undoable: Mapping[str, Any] | None) -> bool:
    """Whether the message waits to leave, so that it can be cancelled; the one that can be undone has a bar of its own."""
    waits = sent is not None and sent["state"] in {"queued", "delayed"} and message["delivery"] != "cancelled"
    return waits and message["mode"] in TAKEN_BACK and (undoable is None or undoable["id"] != message["id"])


def author(message: Mapping[str, Any]) -> str:
    """Who wrote it."""
    return "Mail Converter" if message["sender"] == "system" else person(actor(message["sender"]))


def names(actors: Sequence[str], colleagues: Sequence[tuple[str, str]]) -> str:
    """Who they are: `Bea, Carl and Dora`."""
    told = [colleague(actor(one), colleagues) for one in actors]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def seconds_left(until: Any, now: datetime) -> int:
    """Whole seconds until then, never less than 0."""
    at = moment(until)
    return max(0, ceil((at - now).total_seconds())) if at else 0


def side(message: Mapping[str, Any]) -> str:
    """`customer`, `ours` or `note`: what a message looks like."""
    if message["kind"] == "note":
        return "note"
    return "customer" if message["direction"] == "in" else "ours"


def preview(text: str) -> str:
    """The text's beginning on one line, for a message that is folded."""
    line = " ".join(text[: PREVIEW_CHARS * 4].split())
    return line if len(line) <= PREVIEW_CHARS else f"{line[:PREVIEW_CHARS].rstrip()} …"


def linked(text: str) -> Markup:
    """The text with `#12` as a link to that ticket."""
    return Markup(NUMBER.sub(r'<a href="/tickets/\1">#\1</a>', str(escape(text))))  # noqa: S704 -- escaped before


def belongs(ticket: Mapping[str, Any], other: Mapping[str, Any] | None, history: Sequence[Mapping[str, Any]]) -> str:
    """Why a ticket points at another one, in words; empty where it does not."""
    number = ticket["linked_ticket_id"]
    if number is None:
        return ""
    if any(entry["type"] == "split" and entry["other_ticket_id"] == number for entry in history):
        return f"Made of a message of #{number}."
    if other is not None and ticket["sender"] and not _takes_part(ticket["sender"], other):
        return f"Opened because {person(ticket['sender'])} takes no part in #{number}."
    return f"Continues #{number}."


def _takes_part(sender: str, other: Mapping[str, Any]) -> bool:
    known = {address(one).lower() for one in [other["sender"], *other["watchers"], *other["recipients"]] if one}
    return address(sender).lower() in known


def taken_in(history: Sequence[Mapping[str, Any]]) -> list[int]:
    """Numbers of the tickets that became part of this one, as the history knows."""
    entries = [entry for entry in history if entry["type"] == "merged" and not _moved_away(entry)]
    return sorted({entry["other_ticket_id"] for entry in entries if entry["other_ticket_id"]})


def merged_since(history: Sequence[Mapping[str, Any]]) -> str | None:
    """When this ticket became part of another one."""
    return next((entry["at"] for entry in history if entry["type"] == "merged" and _moved_away(entry)), None)


def _moved_away(entry: Mapping[str, Any]) -> bool:
    return any(change["field"] == "merged_into" for change in entry["changes"])
