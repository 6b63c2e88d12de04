"""What a bounce says: of whom, why, and about which mail. Written after the usual servers' formats, and the corpus where it is there."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from shared.mail.model import DeliveryReport, Kind, RecipientReport
from shared.mail.parse import parse
from tests.kit.bounce_notices import NOTICES, Notice
from tests.kit.corpus import needs_corpus, paths
from tests.kit.machine_mails import ABOUT, GONE, OURS, mail, report

DAEMON: Final = f"From: MAILER-DAEMON@mx.kunde.example\nTo: {OURS}\nReturn-Path: <>\nSubject: Undelivered Mail Returned to Sender"
STATUS: Final = "message/delivery-status"


def bounced(raw: bytes) -> DeliveryReport:
    told = parse(raw)
    assert told.kind == Kind.BOUNCE, told.kind_reason
    assert told.report is not None
    return told.report


def only(raw: bytes) -> RecipientReport:
    (one,) = bounced(raw).recipients
    return one


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: notice.name)
def test_a_notice_in_plain_words_is_read(notice: Notice) -> None:
    found = bounced(notice.raw)
    assert [(one.recipient, one.status, one.smtp_code) for one in found.recipients] == [(GONE, notice.status, notice.smtp_code)]
    assert found.recipients[0].action == ("delayed" if notice.delayed else "failed")
    assert found.temporary == notice.delayed
    assert found.recipients[0].reason
    assert found.message_id == (ABOUT if notice.about else None)


def test_several_recipients_of_a_notice_keep_their_own_reasons() -> None:
    text = (
        f"<{GONE}>:\n550 5.1.1 Unknown user\n\n<b@kunde.example>:\n552 5.2.2 Mailbox full\n\n--- Below this line is a copy of the message."
    )
    found = bounced(mail(DAEMON, text))
    assert [(one.recipient, one.status, one.smtp_code, one.reason) for one in found.recipients] == [
        (GONE, "5.1.1", "550", "550 5.1.1 Unknown user"),
        ("b@kunde.example", "5.2.2", "552", "552 5.2.2 Mailbox full"),
    ]


def test_a_server_that_gave_up_after_delays_did_fail() -> None:
    text = f"Your message to {GONE} has been delayed. We have given up and return it: 451 4.4.1 no answer"
    assert (only(mail(DAEMON, text)).action, bounced(mail(DAEMON, text)).temporary) == ("failed", False)


def test_whose_mail_came_back_is_no_recipient_of_it() -> None:
    text = f"A message sent by\n\n  {OURS}\n\ncould not be delivered to one or more of its recipients:\n\n  {GONE}\n    550 5.1.1 no"
    assert only(mail(DAEMON, text)).recipient == GONE


def test_of_several_codes_the_one_that_says_most_is_taken() -> None:
    assert only(mail(DAEMON, f"<{GONE}>:\n550 5.0.0 refused (5.2.2 mailbox full)")).status == "5.2.2"


FIELDS: Final = f"Reporting-MTA: dns; mx.kunde.example\n\nFinal-Recipient: rfc822; {GONE}\nAction: failed\nStatus: 5.1.1"
REPORTS: Final[dict[str, tuple[str, RecipientReport]]] = {
    "as the standard has it": (
        f"{FIELDS}\nDiagnostic-Code: smtp; 550 5.1.1 <{GONE}>... User\n unknown",
        RecipientReport(recipient=GONE, status="5.1.1", smtp_code="550", reason=f"550 5.1.1 <{GONE}>... User unknown"),
    ),
    "sent on to another address": (
        f"Final-Recipient: rfc822; box7@store.example\nOriginal-Recipient: rfc822;{GONE}\nAction: failed\nStatus: 5.2.2",
        RecipientReport(recipient=GONE, status="5.2.2"),
    ),
    "one block for all": (
        f"Reporting-MTA: dns; mx\nFinal-Recipient: RFC822; <{GONE}>\nAction: FAILED\nStatus: 5.1.1",
        RecipientReport(recipient=GONE, status="5.1.1"),
    ),
    "a status that explains itself": (
        f"Final-Recipient: rfc822;{GONE}\nAction: failed\nStatus: 5.0.0 (over quota)",
        RecipientReport(recipient=GONE, status="5.0.0", reason="over quota"),
    ),
    "a reply code for a status": (
        f"Final-Recipient: rfc822;{GONE}\nAction: failure\nStatus: 553 Too large",
        RecipientReport(recipient=GONE, smtp_code="553", reason="553 Too large"),
    ),
    "a vague status beside an exact one": (
        f"Final-Recipient: rfc822;{GONE}\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 #5.1.0 Rejected",
        RecipientReport(recipient=GONE, status="5.1.0", smtp_code="550", reason="550 #5.1.0 Rejected"),
    ),
    "a delay": (
        f"Final-Recipient: rfc822;{GONE}\nAction: Delayed\nStatus: 4.4.1 (no answer)",
        RecipientReport(recipient=GONE, action="delayed", status="4.4.1", reason="no answer"),
    ),
    "no action, told by the status": (
        f"Final-Recipient: rfc822;{GONE}\nStatus: 4.2.2",
        RecipientReport(recipient=GONE, action="delayed", status="4.2.2"),
    ),
    "an address of no network": (
        f"Final-Recipient: x400; /S=gone/\nX-Actual-Recipient: rfc822; {GONE}\nAction: failed\nStatus: 5.1.1",
        RecipientReport(recipient=GONE, status="5.1.1"),
    ),
    "numbers that are no codes": (
        f"Final-Recipient: rfc822;{GONE}\nAction: failed\nStatus: 5.4.4\nDiagnostic-Code: smtp; connect to 550.4.4.1 port 5.1.1.2: gone",
        RecipientReport(recipient=GONE, status="5.4.4", reason="connect to 550.4.4.1 port 5.1.1.2: gone"),
    ),
    "reasons only in the text": (
        f"Final-Recipient: rfc822;{GONE}\nAction: failed\nStatus: 5.0.0",
        RecipientReport(recipient=GONE, status="5.7.26", smtp_code="550", reason="550 5.7.26 Not authenticated"),
    ),
}


@pytest.mark.parametrize(("machine", "expected"), REPORTS.values(), ids=REPORTS)
def test_a_delivery_status_notification_is_read(machine: str, expected: RecipientReport) -> None:
    text = f"The mail could not be delivered.\n\n{GONE}: 550 5.7.26 Not authenticated"
    assert only(report(DAEMON, text, STATUS, machine)) == expected


def test_the_reporter_and_the_mail_it_is_about_are_named() -> None:
    found = bounced(report(DAEMON, "Failed.", STATUS, FIELDS, original="message/rfc822"))
    assert (found.reporter, found.message_id) == ("mx.kunde.example", ABOUT)


def test_the_mail_it_is_about_may_only_be_named_as_what_is_answered() -> None:
    raw = report(f"{DAEMON}\nIn-Reply-To: {ABOUT}", "Failed.", STATUS, FIELDS, original="text/plain").replace(
        f"Message-ID: {ABOUT}".encode(), b""
    )
    assert bounced(raw).message_id == ABOUT


def test_a_report_that_a_gateway_wrapped_is_read() -> None:
    inner = report(DAEMON, "Failed.", STATUS, FIELDS).decode().replace("\r\n", "\n")
    head = f'{DAEMON}\nContent-Type: multipart/mixed; report-type=delivery-status; boundary="o"'
    raw = mail(head, f"--o\nContent-Type: message/rfc822\n\n{inner}\n--o--")
    assert (only(raw).recipient, bounced(raw).message_id) == (GONE, ABOUT)


def test_a_report_whose_parts_cannot_be_told_apart_is_read_from_its_text() -> None:
    raw = mail(
        f"{DAEMON}\nContent-Type: multipart/report; report-type=delivery-status", f"Failed.\n\n{FIELDS}\n\nMessage-ID: {ABOUT}\nTo: x"
    )
    assert (only(raw).recipient, only(raw).status, bounced(raw).message_id) == (GONE, "5.1.1", ABOUT)


def test_a_report_within_a_list_s_mail_is_a_bounce() -> None:
    wrapped = report("X: y", "Failed.", STATUS, FIELDS).decode().replace("\r\n", "\n")
    head = f'From: gone@kunde.example\nTo: {OURS}\nSubject: x\nList-Id: <l.example>\nContent-Type: multipart/mixed; boundary="o"'
    inner = wrapped[wrapped.index("Content-Type: multipart/report") :]
    assert only(mail(head, f"--o\n{inner}\n--o\nContent-Type: text/plain\n\nfooter\n--o--")).recipient == GONE


PSEUDO: Final = re.compile(r"[45]\.0\.9\d\d")
"""Codes the sisimai suite makes up where a bounce gives none; what the bounce does not say, `status` does not say either."""
EXCEPTIONS: Final[dict[tuple[str, str], str]] = {
    ("sisimai-rb-sisimai__rfc3464-28", "bounce"): "wrong: its only recipient was delivered to (2.1.5), nothing came back; it is a receipt",
    ("sisimai-rb-sisimai__rfc3464-28", "recipients"): "wrong here: two mails of an mbox in one file, the suite counts both",
}
RECIPIENTS: Final = {
    "jstedfast-mimekit__bounce": "netec.test@netecgc.com",
    "jstedfast-mimekit__delivery-status": "newsletter-request@imusic.com",
    "jstedfast-mimekit__delivery-status-no-blank-line": "newsletter-request@imusic.com",
    "mikel-mail__report_422": "fraser@oooooooo.com.au",
    "mikel-mail__report_530": "edwin@zzzzzzz.com",
    "sisimai-rb-sisimai__issue-106-03": "=?utf-8?B?8J+QiA==?=@example.org",
    "sisimai-rb-sisimai__lhost-aol-01": "kijitora@example.jp",
    "sisimai-rb-sisimai__lhost-barracuda-01": "kijitora@example.org",
    "sisimai-rb-sisimai__lhost-biglobe-01": "postmaster@mxr.biglobe.ne.jp",
    "sisimai-rb-sisimai__lhost-courier-01": "kijitora@example.co.jp",
    "sisimai-rb-sisimai__lhost-domino-01": "kijitora@example.jp",
    "sisimai-rb-sisimai__lhost-dragonfly-01": "pseudo-local-part@google.example.com",
    "sisimai-rb-sisimai__lhost-exchange2003-01": "kijitora@example.jp",
    "sisimai-rb-sisimai__lhost-exim-01": "kijitora@example.ed.jp",
    "sisimai-rb-sisimai__lhost-ezweb-01": "this-message-rejected-by-the-domain-filter@ezweb.ne.jp",
    "sisimai-rb-sisimai__lhost-gmail-01": "userunknown@example.jp",
    "sisimai-rb-sisimai__lhost-gmail-03": "kijitora@example.co.jp",
    "sisimai-rb-sisimai__lhost-gmail-05": "shironeko@example.jp",
    "sisimai-rb-sisimai__lhost-gmail-07": "kijitora@example.ed.jp",
    "sisimai-rb-sisimai__lhost-gsuite-01": "kijitora@example.de",
    "sisimai-rb-sisimai__lhost-kddi-01": "kijitora@x0000000000000.dion.ne.jp",
    "sisimai-rb-sisimai__lhost-notes-01": "kijitora@u1.example.co.jp",
    "sisimai-rb-sisimai__lhost-office365-01": "kijitora@example.com",
    "sisimai-rb-sisimai__lhost-postfix-01": "kijitora@example.org",
    "sisimai-rb-sisimai__lhost-qmail-01": "kijitora@example.ne.jp",
    "sisimai-rb-sisimai__lhost-verizon-01": "0000000000@vzwpix.com",
    "sisimai-rb-sisimai__lhost-x4-01": "kijitora@example.com",
    "sisimai-rb-sisimai__lhost-yahoo-01": "kijitora@example.org",
    "sisimai-rb-sisimai__rfc3464-06": "kijitora@example.net",
    "webklex-php-imap__example_bounce": "ding@ding.de",
}
"""Read by hand where the suites do not say whom the mail did not reach."""


def misses(raw: bytes, expected: dict[str, Any]) -> set[str]:
    """The fields of an expectation that do not hold."""
    told = parse(raw)
    found = told.report or DeliveryReport()
    statuses = [one.status for one in found.recipients]
    checks: dict[str, bool] = {
        "bounce": (told.kind == Kind.BOUNCE) == expected.get("bounce"),
        "auto": (told.kind != Kind.MAIL) == expected.get("auto"),
        "status": expected.get("status") in statuses or (bool(PSEUDO.match(expected.get("status", ""))) and not any(statuses)),
        "smtp": [one.smtp_code for one in found.recipients][:1] == [expected.get("smtp")],
        "recipients": len(found.recipients) == expected.get("recipients"),
        "failed_recipients": [one.recipient for one in found.recipients] == expected.get("failed_recipients"),
        "temporary": found.temporary == expected.get("temporary"),
    }
    return {name for name, holds in checks.items() if name in expected and not holds}


def expectations(folder: str) -> dict[str, tuple[bytes, dict[str, Any]]]:
    return {
        path.stem: (path.read_bytes(), json.loads(path.with_suffix(".expected.json").read_text("utf-8")).get("class", {}))
        for path in paths(folder)
    }


@needs_corpus
def test_the_bounces_of_the_corpus_are_read_as_their_suites_expect() -> None:
    found = {(name, key) for folder in ("bounce", "autoreply") for name, case in expectations(folder).items() for key in misses(*case)}
    assert found == set(EXCEPTIONS), "a new miss, or an exception that is none any more: take it off the table"


@needs_corpus
@pytest.mark.parametrize("name", RECIPIENTS)
def test_the_failed_recipient_is_found(name: str) -> None:
    (path,) = [one for one in paths("bounce") if one.stem == name]
    assert [one.recipient for one in bounced(path.read_bytes()).recipients] == [RECIPIENTS[name]]


NO_ID: Final = {
    "pypi-flufl-bounce__postfix_01", "pypi-flufl-bounce__simple_21", "pypi-flufl-bounce__simple_33", "pypi-flufl-bounce__simple_41",
    "pypi-flufl-bounce__smtp32_01", "pypi-flufl-bounce__yahoo_01", "sisimai-rb-sisimai__lhost-courier-01",
    "sisimai-rb-sisimai__lhost-domino-01", "sisimai-rb-sisimai__lhost-exchange2003-01", "sisimai-rb-sisimai__lhost-postfix-01",
    "sisimai-rb-sisimai__lhost-verizon-01",
}  # fmt: skip
"""Where the mail that came back, or its id, is not in the bounce."""


@needs_corpus
def test_the_mail_a_bounce_is_about_is_named_wherever_the_bounce_has_its_id() -> None:
    bounces = {path.stem: told.report for path in paths("bounce") if (told := parse(path.read_bytes())).kind == Kind.BOUNCE}
    assert {name for name, found in bounces.items() if found is not None and found.message_id is None} == NO_ID
