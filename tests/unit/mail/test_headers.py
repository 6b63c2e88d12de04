"""Header fields as mailers write them."""

from __future__ import annotations

import pytest

from shared.mail.envelope import conversation_key, envelope
from shared.mail.model import Address, Envelope
from shared.mail.parse import parse
from shared.mail.references import fold_subject


def head(*lines: str, charset: str = "utf-8") -> Envelope:
    return envelope("\r\n".join([*lines, "", "body"]).encode(charset))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),  # padding is missing
        ("=?iso-8859-1?Q?Gr=FC=DFe?= from =?utf-8?q?K=C3=B6ln?=", "Grüße from Köln"),
        ("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?=\r\n =?iso-8859-1?Q?b?=", "ab"),
        ("=?utf-8?B?w6TD?= =?utf-8?B?tg==?=", "äö"),  # a character split between two words
        ("=?utf-8?Q?a b c?=", "a b c"),
        ("=?utf-8?Q?What??=", "What?"),
        ("=?utf-8*de?Q?ja?=", "ja"),
        ("=?gb2312?B?xOO6ww==?=", "你好"),
        ("=?utf-8?Q?Gr=FC=DFe?=", "Gr\ufffd\ufffde"),
        ("=?x-unknown?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?Q?Ciao=0D=0ABcc:_x@y?=", "Ciao Bcc: x@y"),  # no new header field by decoding
        ("=?utf-8?Q?unfinished", "=?utf-8?Q?unfinished"),
        ("Grüße (RFC 6532)", "Grüße (RFC 6532)"),
        ("a\r\n folded\r\n\tsubject", "a folded subject"),
    ],
)
def test_a_subject_is_read_as_meant(written: str, read: str) -> None:
    assert head(f"Subject: {written}").subject == read


def test_raw_8_bit_subjects_use_the_body_charset_then_windows_1252() -> None:
    assert head("Subject: Größe", charset="latin-1").subject == "Größe"
    assert head("Content-Type: text/plain; charset=koi8-r", "Subject: Привет", charset="koi8-r").subject == "Привет"
    assert head("Subject: =?iso-8859-1?Q?Größe_=FC?=", charset="latin-1").subject == "Größe ü"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("anna@example.com", [("", "anna@example.com")]),
        ("Anna <anna@example.com>", [("Anna", "anna@example.com")]),
        ('"Rossi, Anna" <Anna@Example.com>', [("Rossi, Anna", "Anna@Example.com")]),
        ("anna@example.com (Anna Rossi)", [("Anna Rossi", "anna@example.com")]),
        ("=?utf-8?Q?J=C3=BCrgen?= <j@example.com>", [("Jürgen", "j@example.com")]),
        ('"=?utf-8?Q?J=C3=BCrgen?=" <j@example.com>', [("Jürgen", "j@example.com")]),
        ("a@x.example, B <b@x.example>; c@x.example", [("", "a@x.example"), ("B", "b@x.example"), ("", "c@x.example")]),
        ("Team: a@x.example, b@x.example;", [("", "a@x.example"), ("", "b@x.example")]),
        ("undisclosed-recipients:;", []),
        ("<@relay.example:a@x.example>", [("", "a@x.example")]),
        ('"Anna <anna@example.com>, b@example.com', [("Anna", "anna@example.com"), ("", "b@example.com")]),
        ("Anna (at work <anna@example.com>", [("Anna at work", "anna@example.com")]),
        ("A <a@x.example> B <b@x.example>", [("A", "a@x.example"), ("B", "b@x.example")]),
        ("MAILER-DAEMON", [("", "MAILER-DAEMON")]),
        ("=?utf-8?Q?boss=40example.com?= <thief@example.net>", [("boss@example.com", "thief@example.net")]),
        ("=?utf-8?Q?=3Cboss=40example.com=3E?=", [("<boss@example.com>", "")]),  # an encoded word is never an address
        ('"john smith"@example.com', [("", '"john smith"@example.com')]),
        ("'a@example.com' <a@example.com>", [("'a@example.com'", "a@example.com")]),
        ("用户@例子.example", [("", "用户@例子.example")]),
        ("Rossi, Anna <a@x.example>, b@x.example", [("Rossi, Anna", "a@x.example"), ("", "b@x.example")]),
        ("=?utf-8?Q?Rossi,_A?= <a@x.example>", [("Rossi, A", "a@x.example")]),  # a comma within the word
        ("=?utf-8?Q?Boss_<boss=40x.example>?=", [("Boss <boss@x.example>", "")]),
        ("Anna [mailto:a@x.example]", [("Anna", "a@x.example")]),
        ("mailto:a@x.example", [("", "a@x.example")]),
        ("Anna a@x.example>", [("Anna", "a@x.example")]),
        ('"Anna" a@x.example', [("Anna", "a@x.example")]),
        ("<<a@x.example>>.", [("", "a@x.example")]),
        ("a @ x.example", [("", "a@x.example")]),
        ("a@x.example b@x.example", [("", "a@x.example"), ("", "b@x.example")]),
        ("a@[192.0.2.1]", [("", "a@[192.0.2.1]")]),
        ('"a\\"b"@x.example', [("", '"a\\"b"@x.example')]),
        ("Pete(A \\) chap) <pete(his account)@x.example(his host)>", [("Pete", "pete@x.example")]),
        ("(list) Undisclosed(x) : (nobody(y)) ;", []),
        ("", []),
    ],
)
def test_addresses_are_found_in_what_people_write(written: str, read: list[tuple[str, str]]) -> None:
    assert [(a.name, a.address) for a in head(f"To: {written}").to] == read


