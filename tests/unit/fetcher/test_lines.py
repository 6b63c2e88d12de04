from __future__ import annotations

from datetime import UTC, datetime

from fetcher.domain.lines import MAX_FETCH_FAILURES, Origin, describe, unfetched
from fetcher.domain.mails import Box, Fetched, Listed, Treatment

BOX = Box("s1", 1, "INBOX", 7)
ORIGIN = Origin("help@company.example", pec=False, mark_read=True, max_bytes=1000)
RAW = (
    b"From: Paul <paul@customer.example>\r\nTo: help@company.example\r\nSubject: Hello\r\n"
    b"Message-ID: <a@x>\r\nReferences: <root@x> <b@x>\r\n\r\nHi\r\n"
)


def fetched(data: bytes, treatment: Treatment = Treatment.TAKE, size: int = 0) -> Fetched:
    return Fetched(Listed(5, size, datetime(2026, 11, 23, tzinfo=UTC), treatment), data)


def test_the_id_is_a_function_of_the_place_alone() -> None:
    assert BOX.mail_id(5) == Box("s1", 1, "INBOX", 7).mail_id(5)
    others = [Box("s2", 1, "INBOX", 7), Box("s1", 2, "INBOX", 7), Box("s1", 1, "Other", 7), Box("s1", 1, "INBOX", 8)]
    assert len({BOX.mail_id(5), BOX.mail_id(6), *(box.mail_id(5) for box in others)}) == 6


def test_size_and_digest_are_of_the_bytes_not_of_what_the_server_said() -> None:
    line = describe(BOX, fetched(RAW, size=1), ORIGIN)
    assert (line["state"], line["size"], len(line["sha256"])) == ("seen", len(RAW), 64)
    assert (line["sender"], line["subject"], line["message_id"]) == ("Paul <paul@customer.example>", "Hello", "<a@x>")
    assert line["conversation"] == "<root@x>"


def test_a_mail_larger_than_the_server_said_is_too_large_all_the_same() -> None:
    line = describe(BOX, fetched(RAW + b"x" * 1000, size=1), ORIGIN)
    assert (line["state"], line["outcome_type"]) == ("done", "failed")
    assert line["outcome_reason"].startswith("too_large")


def test_any_bytes_make_a_line() -> None:
    for data in (b"", b"\x00\xff\xfe", b"\r\n\r\n", b"Subject: a\x00b\r\n\r\n", b"Subject: " + b"x" * 900):
        line = describe(BOX, fetched(data), ORIGIN)
        assert "\x00" not in "".join(str(value) for value in line.values())
        assert line["conversation"]


def test_a_uid_that_cannot_be_fetched_fails_at_the_fifth_try() -> None:
    assert unfetched(BOX, 5, MAX_FETCH_FAILURES - 1, "broken")["state"] == "seen"
    assert unfetched(BOX, 5, MAX_FETCH_FAILURES, "broken")["outcome_type"] == "failed"
