"""What the list of tickets shows, as it stands in the address of the page: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData, QueryParams

from console.pages.ticket_texts import capital, with_present

SINGLE = ("q", "scanner_id", "contact_id", "assignee", "priority", "category", "tag", "source")
MORE = ("scanner_id", "contact_id", "assignee", "priority", "category", "tag", "source")
"""Fields below “More filters”."""
STATUSES = ("open", "in_progress", "waiting", "closed")
MAX_VALUE = 500

Filter = dict[str, Any]

STANDING: tuple[tuple[str, Filter], ...] = (
    ("All", {}),
    ("Not closed", {"status": ["open", "in_progress", "waiting"]}),
    ("Mine", {"assignee": "me", "status": ["open", "in_progress", "waiting"]}),
    ("Nobody's", {"assignee": "nobody", "status": ["open", "in_progress", "waiting"]}),
    ("To look at", {"attention": "true"}),
)
"""Views everybody has."""


def read_filter(given: QueryParams | FormData) -> Filter:
    """What restricts, by the names of `TicketFilter`; a status nobody knows and blank values do not."""
    found: Filter = {}
    for name in SINGLE:
        value = str(given.get(name) or "").replace("\x00", "").strip()[:MAX_VALUE]
        if value:
            found[name] = value
    if str(given.get("attention") or "").lower() == "true":
        found["attention"] = "true"
    asked = {str(value) for value in given.getlist("status")}
    statuses = [status for status in STATUSES if status in asked]
    return {**found, "status": statuses} if statuses else found


def saved(view: Mapping[str, Any]) -> Filter:
    """A saved view's filter, without what does not restrict."""
    return {name: "true" if value is True else value for name, value in view["filter"].items() if value}


def query(wanted: Filter, **more: str) -> str:
    """The filter as a query string; a status that is chosen with others occurs once for each."""
    return urlencode({**wanted, **{name: value for name, value in more.items() if value}}, doseq=True)


def refined(wanted: Filter) -> int:
    """How many of the filters below “More filters” are set."""
    return sum(name in wanted for name in MORE)


def offered(names: Sequence[str], present: str) -> list[tuple[str, str]]:
    """For a select: all, each of the desk's names, and the one asked for though it is none of them."""
    return [("", "All"), *((name, capital(name)) for name in with_present(names, present))]


def assignees(colleagues: Sequence[tuple[str, str]], present: str) -> list[tuple[str, str]]:
    """For a select: everybody, me, nobody, and each colleague."""
    known = [("", "Everybody"), ("me", "Me"), ("nobody", "Nobody"), *colleagues]
    return known if any(value == present for value, _ in known) else [*known, (present, present)]
