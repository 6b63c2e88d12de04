"""Files that are no MIME parts, invitations, and parts that are named by what they are."""

from __future__ import annotations

import binascii
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mail.limits import MAX_FILES_WITHIN
from shared.mail.model import ParsedMail
from shared.mail.parse import ENCRYPTED, SIGNED_WHOLE, parse
from shared.mail.parts import open_part
from shared.mail.tnef import SIGNATURE, read_tnef
from shared.mail.uuencode import take_out

MIB = 1024 * 1024


def attribute(tag: int, data: bytes, level: int = 2) -> bytes:
    return struct.pack("<BHHI", level, tag, 6, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def prop(tag: int, kind: int, value: bytes) -> bytes:
    return struct.pack("<HHII", kind, tag, 1, len(value)) + value + bytes(-len(value) % 4)


def properties(*found: bytes) -> bytes:
    return struct.pack("<I", len(found)) + b"".join(found)


def winmail(*attributes: bytes) -> bytes:
    return SIGNATURE + b"\x01\x00" + attribute(0x9007, struct.pack("<II", 1251, 0), 1) + b"".join(attributes)


NAMED = struct.pack("<HH16sII", 0x1F, 0x8001, b"g" * 16, 1, 6) + "abc".encode("utf-16-le") + bytes(2)
NUMBER = struct.pack("<HHI", 3, 0x26, 0)
TEXT = prop(0x1000, 0x1F, "Grüße".encode("utf-16-le"))
PICTURE = [
    prop(0x3707, 0x1F, "picture of März.png\0".encode("utf-16-le")),
    prop(0x370E, 0x1E, b"image/png\0"),
    prop(0x3712, 0x1E, b"<c@x>\0"),
]
MESSAGE = [prop(0x3001, 0x1E, b"The first mail\0"), prop(0x3701, 0x0D, bytes(16) + SIGNATURE + b"inner")]
FILES = [
    attribute(0x9003, properties(NUMBER, NAMED + struct.pack("<II", 1, 2) + b"x\0\0\0", TEXT), 1),
    attribute(0x9002, bytes(14)),
    attribute(0x8010, "отчёт.txt\0".encode("cp1251")),
    attribute(0x800F, b"first"),
    attribute(0x9002, bytes(14)),
    attribute(0x8010, b"PICTUR~1.PNG\0"),
    attribute(0x800F, b"second"),
    attribute(0x9005, properties(*PICTURE)),
    attribute(0x9002, bytes(14)),
    attribute(0x9005, properties(*MESSAGE)),
]


def attached(media: str, data: bytes, text: str = "") -> bytes:
    coded = binascii.b2a_base64(data).decode()
    return (
        f"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{text}\r\n--b\r\n"
        f"Content-Type: {media}\r\nContent-Transfer-Encoding: base64\r\n\r\n{coded}\r\n--b--\r\n"
    ).encode()


def listed(mail: ParsedMail) -> list[tuple[str, str, str, int]]:
    return [(a.part, a.name, a.type, a.size) for a in mail.attachments]


def test_the_files_of_a_winmail_dat_are_attachments_that_open() -> None:
    raw = attached("application/ms-tnef", winmail(*FILES), "See the files.")
    mail = parse(raw)
    assert listed(mail)[1:] == [
        ("2.1", "отчёт.txt", "application/octet-stream", 5),
        ("2.2", "picture of März.png", "image/png", 6),
        ("2.3", "The first mail", "application/ms-tnef", 9),
    ]
    assert mail.attachments[0].name == "winmail.dat"
    assert mail.attachments[2].content_id == "c@x"
    assert (mail.text, mail.defects) == ("See the files.", [])
    assert open_part(raw, "2.1")[1] == b"first"
    assert open_part(raw, "2.2") == (mail.attachments[2], b"second")
    for unknown in ("2.4", "2.0", "2.x", "2.1.1", "1.1"):
        with pytest.raises(KeyError):
            open_part(raw, unknown)


def test_a_winmail_dat_speaks_for_a_mail_without_text() -> None:
    assert parse(attached("application/ms-tnef", winmail(*FILES))).text == "Grüße"


def test_a_damaged_winmail_dat_gives_what_can_be_read_and_says_so() -> None:
    mail = parse(attached("application/ms-tnef", winmail(*FILES)[:-30]))
    assert [name for _, name, _, _ in listed(mail)][:3] == ["winmail.dat", "отчёт.txt", "picture of März.png"]
    assert any("winmail.dat is damaged" in defect for defect in mail.defects)


def test_a_media_type_within_a_winmail_dat_starts_no_header_field() -> None:
    evil = attribute(0x9005, properties(prop(0x370E, 0x1E, b"text/html\r\nX: y\0")))
    assert parse(attached("application/ms-tnef", winmail(FILES[1], evil))).attachments[1].type == "application/octet-stream"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=6), st.integers(0, 600))
def test_a_winmail_dat_may_lie_about_every_length(faults: list[tuple[int, int]], end: int) -> None:
    data = bytearray(winmail(*FILES))
    for at, byte in faults:
        data[at % len(data)] = byte
    found = read_tnef(bytes(data[:end]))
    assert sum(len(file.content) for file in found.files) <= len(data)
    parse(attached("application/ms-tnef", bytes(data)))


