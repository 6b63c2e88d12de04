from __future__ import annotations

import pytest

from fetcher.domain.moves import Targets, Whereabouts, same_folder, wanted_folder
from shared.events import OutcomeType

ALL = Targets("Done", "Look", "Junk")
NONE = Targets()
T = OutcomeType


def wanted(
    outcome: OutcomeType, targets: Targets = ALL, *, first: str = "INBOX", now: str = "INBOX", before: OutcomeType | None = None
) -> str:
    return wanted_folder(outcome, Whereabouts(first, now, before), targets)


@pytest.mark.parametrize("outcome", [T.TICKET, T.UPDATE, T.LINK, T.ARCHIVED, T.IGNORED])
def test_a_mail_on_which_a_rule_acted_is_wanted_where_such_mails_go(outcome: OutcomeType) -> None:
    assert wanted(outcome) == "Done"
    assert wanted(outcome, NONE) == "INBOX"


def test_a_mail_on_which_none_acted_and_spam_have_folders_of_their_own() -> None:
    assert (wanted(T.UNMATCHED), wanted(T.SPAM)) == ("Look", "Junk")
    assert (wanted(T.UNMATCHED, NONE), wanted(T.SPAM, NONE)) == ("INBOX", "INBOX")


@pytest.mark.parametrize("outcome", sorted(set(T) - {T.TICKET, T.UPDATE, T.LINK, T.ARCHIVED, T.IGNORED, T.UNMATCHED, T.SPAM}))
def test_every_other_outcome_leaves_the_mail_where_it_is(outcome: OutcomeType) -> None:
    assert wanted(outcome) == "INBOX"
    assert wanted(outcome, now="Done", before=T.TICKET) == "Done"


def test_a_mail_that_is_no_spam_after_all_goes_where_it_would_have_gone() -> None:
    assert wanted(T.TICKET, now="Junk", before=T.SPAM) == "Done"
    assert wanted(T.UNMATCHED, now="Junk", before=T.SPAM) == "Look"


@pytest.mark.parametrize("outcome", [T.TICKET, T.UNMATCHED, T.RECEIPT])
def test_else_it_goes_back_to_its_first_place(outcome: OutcomeType) -> None:
    assert wanted(outcome, Targets(spam="Junk"), first="Orders", now="Junk", before=T.SPAM) == "Orders"
    assert wanted(outcome, Targets(), first="Orders", now="Junk", before=T.SPAM) == "Orders", "also when the setting is gone meanwhile"
    assert wanted(outcome, Targets(spam="Junk"), first="Orders", now="Junk", before=T.FAILED) == "Orders", "also with a failure between"


def test_a_failure_does_not_yet_say_that_it_is_no_spam() -> None:
    assert wanted(T.FAILED, Targets(spam="Junk"), now="Junk", before=T.SPAM) == "Junk"


def test_a_mail_that_arrived_in_the_spam_folder_stays_there_when_nothing_else_is_set() -> None:
    assert wanted(T.TICKET, Targets(spam="Junk"), first="Junk", now="Junk") == "Junk"


def test_inbox_has_no_case() -> None:
    assert wanted(T.TICKET, Targets(matched="inbox")) == "INBOX"
    assert same_folder("Inbox", "INBOX")
    assert not same_folder("junk", "Junk")
