"""Where an outcome wants its mail: by the scanner's settings, and back again when the mail turns out to be no spam."""

from __future__ import annotations

from dataclasses import dataclass

from fetcher.domain.folder_names import canonical
from shared.events import OutcomeType

RULE_ACTED = frozenset({OutcomeType.TICKET, OutcomeType.UPDATE, OutcomeType.LINK, OutcomeType.ARCHIVED, OutcomeType.IGNORED})
UNSETTLED = frozenset(
    {
        OutcomeType.FAILED,
        OutcomeType.DROPPED,
        OutcomeType.DUPLICATE,
        OutcomeType.SKIPPED,
        OutcomeType.GONE,
        OutcomeType.RELEASED,
    }
)
"""They say nothing, or nothing yet, of what the mail is."""


@dataclass(frozen=True)
class Targets:
    """A scanner's folders for mails that were decided; None: such mails stay where they are."""

    matched: str | None = None
    unmatched: str | None = None
    spam: str | None = None

    def of(self, outcome: OutcomeType) -> str | None:
        """The folder set for an outcome."""
        if outcome in RULE_ACTED:
            return self.matched
        if outcome is OutcomeType.UNMATCHED:
            return self.unmatched
        return self.spam if outcome is OutcomeType.SPAM else None


@dataclass(frozen=True)
class Whereabouts:
    """A mail before its new outcome: folder of its first place, folder it is in now, and the outcome it had."""

    first: str
    now: str
    before: OutcomeType | None


def wanted_folder(outcome: OutcomeType, mail: Whereabouts, targets: Targets) -> str:
    """Folder the mail should be in. What was spam and is none goes back to its first place, where nothing else is set for it."""
    target = targets.of(outcome)
    if target is None:
        was_spam = mail.before is OutcomeType.SPAM or (targets.spam is not None and same_folder(mail.now, targets.spam))
        target = mail.first if was_spam and outcome is not OutcomeType.SPAM and outcome not in UNSETTLED else mail.now
    return canonical(target)


def same_folder(one: str, other: str) -> bool:
    """Whether both names mean one folder."""
    return canonical(one) == canonical(other)
