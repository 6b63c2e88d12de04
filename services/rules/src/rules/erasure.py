"""The rules service's part of an erasure: what decisions, simulations and examples say of the mails.

Of a mail from the address a decision keeps that it was made, by which version, and the rules that matched; what the rules saw in the mail
goes. In decisions of other people's mails the address is replaced where it was compared. Examples of such mails are removed.
Rules themselves stay: they are the administrators' own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row

from rules.adapters import erasure as stored
from shared.erasure.eraser import Erasing, Step, Stepped
from shared.erasure.messages import messaging_steps
from shared.erasure.person import ERASED, Person
from shared.messaging.outbox import Unit

DECIDED: Final = "Of each mail removed: that it was decided, by which version of the rules, and which rules matched."
RULES: Final = (
    "{} versions of rules name the address in a condition: change the rules in force where you do not need it; old versions stay."
)


async def forget_decisions(unit: Unit, erasing: Erasing, place: int | None) -> Stepped:
    """What the next of the mails said."""
    first = place or 0
    rows = await stored.decisions_of(unit.conn, erasing.mails[first : first + stored.ROWS])
    await stored.put_decisions(unit.conn, [_forgotten(row) for row in rows])
    last = first + stored.ROWS
    return Stepped(last if last < len(erasing.mails) else None, {"decisions": len(rows)}, [DECIDED] if rows else [])


async def clean_decisions(unit: Unit, erasing: Erasing, place: Sequence[Any] | None) -> Stepped:
    """Other people's mails that name the address."""
    rows, last = await stored.decisions_naming(unit.conn, erasing.person, erasing.before, place or ("", 0))
    cleaned = [_cleaned(row, erasing.person) for row in rows if not row.erased]
    await stored.put_decisions(unit.conn, cleaned)
    return Stepped(last, {"decisions_of_others": len(cleaned)})


async def clean_simulations(unit: Unit, erasing: Erasing, place: Sequence[Any] | None) -> Stepped:
    """Simulations under way may still write what they read: they are waited for. Later ones do not find the mails."""
    if place is None and await stored.open_simulations(unit.conn, erasing.begun_at):
        return Stepped(waits=True)
    mails = frozenset(erasing.mails)
    rows, last = await stored.simulated_naming(unit.conn, erasing.person, erasing.mails, place or ("", 0))
    await stored.put_simulated(unit.conn, [_simulated(row, erasing.person, whole=_is_theirs(row, mails, erasing.person)) for row in rows])
    return Stepped(last, {"simulated_mails": len(rows)})


async def remove_examples(unit: Unit, erasing: Erasing, place: str | None) -> Stepped:
    """Examples that are one of the mails, or a pasted mail of the person."""
    mails = frozenset(erasing.mails)
    rows = await stored.examples_naming(unit.conn, erasing.person, erasing.mails, place or "")
    gone = [row.id for row in rows if _is_theirs(row, mails, erasing.person) or erasing.person.named_in(row.subject)]
    await stored.remove_examples(unit.conn, gone)
    return Stepped(rows[-1].id if len(rows) == stored.ROWS else None, {"examples": len(gone)})


async def name_rules(unit: Unit, erasing: Erasing, _: Any) -> Stepped:
    """Rules are not changed, but told of."""
    count = await stored.versions_naming(unit.conn, erasing.person)
    return Stepped(kept=[RULES.format(count)] if count else [])


STEPS: Final[list[Step]] = [forget_decisions, clean_decisions, clean_simulations, remove_examples, name_rules, *messaging_steps()]


def _is_theirs(row: Row[Any], mails: frozenset[str], person: Person) -> bool:
    return row.mail_id in mails or person.wrote(row.sender)


def _forgotten(row: Row[Any]) -> dict[str, Any]:
    return {
        "mail": row.mail_id,
        "number": row.run,
        "new_evidence": None,
        "new_kind_reason": "",
        "new_candidates": [{**one, "key": ""} for one in row.candidates],
        "new_outcome": _without_reason(row.outcome),
        "new_erased": True,
    }


def _cleaned(row: Row[Any], person: Person) -> dict[str, Any]:
    return {
        "mail": row.mail_id,
        "number": row.run,
        "new_evidence": _evidence(row.evidence, person),
        "new_kind_reason": person.without(row.kind_reason),
        "new_candidates": person.without(row.candidates),
        "new_outcome": person.without(row.outcome),
        "new_erased": False,
    }


def _evidence(evidence: dict[str, Any] | None, person: Person) -> Any:
    """A compared value may be a list of addresses with their names."""
    if evidence is None:
        return None
    compared = {name: person.without_name(value) for name, value in evidence.get("compared", {}).items()}
    return person.without({**evidence, "compared": compared})


def _simulated(row: Row[Any], person: Person, *, whole: bool) -> dict[str, Any]:
    return {
        "simulation": row.simulation_id,
        "place": row.position,
        "new_subject": ERASED if whole else person.without(row.subject),
        "new_sender": ERASED if whole else person.without_name(row.sender),
        "new_kind_reason": "" if whole else person.without(row.kind_reason),
        "new_note": person.without(row.note),
        "new_before": _without_reason(row.before) if whole else person.without(row.before),
        "new_after": _without_reason(row.after) if whole else person.without(row.after),
        "new_evidence": None if whole else _evidence(row.evidence, person),
    }


def _without_reason(outcome: dict[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in outcome.items() if name != "reason"} if outcome else outcome
