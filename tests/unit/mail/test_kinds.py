"""The kind of a mail, and the order in which the recognisers know it."""

from __future__ import annotations

import time
import timeit
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.kinds.tell import tell
from shared.mail.mark import OWN_HEADER
from shared.mail.model import Kind
from shared.mail.parse import parse
from shared.mail.parts import Structure
from tests.kit.machine_mails import ABOUT, GONE, OURS, mail, report

PERSON: Final = f"From: Anna <anna@kunde.example>\nTo: {OURS}\nReturn-Path: <anna@kunde.example>"
DAEMON: Final = f"From: MAILER-DAEMON@mx.kunde.example\nTo: {OURS}\nReturn-Path: <>\nSubject: Undelivered Mail Returned to Sender"
FAILED: Final = f"Reporting-MTA: dns; mx.kunde.example\n\nFinal-Recipient: rfc822; {GONE}\nAction: failed\nStatus: 5.1.1"
DELIVERED: Final = FAILED.replace("failed", "delivered").replace("5.1.1", "2.0.0")
READ: Final = (
    f"Reporting-UA: kunde.example; Mail 1.0\nFinal-Recipient: rfc822; {GONE}\nOriginal-Message-ID: {ABOUT}\n"
    "Disposition: manual-action/MDN-sent-manually; displayed"
)
STATUS: Final = "message/delivery-status"
NOTIFICATION: Final = "message/disposition-notification"


def kind(raw: bytes, *, pec: bool = False) -> Kind:
    return parse(raw, pec=pec).kind


def test_an_ordinary_mail_is_a_mail_and_needs_no_reason() -> None:
    told = parse(mail(f"{PERSON}\nSubject: Printer", "It does not print."))
    assert (told.kind, told.kind_reason, told.report) == (Kind.MAIL, "", None)


def test_our_own_mark_goes_before_everything_else() -> None:
    raw = report(f"{DAEMON}\n{OWN_HEADER}: 7", "Failed.", STATUS, FAILED)
    certified = mail(f"{PERSON}\nSubject: x\nX-Trasporto: posta-certificata\n{OWN_HEADER}: 7", "Text")
    assert kind(raw) == kind(raw, pec=True) == kind(certified, pec=True) == Kind.OWN


def test_our_own_mark_in_the_mail_that_came_back_makes_no_own_mail() -> None:
    raw = report(DAEMON, "Failed.", STATUS, FAILED).replace(b"Subject: Your printer", f"{OWN_HEADER}: 7".encode())
    assert kind(raw) == Kind.BOUNCE


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("X-Trasporto: posta-certificata", Kind.PEC),
        ("X-TRASPORTO:  Posta-Certificata", Kind.PEC),
        ("X-Trasporto: errore", Kind.PEC_ANOMALY),
        ("X-Ricevuta: accettazione", Kind.PEC_RECEIPT),
        ("x-ricevuta: Avvenuta-Consegna\nX-TipoRicevuta: breve", Kind.PEC_RECEIPT),
        ("X-Ricevuta: something-new", Kind.PEC_RECEIPT),
        ("X-Trasporto: posta-certificata\nX-Ricevuta: accettazione", Kind.PEC),
        ("X-Riferimento-Message-ID: <a@b>", Kind.MAIL),
        ("X-Trasporto: other", Kind.MAIL),
    ],
)
def test_families_of_certified_mail_are_told_only_in_a_mailbox_known_to_be_pec(fields: str, expected: Kind) -> None:
    raw = mail(f"From: posta-certificata@gestore.example\nTo: {OURS}\nSubject: A mail\n{fields}", "Text")
    assert (kind(raw, pec=True), kind(raw)) == (expected, Kind.MAIL)


