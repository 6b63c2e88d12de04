"""A ticket's history in plain words: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.pages.texts import STATUSES, actor

Value = str | list[str] | None
Change = Mapping[str, Any]

DONE: dict[str, str] = {
    "created": "opened the ticket",
    "updated": "changed the ticket",
    "commented": "wrote a message",
    "linked": "opened the ticket",
    "spammed": "marked it as spam",
    "restored": "brought it back",
    "deleted": "deleted it",
    "delivery": "told how an answer fared",
}
"""What was done where no field says it better."""


@dataclass(frozen=True)
class Told:
    """An entry of the history: who, and what was done in one sentence each."""

    who: str
    what: list[str]


def tell(entry: Change, status_names: Mapping[str, str], viewer: str = "") -> Told:
    """The entry in words; `viewer` is the actor who reads it."""
    sentences = [_field(change, status_names, entry["actor"]) for change in entry["changes"]]
    return Told(who(entry["actor"], viewer), [one for one in sentences if one] or [_act(entry)])


def who(name: str, viewer: str = "") -> str:
    """Who acted, at the beginning of a sentence."""
    if viewer and name == viewer:
        return "You"
    return {"mail": "A mail", "system": "Mail Converter"}.get(name) or capitalised(actor(name))


def capitalised(name: str) -> str:
    """`the token …` begins with a capital; an address stays as it is."""
    return name if "@" in name else name[:1].upper() + name[1:]


def _act(entry: Change) -> str:
    other, kind = entry["other_ticket_id"], entry["type"]
    if kind == "merged":
        return f"took in #{other}" if other else "merged it"
    if kind == "split":
        return f"made a message a ticket of its own, see #{other}" if other else "split a message off"
    if kind == "linked" and other:
        return f"opened it, pointing at #{other}"
    if kind == "commented" and entry["actor"] == "mail":
        return "came in"
    return DONE.get(kind, f"did something: {kind}")


def _field(change: Change, status_names: Mapping[str, str], by: str) -> str:
    name, before, after = change["field"], change["before"], change["after"]
    if name == "assignee":
        return _given(before, after, by)
    teller = TELLERS.get(name)
    if teller is not None:
        return teller(before, after)
    if name == "status":
        before, after = _status(before, status_names), _status(after, status_names)
    return _changed(NAMES.get(name, name.replace("_", " ")), before, after)


def _status(value: Value, names: Mapping[str, str]) -> Value:
    return names.get(value, STATUSES.get(value, (value, ""))[0]) if isinstance(value, str) else value


def _changed(what: str, before: Value, after: Value) -> str:
    if not before:
        return f"set the {what} to {_plain(after)}"
    if not after:
        return f"took the {what} {_plain(before)} away"
    return f"changed the {what} from {_plain(before)} to {_plain(after)}"


def _plain(value: Value) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _given(before: Value, after: Value, by: str) -> str:
    """Whom the ticket is given to."""
    own = by.partition(":")[2]
    if not after:
        return "gave it back: it is nobody's now" if before == own else f"took it from {before}"
    if after == own:
        return f"took it over from {before}" if before else "took it"
    return f"handed it over from {before} to {after}" if before else f"gave it to {after}"


def _title(before: Value, after: Value) -> str:
    return f"renamed it from “{before or '(no subject)'}” to “{after}”"


def _several(one: str, many: str) -> Callable[[Value, Value], str]:
    def told(before: Value, after: Value) -> str:
        old, new = _listed(before), _listed(after)
        added, gone = [item for item in new if item not in old], [item for item in old if item not in new]
        parts = [("added", added), ("took away", gone)]
        return " and ".join(f"{verb} the {one if len(items) == 1 else many} {', '.join(items)}" for verb, items in parts if items)

    return told


def _listed(value: Value) -> Sequence[str]:
    return value if isinstance(value, list) else [value] if value else []


def _record(before: Value, after: Value) -> str:
    if not after:
        return "took the connected record away"
    return "connected it with another record" if before else "connected it with a record"


def _link(before: Value, after: Value) -> str:
    return f"made it point at #{after}" if after else f"took the link to #{before} away"


def _merged(before: Value, after: Value) -> str:
    return f"made it part of #{after}" if after else f"took it out of #{before}"


def _attention(_: Value, after: Value) -> str:
    return f"flagged it: {after}" if after else "took the warning off"


def _answer(*_: Value) -> str:
    return "took an answer back"


def _automatic(what: str) -> Callable[[Value, Value], str]:
    return lambda _, after: f"{what} {_plain(after)}"


NAMES = {"external_code": "external code"}
TELLERS: dict[str, Callable[[Value, Value], str]] = {
    "title": _title,
    "tags": _several("tag", "tags"),
    "watchers": _several("watcher", "watchers"),
    "contact_id": _record,
    "linked_ticket_id": _link,
    "merged_into": _merged,
    "attention": _attention,
    "answer": _answer,
    "acknowledgement": _automatic("acknowledgement"),
    "notice": _automatic("notice to the assignee"),
}
