"""Answers of servers, sound and otherwise."""

from __future__ import annotations

import imaplib
from typing import Any

import pytest

from fetcher.adapters.imap.moves import Copied, copied_uids
from fetcher.adapters.imap.syntax import quoted_name, responses


@pytest.mark.parametrize(
    ("data", "read"),
    [
        ([b'(\\HasNoChildren \\Sent) "/" Sent'], [[[b"\\HasNoChildren", b"\\Sent"], b"/", b"Sent"]]),
        ([b'() NIL "NIL"', b'() "\\\\" nil'], [[[], None, b"NIL"], [[], b"\\", None]]),
        ([(b'() "/" {9}', b'a "b"(c)\\'), b""], [[[], b"/", b'a "b"(c)\\']]),
        ([(b"{3}", b"a b"), (b" (MESSAGES {1}", b"7"), b")"], [[b"a b", [b"MESSAGES", b"7"]]]),
        ([b'"a \\"quoted\\" name" (MESSAGES 2)  '], [[b'a "quoted" name', [b"MESSAGES", b"2"]]]),
        ([b'(("" "/")) NIL (("#a/" "/" "X" ("y")))'], [[[[b"", b"/"]], None, [[b"#a/", b"/", b"X", [b"y"]]]]]),
        ([None], []),
    ],
)
def test_an_answer_is_read_with_exactly_its_bytes(data: list[Any], read: list[Any]) -> None:
    assert list(responses(data)) == read


@pytest.mark.parametrize("line", [b"(((", b")", b'"no end', b'() "/" "x\\"'])
def test_what_cannot_be_read_is_an_error_of_the_server(line: bytes) -> None:
    with pytest.raises(imaplib.IMAP4.error):
        list(responses([line]))


def test_a_name_is_quoted_and_never_holds_a_second_command() -> None:
    assert quoted_name('a"b\\c') == b'"a\\"b\\\\c"'
    with pytest.raises(imaplib.IMAP4.error):
        quoted_name("\ufffda%0D%0Ax LOGOUT")


def test_new_places_are_read_in_the_order_of_both_sets() -> None:
    assert copied_uids([b"38505 304,319:320 3956:3958"], frozenset({304, 319, 320})) == Copied(38505, {304: 3956, 319: 3957, 320: 3958})
    assert copied_uids([b"7 1 9", b"7 3 10"], frozenset({1, 3})).uids == {1: 9, 3: 10}, "MOVE may tell in several answers"


@pytest.mark.parametrize(
    "data",
    [[], [None], [b""], [b"7 1:3 9:10"], [b"x 1 9"], [b"7 2 9"], [b"7 1 9 9"], [b"7 1:4294967295 1:4294967295"], [b"7 a b"]],
    ids=repr,
)
def test_what_does_not_fit_together_tells_nothing(data: list[object]) -> None:
    assert copied_uids(data, frozenset({1})) == Copied()