@pytest.mark.parametrize("subject", ["POSTA CERTIFICATA: x", "ACCETTAZIONE: x", "CONSEGNA: x", "ANOMALIA MESSAGGIO: x"])
def test_subject_words_make_no_certified_mail(subject: str) -> None:
    assert kind(mail(f"{PERSON}\nSubject: {subject}", "Text"), pec=True) == Kind.MAIL


def test_the_ordinary_recognisers_go_on_where_the_fields_of_certified_mail_prove_nothing() -> None:
    raw = report(f"{DAEMON}\nX-Ricevuta: accettazione", "Failed.", STATUS, FAILED)
    assert (kind(raw), kind(raw, pec=True)) == (Kind.BOUNCE, Kind.PEC_RECEIPT)


def test_fields_of_certified_mail_in_an_attached_mail_tell_nothing() -> None:
    inner = "--b\nContent-Type: message/rfc822\n\nX-Ricevuta: accettazione\nSubject: x\n\ny\n--b--"
    raw = mail(f'{PERSON}\nSubject: x\nContent-Type: multipart/mixed; boundary="b"', inner)
    assert kind(raw, pec=True) == Kind.MAIL


def test_a_report_of_delivered_recipients_is_a_receipt_and_says_of_whom() -> None:
    told = parse(report(DAEMON.replace("Undelivered", "Delivered"), "Done.", STATUS, DELIVERED))
    assert told.kind == Kind.RECEIPT
    assert told.report is not None
    assert [(one.recipient, one.action) for one in told.report.recipients] == [(GONE, "delivered")]
    assert told.report.message_id == ABOUT


@pytest.mark.parametrize("action", ["relayed", "expanded", "delivered"])
def test_whatever_got_through_is_a_receipt(action: str) -> None:
    assert kind(report(DAEMON, "Done.", STATUS, DELIVERED.replace("delivered", action))) == Kind.RECEIPT


def test_one_failed_recipient_among_delivered_ones_makes_a_bounce() -> None:
    told = parse(report(DAEMON, "See below.", STATUS, f"{DELIVERED}\n\nFinal-Recipient: rfc822; b@kunde.example\nAction: failed"))
    assert told.kind == Kind.BOUNCE
    assert told.report is not None
    assert [one.action for one in told.report.recipients] == ["delivered", "failed"]


@pytest.mark.parametrize(("kind_of", "action"), [("displayed", "displayed"), ("deleted", "deleted"), ("dispatched", "relayed")])
def test_a_read_receipt_says_what_became_of_which_mail(kind_of: str, action: str) -> None:
    told = parse(report(f"{PERSON}\nSubject: Read: printer", "It was read.", NOTIFICATION, READ.replace("displayed", kind_of)))
    assert told.kind == Kind.RECEIPT
    assert told.report is not None
    assert [(one.recipient, one.action) for one in told.report.recipients] == [(GONE, action)]
    assert (told.report.message_id, told.report.reporter) == (ABOUT, "kunde.example; Mail 1.0")


def test_an_abuse_report_is_a_machine_s_mail_of_its_own() -> None:
    raw = report("From: fbl@provider.example\nSubject: complaint", "A complaint.", "message/feedback-report", "Feedback-Type: abuse")
    assert kind(raw) == Kind.AUTOMATIC


def test_somebody_s_mail_with_a_bounce_attached_is_somebody_s_mail() -> None:
    bounce = report(DAEMON, "Failed.", STATUS, FAILED).decode().replace("\r\n", "\n")
    body = f"--o\nContent-Type: text/plain\n\nWhat is this?\n--o\nContent-Type: message/rfc822\n\n{bounce}\n--o--"
    raw = mail(f'{PERSON}\nSubject: Fwd: Undelivered Mail Returned to Sender\nContent-Type: multipart/mixed; boundary="o"', body)
    assert kind(raw) == Kind.MAIL