@pytest.mark.parametrize(
    "data",
    [
        winmail() + attribute(0x9002, b"") * (MIB // 11),
        winmail() + attribute(0x9003, struct.pack("<I", 0xFFFFFFFF) + prop(0x1000, 0x1E, b"") * (MIB // 12)),
        winmail() + attribute(0x9003, struct.pack("<IHHI", 1, 0x101E, 0x1000, 0xFFFFFFFF) + bytes(MIB)),
    ],
    ids=["files without end", "properties without end", "values without end"],
)
def test_a_winmail_dat_of_nothing_but_claims_costs_little(data: bytes) -> None:
    began = time.process_time()
    found = read_tnef(data)
    assert time.process_time() - began < 1
    assert len(found.files) <= MAX_FILES_WITHIN


def uuencoded(name: str, data: bytes, last: str = "`\n") -> str:
    lines = "".join(binascii.b2a_uu(data[at : at + 45], backtick=True).decode() for at in range(0, len(data), 45))
    return f"begin 644 {name}\n{lines}{last}end\n"


def test_uuencoded_files_leave_the_text_and_open() -> None:
    files = {"logo für uns.png": bytes(range(256)), "empty.txt": b"", "b.bin": b"b" * 100}
    text = "Hello,\n" + uuencoded("logo für uns.png", files["logo für uns.png"]) + "and\n"
    text += uuencoded("empty.txt", b"") + uuencoded("b.bin", files["b.bin"], last="") + "bye\n"
    raw = ("From: a@example.com\n\n" + text).encode()
    mail = parse(raw)
    assert mail.text == "Hello,\nand\nbye"
    assert [(a.part, a.name) for a in mail.attachments] == [("1.1", "logo für uns.png"), ("1.2", "empty.txt"), ("1.3", "b.bin")]
    assert [open_part(raw, a.part)[1] for a in mail.attachments] == list(files.values())


@pytest.mark.parametrize(
    "text", ["begin 644 x\n#86)C\n", "begin 644 x\nno such line\nend\n", "begin 7 x\nend", "we begin 644 x\nend", "begin 644 \nend"]
)
def test_what_only_looks_uuencoded_stays_text(text: str) -> None:
    mail = parse(b"From: a@example.com\n\n" + text.encode())
    assert (mail.text, mail.attachments) == (text.strip("\n"), [])


@pytest.mark.parametrize("text", [b"begin 644 x\n" * 80_000, b"begin 644 x\n" + b"#86)C\n" * 170_000, b"begin 644 x\nend\n" * 60_000])
def test_begins_without_end_cost_little(text: bytes) -> None:
    began = time.process_time()
    assert len(take_out(text)[1]) <= MAX_FILES_WITHIN
    assert time.process_time() - began < 1


ENTRY = [
    "BEGIN:VCALENDAR", "METHOD:REQUEST", "BEGIN:VTIMEZONE", "TZID:Europe/Rome", "END:VTIMEZONE", "BEGIN:VEVENT",
    'ORGANIZER;CN="Rossi, Anna";ROLE=CHAIR:mailto:anna@example.com', "DTSTART;TZID=Europe/Rome:20261123T100000", "DTEND:20261123T100000Z",
    "SUMMARY:Lamp\\, bro", " ken\\nagain", "LOCATION;LANGUAGE=de:Büro 7", "BEGIN:VALARM", "SUMMARY:alarm", "END:VALARM", "END:VEVENT",
    "END:VCALENDAR",
]  # fmt: skip
INVITATION = "\r\n".join(ENTRY)


def test_an_invitation_without_text_is_told_in_words_and_attached() -> None:
    mail = parse(attached("text/calendar; charset=utf-8; method=REQUEST", INVITATION.encode()))
    assert mail.text == (
        "Invitation: Lamp, broken again\nStart: 2026-11-23 10:00 Europe/Rome\nEnd: 2026-11-23 10:00 UTC\n"
        "Place: Büro 7\nOrganiser: Rossi, Anna <anna@example.com>"
    )
    assert listed(mail)[0][:3] == ("2", "invitation.ics", "text/calendar")
    assert parse(attached("text/calendar", INVITATION.encode(), "Please come.")).text == "Please come."
    assert parse(attached("text/calendar", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR")).text == ""


def test_a_cancelled_event_of_a_whole_day() -> None:
    text = b"BEGIN:VCALENDAR\nMETHOD:CANCEL\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261123\nEND:VEVENT\nEND:VCALENDAR"
    assert parse(attached("text/calendar", text)).text == "Cancelled: (no title)\nStart: 2026-11-23"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*ENTRY, ";", '"', ":", "DTSTART", "\\"]), max_size=30), st.sampled_from(["\n", "\r\n", ""]))
def test_any_calendar_is_read(lines: list[str], between: str) -> None:
    parse(attached("text/calendar", between.join(lines).encode()))


@pytest.mark.parametrize(
    ("media", "name", "defects"),
    [
        ("application/pkcs7-signature", "smime.p7s", []),
        ("application/x-pkcs7-mime; smime-type=signed-data", "smime.p7m", [SIGNED_WHOLE]),
        ("application/pkcs7-mime; smime-type=enveloped-data", "smime.p7m", [ENCRYPTED]),
        ("application/pgp-signature", "signature.asc", []),
        ("application/pgp-encrypted", "pgp-version.txt", [ENCRYPTED]),
        ("application/pgp-keys", "key.asc", []),
    ],
)
def test_signed_and_encrypted_parts_are_named_by_what_they_are_and_kept(media: str, name: str, defects: list[str]) -> None:
    mail = parse(attached(media, b"secret"))
    assert listed(mail) == [("2", name, media.partition(";")[0], 6)]
    assert mail.defects == defects


def test_a_mail_encrypted_by_pgp_names_its_parts() -> None:
    raw = b"From: a@b\nContent-Type: multipart/encrypted; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\n"
    raw += b"Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n--b--"
    assert [name for _, name, _, _ in listed(parse(raw))] == ["pgp-version.txt", "encrypted.asc"]
    assert open_part(raw, "2")[0].name == "encrypted.asc"
