from __future__ import annotations

import pytest
from imapclient.imap_utf7 import decode, encode

from fetcher.domain.folder_names import RAW_MARK, canonical, decoded, encoded


@pytest.mark.parametrize(
    "name",
    [
        "Archive",
        "R&D",
        "Entwürfe",
        "受信箱/請求書",
        "🔥 hot",
        'He said "no"',
        "back\\slash",
        "100%*",
        " spaced ",
        "a&&b",
        "~/x",
        "ü&ü",
        "全角　空白",
        "👩\u200d💻",
    ],
)
def test_a_name_is_the_same_as_everybody_elses_and_comes_back(name: str) -> None:
    assert encoded(name) == encode(name)
    assert decoded(encoded(name)) == name
    assert decode(encoded(name)) == name


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        (b"R&D", "R&D"),
        (b"&", "&"),
        ("Entwürfe".encode(), "Entwürfe"),
        (b"Entw\xfcrfe", "Entw%FCrfe"),
        (b"&AOk", "&AOk"),
        (b"&AGE-", "&AGE-"),
        (b"&2D0-", "&2D0-"),
        (b"&!!!-", "&!!!-"),
        (b"100% &x", "100%25 &x"),
        (b"tab\tand&AAo-", "tab%09and&AAo-"),
        (encode("\ufffdx"), "&,,0-x"),
    ],
    ids=repr,
)
def test_a_name_that_does_not_decode_is_shown_and_leads_back_to_exactly_its_bytes(wire: bytes, shown: str) -> None:
    assert decoded(wire) == RAW_MARK + shown
    assert encoded(RAW_MARK + shown) == wire


def test_any_bytes_lead_back_to_themselves() -> None:
    for first in range(256):
        for second in (0x26, 0x2D, 0x41, 0xC3, 0xFF):
            wire = bytes([second, first, second])
            if not {first, second} & {0, 10, 13}:
                assert encoded(decoded(wire)) == wire


@pytest.mark.parametrize("name", ["\ufffda%0D%0Ab LOGOUT", "\ufffd%00"])
def test_a_name_never_ends_the_commands_line(name: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        encoded(name)


def test_inbox_has_no_case_and_nothing_else_does() -> None:
    assert [canonical(name) for name in ("inbox", "Inbox", "INBOX", "Inbox/Sub", "Archive")] == [
        "INBOX", "INBOX", "INBOX", "Inbox/Sub", "Archive"
    ]  # fmt: skip
    assert decoded(b"Inbox") == "INBOX"
    assert encoded("inbox") == b"INBOX"