def test_somebody_s_mail_with_the_parts_of_a_bounce_is_somebody_s_mail() -> None:
    body = f"--o\nContent-Type: text/plain\n\nWhat is this?\n--o\nContent-Type: {STATUS}\n\n{FAILED}\n--o--"
    raw = mail(f'{PERSON}\nSubject: Undelivered Mail Returned to Sender\nContent-Type: multipart/mixed; boundary="o"', body)
    assert kind(raw) == Kind.MAIL


def test_a_person_at_the_postmaster_s_desk_writes_mails_like_anybody() -> None:
    quote = "> This is the mail system at host mx.\n> could not be delivered to\n> <gone@kunde.example>: 550 5.1.1 unknown"
    desk = f"From: postmaster@kunde.example\nTo: {OURS}\nReturn-Path: <postmaster@kunde.example>"
    assert kind(mail(f"{desk}\nSubject: Your ticket", "Hello, I need help.")) == Kind.MAIL
    assert kind(mail(f"{desk}\nSubject: Undeliverable invoices", "Two letters came back by post.")) == Kind.MAIL
    assert kind(mail(f"{desk}\nSubject: Re: Mail delivery failed\nIn-Reply-To: {ABOUT}", f"I mended it.\n\n{quote}")) == Kind.MAIL
    assert kind(mail(f"{desk}\nSubject: Question", f"Do you know this?\n\n{quote}")) == Kind.MAIL


def test_a_program_s_news_with_a_null_return_path_are_no_bounce() -> None:
    raw = mail(f"From: shop@shop.example\nTo: {OURS}\nReturn-Path: <>\nSubject: Your order is delayed", "It comes on Friday.")
    assert kind(raw) == Kind.AUTOMATIC


def test_a_shop_that_passes_on_what_somebody_wrote_into_its_form_is_asked_for_him() -> None:
    raw = mail(f"From: no-reply@shop.example\nReply-To: anna@kunde.example\nTo: {OURS}\nSubject: Request", "My printer is broken.")
    assert kind(raw) == Kind.MAIL


def test_a_leave_request_from_a_program_goes_to_the_rules() -> None:
    raw = mail(f"From: hr@kunde.example\nTo: {OURS}\nSubject: Urlaubsantrag von Anna\nAuto-Submitted: auto-generated", "Please approve.")
    assert kind(raw) == Kind.AUTOMATIC


def test_fields_that_only_ask_others_to_be_silent_tell_nothing() -> None:
    assert kind(mail(f"{PERSON}\nSubject: Printer\nX-Auto-Response-Suppress: All\nAuto-Submitted: no", "Broken.")) == Kind.MAIL


def test_a_way_out_of_a_list_alone_makes_no_list() -> None:
    assert kind(mail(f"{PERSON}\nSubject: Offer\nList-Unsubscribe: <mailto:out@kunde.example>", "As promised.")) == Kind.MAIL


def test_a_person_s_mail_through_a_list_stays_a_list_s() -> None:
    fields = f"{PERSON}\nSubject: [users] Undeliverable mail\nList-Id: <users.lists.example>\nPrecedence: list\nIn-Reply-To: {ABOUT}"
    assert kind(mail(fields, "> could not be delivered to\n\nHow do I get rid of it?")) == Kind.LIST


def test_a_reason_can_be_read_by_people() -> None:
    assert parse(mail(f"{PERSON}\nSubject: Re: x\nAuto-Submitted: auto-replied", "Away")).kind_reason == (
        "Auto-Submitted: auto-replied (RFC 3834)"
    )
    assert parse(report(DAEMON, "Failed.", STATUS, FAILED)).kind_reason == "a delivery status notification (RFC 3464): failed"


