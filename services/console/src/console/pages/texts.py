"""How values are told to people: pure functions, used as template filters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

OUTCOMES: dict[str, tuple[str, str]] = {
    "ticket": ("New ticket", "good"),
    "update": ("Added to ticket", "good"),
    "link": ("Filed with a contact", "good"),
    "archived": ("Archived", "calm"),
    "ignored": ("Ignored by a rule", "calm"),
    "unmatched": ("No rule matched", "warn"),
    "spam": ("Spam", "calm"),
    "released": ("No spam after all", "calm"),
    "receipt": ("Receipt", "calm"),
    "bounce": ("Bounce", "warn"),
    "auto_reply": ("Automatic reply", "calm"),
    "loop": ("Own mail come back", "calm"),
    "duplicate": ("Duplicate", "calm"),
    "skipped": ("Skipped", "calm"),
    "gone": ("Gone from the mailbox", "warn"),
    "failed": ("Failed", "bad"),
    "dropped": ("Given up", "bad"),
}
"""Outcome type: words and tone."""

STATUSES: dict[str, tuple[str, str]] = {
    "open": ("Open", "info"),
    "in_progress": ("In progress", "warn"),
    "waiting": ("Waiting", "calm"),
    "closed": ("Closed", "good"),
}

DELIVERIES: dict[str, tuple[str, str]] = {
    "queued": ("Waiting", "info"),
    "accepted": ("Accepted for sending", "info"),
    "sending": ("Being sent", "info"),
    "sent": ("Sent", "good"),
    "delivered": ("Delivered", "good"),
    "read": ("Read", "good"),
    "delayed": ("Delayed, will be tried again", "warn"),
    "failed": ("Not sent", "bad"),
    "bounced": ("Came back undeliverable", "bad"),
    "cancelled": ("Cancelled", "calm"),
    "too_late": ("Too late to cancel", "warn"),
}

PRIORITIES: dict[str, str] = {"low": "Low", "normal": "Normal", "high": "High", "urgent": "Urgent"}


@dataclass(frozen=True)
class Badge:
    """A word and its tone (a CSS class)."""

    text: str
    tone: str


def badge(value: str, kinds: dict[str, tuple[str, str]]) -> Badge:
    """The value's words; a value nobody knows is shown as it is."""
    text, tone = kinds.get(value, (value.replace("_", " ").capitalize(), "calm"))
    return Badge(text, tone)


def moment(value: Any) -> datetime | None:
    """A time from JSON (RFC 3339), None where there is none."""
    if isinstance(value, str) and value:
        value = datetime.fromisoformat(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else None


def full_time(value: Any) -> str:
    """`23 Nov 2026, 10:39 UTC`; the browser puts its own zone in its place where scripts run."""
    at = moment(value)
    return f"{at.day} {at:%b %Y, %H:%M} UTC" if at else "never"


def ago(value: Any, now: datetime) -> str:
    """Roughly how long ago; beyond a week the day."""
    at = moment(value)
    if at is None:
        return "never"
    past = now - at
    if past < timedelta(minutes=1):
        return "just now" if past > timedelta(minutes=-1) else f"{at.day} {at:%b %Y}"
    told = _span(past)
    return f"{told} ago" if told else f"{at.day} {at:%b %Y}"


def until(value: Any, now: datetime) -> str:
    """Roughly how soon; beyond a week the day, and `now` for what is due."""
    at = moment(value)
    if at is None:
        return "never"
    if at <= now:
        return "now"
    told = _span(at - now)
    return f"in {told}" if told else f"{at.day} {at:%b %Y}"


def _span(span: timedelta) -> str:
    """`40 s`, `3 min`, `5 h`, `2 d`; nothing for more than a week."""
    for below, unit, length in _SPANS:
        if span < below:
            return f"{span // length} {unit}"
    return ""


_SPANS = (
    (timedelta(minutes=1), "s", timedelta(seconds=1)),
    (timedelta(hours=1), "min", timedelta(minutes=1)),
    (timedelta(days=1), "h", timedelta(hours=1)),
    (timedelta(days=7), "d", timedelta(days=1)),
)


def size(value: int | None) -> str:
    """`3.4 KB`; decimal units, as mail programs show them."""
    if value is None:
        return ""
    amount = float(value)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def interval(seconds: int) -> str:
    """`every 60 s`, `every 5 min`."""
    return f"every {seconds // 60} min" if seconds >= 120 and seconds % 60 == 0 else f"every {seconds} s"


def address(value: str | None) -> str:
    """The bare address of `Name <address>`, for people's eyes only."""
    found = re.search(r"<([^<>]+)>\s*$", value or "")
    return found.group(1) if found else value or ""


def display_name(value: str | None) -> str:
    """The name of `Name <address>`; blank where there is none."""
    name, bracket, _ = (value or "").rpartition("<")
    return name.strip().strip('"') if bracket and address(value) != value else ""


def person(value: str | None) -> str:
    """The name of `Name <address>`, else the address."""
    name = re.sub(r"\s*<[^<>]*>\s*$", "", value or "").strip().strip('"')
    return name or address(value)


def actor(value: str) -> str:
    """`user:anna@x` and `token:ci` as people say it."""
    kind, _, name = value.partition(":")
    return {"user": name, "token": f"token “{name}”"}.get(kind, value) if name else value


@dataclass(frozen=True)
class Piece:
    """A part of a mail's text: the author's own words, or what is folded."""

    text: str
    folded: str = ""
    """`quote`, `signature`, or empty for the author's own words."""


def pieces(message: Mapping[str, Any]) -> list[Piece]:
    """A message's text with its `folds` set apart. Nothing is left out but blank lines between the pieces."""
    text, found, done = message["text"], [], 0
    for fold in message["folds"]:
        found += [Piece(text[done : fold["start"]]), Piece(text[fold["start"] : fold["end"]], fold["kind"])]
        done = fold["end"]
    found.append(Piece(text[done:]))
    trimmed = [replace(piece, text=piece.text.strip("\n").rstrip()) for piece in found]
    return [piece for piece in trimmed if piece.text]


def choices(kinds: dict[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """For a select: value and words."""
    return [(value, told[0]) for value, told in kinds.items()]


def priorities(present: str) -> list[tuple[str, str]]:
    """For a select; a priority of another name that the ticket has stays choosable."""
    return list((PRIORITIES | ({present: present} if present not in PRIORITIES else {})).items())


def frame_height(plain: str) -> int:
    """Pixels for a mail's frame, guessed from its plain text: a sandboxed document cannot tell its height."""
    lines = sum(1 + len(line) // 90 for line in plain.splitlines())
    return max(120, min(60 + 24 * lines, 640))


def sender_choices(senders: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """For a select: none, those there are, a new one."""
    listed = [(item["id"], f"{item['name']} ({item['server']})") for item in senders]
    return [("", "None: answers are not mailed"), *listed, ("new", "New …")]


def first_error(errors: dict[str, str], place: str) -> str:
    """What is wrong at a place or below it (`conditions.2.value`), empty where nothing is."""
    return next((told for name, told in errors.items() if name == place or name.startswith(f"{place}.")), "")


def names(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """For a select: ids and names."""
    return [(item["id"], item["name"]) for item in items]