def test_an_address_is_shown_so_that_its_name_cannot_pass_for_another() -> None:
    assert str(Address(name="Anna", address="a@example.com")) == "Anna <a@example.com>"
    assert str(Address(name='x" <b@example.com>', address="a@example.com")) == '"x\' <b@example.com>" <a@example.com>'
    assert Address(name="", address="Anna@Example.COM").folded == "anna@example.com"


def test_too_many_addresses_are_cut_and_said() -> None:
    mail = head("To: " + ", ".join(f"u{i}@example.com" for i in range(700)))
    assert len(mail.to) == 500
    assert any("500" in defect for defect in mail.defects)


def test_ids_are_found_folded_repeated_and_among_garbage() -> None:
    mail = head(
        "Message-ID: <a@x>", "References: <r1@x>\r\n <r2@x> junk <r1@x>\r\n <bro\r\n ken@x>", "In-Reply-To: Your mail of today <r2@x>"
    )
    assert mail.message_id == "<a@x>"
    assert mail.references == ["<r1@x>", "<r2@x>", "<broken@x>"]
    assert mail.in_reply_to == ["<r2@x>"]


@pytest.mark.parametrize("written", ["<a\0b@x>", "a\0b@x", "a\0b"])
def test_an_id_has_no_control_character_whether_in_brackets_or_not(written: str) -> None:
    assert head(f"Message-ID: {written}").message_id == ("<ab@x>" if "@" in written else "<ab>")


def test_of_too_many_references_the_first_and_the_latest_stay() -> None:
    ids = [f"<{i}@x>" for i in range(300)]
    assert head("References: " + " ".join(ids)).references == [ids[0], *ids[-199:]]


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (["Message-ID: <m@x>", "In-Reply-To: <i@x>", "References: <r@x> <s@x>"], "<r@x>"),
        (["Message-ID: <m@x>", "In-Reply-To: <i@x>"], "<i@x>"),
        (["Message-ID: <m@x>"], "<m@x>"),
        (["Message-ID: no-brackets@x"], "<no-brackets@x>"),
        (["Subject: x"], "mail-1"),
    ],
)
def test_the_conversation_key_is_the_same_from_envelope_and_parse(lines: list[str], key: str) -> None:
    raw = "\r\n".join([*lines, "", "x"]).encode()
    assert conversation_key(envelope(raw), "mail-1") == key
    assert conversation_key(parse(raw), "mail-1") == key


