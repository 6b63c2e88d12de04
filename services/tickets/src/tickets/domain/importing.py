"""What an import does with a line, given what is stored. A dry run and the import itself decide by this alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tickets.domain.csv_file import Line
from tickets.domain.keys import record_key
from tickets.domain.registry import MAX_ADDRESSES, name_key


@dataclass(frozen=True)
class Known:
    """A stored record, as far as a line can change it."""

    id: str
    name: str
    addresses: tuple[str, ...]
    fields: Mapping[str, str | None]
    account_id: str | None = None


@dataclass
class Stored:
    """What of the registry the lines of a step touch."""

    owners: Mapping[str, str] = field(default_factory=dict)
    """Ids of the records of the sort by address (`record_key`)."""
    records: Mapping[str, Known] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    """Ids by folded name."""
    spoken_of: dict[str, int] = field(default_factory=dict)
    """Stored records by the line that spoke of them."""


@dataclass(frozen=True)
class Decision:
    """What becomes of a line. Of an update, `values` and `addresses` are what is new."""

    line: Line
    result: Literal["created", "updated", "unchanged", "refused"]
    record_id: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    account: str = ""
    """Name of the account to belong to, where it does not yet."""
    problem: str = ""


def decide(line: Line, stored: Stored) -> Decision:
    """Remembers in `stored` that the line spoke of its record."""
    if line.problem:
        return _refused(line, line.problem)
    owned = {address: stored.owners[key] for address in line.addresses if (key := record_key(address)) in stored.owners}
    ids = list(dict.fromkeys(owned.values()))
    if not ids:
        return _created(line)
    if len(ids) > 1:
        told = " and ".join(f"{address} to “{stored.records[owner].name}”" for address, owner in list(owned.items())[:3])
        return _refused(line, f"Its addresses are of several records: {told}. Merge these first, or take an address out.")
    if (before := stored.spoken_of.get(ids[0])) is not None:
        return _refused(line, f"Line {before} speaks of the same record, “{stored.records[ids[0]].name}”: put both lines into one.")
    stored.spoken_of[ids[0]] = line.line
    return _updated(line, stored.records[ids[0]], stored)


def _refused(line: Line, problem: str) -> Decision:
    return Decision(line, "refused", problem=problem)


def _created(line: Line) -> Decision:
    if not line.name:
        return _refused(line, "It has no name: give one.")
    return Decision(line, "created", None, line.fields, tuple(line.addresses), line.account)


def _updated(line: Line, known: Known, stored: Stored) -> Decision:
    given: dict[str, Any] = {**line.fields, **({"name": line.name} if line.name else {})}
    present: dict[str, Any] = {**known.fields, "name": known.name}
    values = {name: value for name, value in given.items() if value != (present[name] or "")}
    have = {record_key(address) for address in known.addresses}
    addresses = tuple(address for address in line.addresses if record_key(address) not in have)
    if len(known.addresses) + len(addresses) > MAX_ADDRESSES:
        return _refused(line, f"“{known.name}” would have more than {MAX_ADDRESSES} addresses: take some out.")
    account = line.account if line.account and stored.accounts.get(name_key(line.account), "") != known.account_id else ""
    changed = bool(values or addresses or account)
    return Decision(line, "updated" if changed else "unchanged", known.id, values, addresses, account)
