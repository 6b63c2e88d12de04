"""A person's mail is not taken for a machine's, whatever words are in it: generated ones, and the corpus where it is there."""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest

from shared.mail.model import Kind
from shared.mail.parse import parse
from tests.kit.corpus import needs_corpus, paths
from tests.kit.machine_mails import ABOUT, GONE, OURS, mail

SUBJECTS: Final = (
    "Undeliverable",
    "Undeliverable: my parcel",
    "Mail delivery failed",
    "Mail delivery failed: returning message to sender",
    "Re: Mail delivery failed: returning message to sender",
    "Fwd: Undelivered Mail Returned to Sender",
    "AW: Unzustellbar: Rechnung",
    "failure notice of the printer",
    "Returned mail and other letters",
    "Delivery status of my order?",
    "Delivery Status Notification (Failure), what is it?",
    "Warning: message from the fire alarm",
    "User unknown in your address book",
    "Out of office",
    "Out of office: who takes over?",
    "Abwesend am Montag",
    "Urlaub im August",
    "Re: Automatic reply: printer",
    "Automatic reply does not work",
    "Autoreply switched off?",
    "Rif: Risposta automatica: stampante",
    "ACCETTAZIONE: ordine 12",
    "POSTA CERTIFICATA: domanda",
    "Read: chapter 3",
    "Postmaster needed",
)
_NOTICE: Final = (
    "This is the mail system at host mx.kunde.example.",
    "I'm sorry to have to inform you that your message could not",
    "be delivered to one or more recipients.",
    f"<{GONE}>: host mx.kunde.example[192.0.2.9] said: 550 5.1.1 User unknown",
    f"Message-ID: {ABOUT}",
)
BODIES: Final = (
    "Good morning,\nmy printer is broken.\nAnna",
    "What does this mean?\n\n" + "\n".join(f"> {line}" for line in _NOTICE),
    "Please look at it.\n\n---------- Forwarded message ---------\nFrom: MAILER-DAEMON@mx.kunde.example\n" + "\n".join(_NOTICE),
    "I am out of the office until Monday, is that a problem?\nMy mails come back as undeliverable: 550 5.1.1",
)
FIELDS: Final = (
    "",
    "In-Reply-To: <7@desk.example>\nReferences: <7@desk.example>",
    "X-MS-Exchange-Inbox-Rules-Loop: anna@kunde.example\nX-Auto-Response-Suppress: DR, OOF",
    "Auto-Submitted: no\nX-Priority: 1\nReply-To: anna@kunde.example\nDisposition-Notification-To: anna@kunde.example",
)
SENDERS: Final = ("Anna Rossi <anna@kunde.example>", '"Rossi, Anna (IT)" <reply.anna@kunde.example>', "deliveryboy@kunde.example")


def test_no_person_s_mail_is_taken_for_a_machine_s() -> None:
    mails = list(product(SUBJECTS, BODIES, FIELDS, SENDERS))
    assert len(mails) >= 300
    wrong = {
        (subject, fields, told.kind, told.kind_reason)
        for subject, body, fields, sender in mails
        if (told := parse(mail(f"Return-Path: <anna@kunde.example>\nFrom: {sender}\nTo: {OURS}\nSubject: {subject}\n{fields}", body))).kind
        != Kind.MAIL
    }
    assert wrong == set()


@pytest.mark.parametrize("sender", ["Postmaster of Kunde <anna@kunde.example>", "postmaster@kunde.example"])
def test_who_is_called_postmaster_is_read_too(sender: str) -> None:
    answered = [subject for subject in SUBJECTS if subject.partition(":")[0] in {"Re", "Fwd", "AW", "Rif"}]
    mails = [mail(f"From: {sender}\nTo: {OURS}\nSubject: {subject}", body) for subject, body in product(answered, BODIES)]
    assert {parse(raw).kind for raw in mails} == {Kind.MAIL}


MACHINES: Final = {
    "apache-james-mime4j__badbound": (Kind.BOUNCE, "a postmaster's program sends a mail back"),
    "python-cpython__msg_05": (Kind.BOUNCE, "its type says that it is a delivery report"),
    "webklex-php-imap__issue-382": (Kind.AUTOMATIC, "from MAILER-DAEMON; asked of the rules all the same"),
}
"""Of the two folders what is no person's mail."""


@needs_corpus
def test_no_person_s_mail_of_the_corpus_is_kept_from_the_rules() -> None:
    kinds = {path.stem: parse(path.read_bytes()).kind for folder in ("mime", "reply") for path in paths(folder)}
    assert {name: kind for name, kind in kinds.items() if kind not in {Kind.MAIL, Kind.LIST}} == {
        name: kind for name, (kind, _) in MACHINES.items()
    }