def test_a_long_id_gives_a_short_and_stable_key() -> None:
    mail = head("Message-ID: <" + "a" * 600 + "@x>")
    assert len(conversation_key(mail, "m")) <= 250
    assert conversation_key(mail, "m") == conversation_key(mail, "other")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Mon, 23 Nov 2026 11:00:00 +0100", "2026-11-23T10:00:00+00:00"),
        ("Mon, 23 Nov 2026 11:00:00 -0000", "2026-11-23T11:00:00+00:00"),
        ("23 Nov 26 11:00 GMT", "2026-11-23T11:00:00+00:00"),
        ("Tue, 23 Nov 2026 11:00:00 EST", "2026-11-23T16:00:00+00:00"),  # it was a Monday
        ("23 Nov 2026 11:00:00 CEST", "2026-11-23T09:00:00+00:00"),
        ("23 Nov 2026 11:00:00 Nowhere", "2026-11-23T11:00:00+00:00"),
        ("23 Nov 2026 11:00:60 +0000", "2026-11-23T11:01:00+00:00"),
        ("Mon, 23 Nov 97 11(hour) : 00 : 00 -0330 (NFT)", "1997-11-23T14:30:00+00:00"),
        ("23 Nov 126 11:00:00 GMT", "2026-11-23T11:00:00+00:00"),  # the year 2000 fault
        ("23 Nov 50 11:00:00 GMT", "1950-11-23T11:00:00+00:00"),
        ("Mon Nov 23 11:00:00 2026", "2026-11-23T11:00:00+00:00"),
        ("lun., 23 nov. 2026 11.00.00 GMT+01:00", "2026-11-23T10:00:00+00:00"),
        ("23 Mag 2026 11:00 PM +0200", "2026-05-23T21:00:00+00:00"),
        ("2026-11-23T11:00:00.123+01:00", "2026-11-23T10:00:00+00:00"),
        ("=?utf-8?Q?Mon,_23_Nov_2026_11:00:00_+0100?=", "2026-11-23T10:00:00+00:00"),
        ("Mon, 99 Nov 2026 11:00:00 +0100", None),
        ("yesterday", None),
        ("Mon, 23 Nov 2026 11:00:00 +99999999999999", "2026-11-23T11:00:00+00:00"),
        ("1 Jan 99999999999 00:00:00 +0000", None),
    ],
)
def test_dates_are_utc_or_missing(written: str, read: str | None) -> None:
    mail = head(f"Date: {written}")
    assert (mail.date.isoformat() if mail.date else None) == read
    assert ("date cannot be read" in mail.defects) == (read is None)


@pytest.mark.parametrize(
    "written",
    [
        "Re: Order  7",
        "RE[2]: order 7",
        "AW: WG: Order 7",
        "Fwd: Re: Fw: Order 7",
        "R: I: Rif: Order 7",
        "Antw: SV: Vs: TR: Order 7",
        "Re : order 7",
        "回复：Order 7",
    ],
)
def test_answers_and_forwards_have_the_title_of_the_first(written: str) -> None:
    assert fold_subject(written) == "order 7"


def test_titles_that_only_look_like_prefixes_stay() -> None:
    assert fold_subject("Ride: 7") == "ride: 7"
    assert fold_subject("Re") == "re"
    assert fold_subject("STRASSE") == fold_subject("Straße")


def test_the_envelope_says_the_same_as_the_whole_parse() -> None:
    raw = b"From mbox line\nFrom: =?utf-8?q?J=C3=B6?= <j@x.example>\nTo: a@x, b@x\nDelivered-To: c@x\n"
    raw += b"Subject: Hi\nDate: 1 Jan 2026 00:00:00 +0000\n\nx"
    mail = parse(raw)
    assert envelope(raw) == Envelope(**{name: getattr(mail, name) for name in Envelope.model_fields})
    assert mail.delivered_to == ["c@x"]
    assert mail.model_dump(by_alias=True)["from"] == {"name": "Jö", "address": "j@x.example"}
