"""No machine's mail is taken for a person's: formats of the usual vendors, and the corpus where it is there."""

from __future__ import annotations

from typing import Final

import pytest

from shared.mail.model import Kind
from shared.mail.parse import parse
from tests.kit.bounce_notices import NOTICES
from tests.kit.corpus import needs_corpus, paths
from tests.kit.machine_mails import AUTOMATIC, LISTS, OURS, REPLIES, mail

AWAY: Final = "I am away until Monday. Please write to my colleague Bruno."


@pytest.mark.parametrize("name", REPLIES)
def test_an_automatic_reply_is_told(name: str) -> None:
    subject, fields = REPLIES[name]
    told = parse(mail(f"From: anna@kunde.example\nTo: {OURS}\nSubject: {subject}\n{fields}", AWAY))
    assert told.kind == Kind.AUTO_REPLY
    assert told.kind_reason


@pytest.mark.parametrize("name", AUTOMATIC)
def test_a_machine_s_own_mail_is_told(name: str) -> None:
    assert parse(mail(f"{AUTOMATIC[name]}\nTo: {OURS}", "See above.")).kind == Kind.AUTOMATIC


@pytest.mark.parametrize("name", LISTS)
def test_a_list_s_mail_is_told(name: str) -> None:
    assert parse(mail(f"{LISTS[name]}\nTo: {OURS}", "Good morning")).kind == Kind.LIST


def test_the_table_is_large_enough_to_say_something() -> None:
    assert len(NOTICES) + len(REPLIES) + len(AUTOMATIC) + len(LISTS) >= 80


@pytest.mark.parametrize(("subject", "fields"), REPLIES.values(), ids=REPLIES)
def test_the_answer_of_a_person_to_an_automatic_reply_is_a_person_s(subject: str, fields: str) -> None:
    del fields  # what marked the automatic reply is not in the answer to it
    answer = (
        f"From: Bruno <bruno@kunde.example>\nTo: {OURS}\nReturn-Path: <bruno@kunde.example>\nSubject: Re: {subject}\nIn-Reply-To: <x@y>"
    )
    assert parse(mail(answer, f"Anna is away, I do it.\n\n> {AWAY}")).kind == Kind.MAIL


NOT_MACHINES: Final = {"sisimai-rb-sisimai__is-not-bounce-01": "the suite itself says that it is an ordinary mail"}


@needs_corpus
def test_no_automatic_mail_of_the_corpus_is_taken_for_a_person_s() -> None:
    taken = {path.stem for folder in ("bounce", "autoreply") for path in paths(folder) if parse(path.read_bytes()).kind == Kind.MAIL}
    assert taken == set(NOT_MACHINES)


@needs_corpus
def test_certified_mail_of_the_corpus_is_told_in_a_mailbox_known_to_be_pec() -> None:
    assert {parse(path.read_bytes(), pec=True).kind for path in paths("pec")} == {Kind.PEC_RECEIPT}
