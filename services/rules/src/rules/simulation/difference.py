"""What a simulation says of a mail against what happened to it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from shared.api import ResultSide, SimulationTotal
from shared.events import OutcomeType

Change = Literal["none", "rule", "outcome", "new", "failed"]
CHANGES: Final = get_args(Change)
CHANGED: Final = frozenset({"rule", "outcome", "new"})

BEFORE_RULES: Final = frozenset({OutcomeType.DUPLICATE, OutcomeType.SKIPPED, OutcomeType.GONE})
"""Settled when the mailbox was read: no rule was asked, and none can change it."""


def change(before: ResultSide | None, after: ResultSide | None) -> Change:
    """How the results differ.

    The same result is the same outcome, and for an update the same ticket. A ticket that was opened and one that would be are the
    same whatever their numbers. Where the result is the same, another rule counts; a result no rule gave (spam, loop, a kind of mail)
    names none on either side.
    """
    if after is None:
        return "failed"
    if before is None:
        return "new"
    if before.outcome in BEFORE_RULES:
        return "none"
    if before.outcome is not after.outcome or (after.outcome is OutcomeType.UPDATE and before.ticket_id != after.ticket_id):
        return "outcome"
    return "none" if before.rule_id == after.rule_id else "rule"


Way = tuple[OutcomeType | None, OutcomeType | None, Change]


@dataclass
class Tally:
    """How many mails went which way, and would go which way."""

    ways: Counter[Way] = field(default_factory=Counter)

    def add(self, before: ResultSide | None, after: ResultSide | None, how: Change) -> None:
        """One more mail."""
        self.ways[_outcome(before), _outcome(after), how] += 1

    @property
    def changed(self) -> int:
        """Mails that would change."""
        return sum(count for (_, _, how), count in self.ways.items() if how in CHANGED)

    def totals(self) -> list[SimulationTotal]:
        """Largest first."""
        return [
            SimulationTotal(before=before, after=after, change=how, count=count) for (before, after, how), count in self.ways.most_common()
        ]


def _outcome(side: ResultSide | None) -> OutcomeType | None:
    return None if side is None else side.outcome