TRICKY: Final = st.sampled_from(
    [
        "From: MAILER-DAEMON@x", "From: <>", "From: postmaster@x", "Return-Path: <>", "Subject: failure notice", "Subject: Out of office:",
        "X-Failed-Recipients: a@b, <c@d>", "Auto-Submitted: auto-replied", "X-Ricevuta: x", "In-Reply-To: <a@b>", "List-Id: x",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"', "Content-Type: message/delivery-status", "--b",
        "Content-Type: message/rfc822", "", "<a@b>:", "a@b", "Final-Recipient: rfc822; a@b", "Action: failed", "Status: 5.1.1 (", "--b--",
        "Message-ID: <m@x>", "Disposition: ;", "Authentication-Results: x; dkim=pass (", "---- original message ----", "@", "<<<>>>",
        "550 5.1.1 no", "\u00e9\ud83d",
    ]
)  # fmt: skip


@given(st.lists(st.one_of(TRICKY, st.text(max_size=40)), max_size=40), st.booleans())
def test_nothing_makes_it_fail(lines: list[str], pec: bool) -> None:
    raw = "\n".join(lines).encode("utf-8", "surrogatepass")
    told = tell(Structure(raw), raw.decode("utf-8", "replace"), pec=pec)
    assert told.kind in Kind
    assert told.report is None or len(told.report.recipients) <= 100


@pytest.mark.parametrize(
    "line",
    ["a@b.example\n", "<a@b.example>:\n", "<", "@", "a" * 997 + "\n", "a@", "to " * 300 + "a@b\n", "550 ", "5.1.1 ", "(" * 500 + "\n",
     "Final-Recipient: rfc822; a@b\n", "Action: failed\n\n", " " * 900 + "\n", "Message-ID: <", "x:", '"', "=?utf-8?q?a?= "],
)  # fmt: skip
@pytest.mark.parametrize("typed", ["text/plain", 'multipart/report; report-type=delivery-status; boundary="b"'])
def test_a_giant_bounce_is_told_in_a_moment(line: str, typed: str) -> None:
    body = (line * (1024 * 1024 // len(line) + 1))[: 1024 * 1024]
    parts = f"--b\nContent-Type: message/delivery-status\n\n{body}\n--b--" if "multipart" in typed else body
    structure = Structure(mail(f"{DAEMON}\nX-Failed-Recipients: {GONE}\nContent-Type: {typed}", parts))
    began = time.process_time()
    told = tell(structure, body, pec=False)
    assert time.process_time() - began < 1
    assert told.kind == Kind.BOUNCE
    assert told.report is not None
    assert len(told.report.recipients) <= 100
    assert all(len(one.reason) <= 500 for one in told.report.recipients)


def test_an_ordinary_mail_costs_next_to_nothing() -> None:
    fields = "\n".join(f"Received: from mx{number}.kunde.example by mx; Mon, 23 Nov 2026 10:00:00 +0100" for number in range(5))
    raw = mail(f"{fields}\n{PERSON}\nSubject: Re: Printer\nIn-Reply-To: {ABOUT}\nReferences: {ABOUT}", "It does not print.\n" * 100)
    structure = Structure(raw)
    told = min(timeit.repeat(lambda: tell(structure, "text", pec=False), number=100, repeat=50))
    split = min(timeit.repeat(lambda: Structure(raw), number=100, repeat=50))
    assert told < split / 2  # as measured, a fifth: 3.5 of 18 microseconds


def test_only_the_first_hundred_recipients_are_reported() -> None:
    groups = "\n\n".join(f"Final-Recipient: rfc822; r{number}@kunde.example\nAction: failed" for number in range(300))
    told = parse(report(DAEMON, "Failed.", STATUS, groups))
    assert told.report is not None
    assert len(told.report.recipients) == 100


@pytest.mark.parametrize("field", ["In-Reply-To", "References"])
def test_a_programs_words_and_either_field_of_an_answer_make_an_automatic_reply(field: str) -> None:
    assert kind(mail(f"{PERSON}\nSubject: Automatic reply: Printer\n{field}: <7@desk.example>", "I am away.")) == Kind.AUTO_REPLY
    assert kind(mail(f"{PERSON}\nSubject: Printer\n{field}: <7@desk.example>", "It does not print.")) == Kind.MAIL
