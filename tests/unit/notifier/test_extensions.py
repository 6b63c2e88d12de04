"""What a server offers, and what goes over the wire."""

from __future__ import annotations

import pytest

from notifier.domain.extensions import BLOCK, Letter, Offer, mail_command, on_the_wire, refusal

PLAIN = Letter("help@help.example", ("anna@lakeside.example",), b"Subject: hello\r\n\r\nhello\r\n")
EVERYTHING = Offer(pipelining=True, size=1000, declares_size=True, eight_bit=True, utf8=True)


def test_an_offer_is_read_from_the_answer_to_ehlo() -> None:
    assert Offer.of({"pipelining": "", "size": "1000", "8bitmime": "", "smtputf8": ""}) == EVERYTHING
    assert Offer.of({}) == Offer()


@pytest.mark.parametrize("size", ["", "0", "lots", "²", "-1"])
def test_a_size_without_a_number_is_no_limit(size: str) -> None:
    offer = Offer.of({"size": size})
    assert (offer.declares_size, offer.size) == (True, None)
    assert refusal(offer, PLAIN) is None


def test_only_what_was_offered_is_asked_for() -> None:
    assert mail_command(Offer(), PLAIN) == b"MAIL FROM:<help@help.example>"
    assert mail_command(EVERYTHING, PLAIN) == b"MAIL FROM:<help@help.example> SIZE=25"


def test_an_automatic_mail_has_the_empty_sender() -> None:
    assert mail_command(Offer(), Letter("", PLAIN.recipients, PLAIN.data)) == b"MAIL FROM:<>"


def test_what_needs_an_extension_says_so_to_a_server_that_has_it_and_fails_clearly_at_one_that_has_not() -> None:
    international = Letter(PLAIN.sender, ("jürgen@lakeside.example",), PLAIN.data)
    eight_bit = Letter(PLAIN.sender, PLAIN.recipients, "Subject: hello\r\n\r\nGrüße\r\n".encode())
    assert mail_command(EVERYTHING, international).endswith(b" SMTPUTF8")
    assert mail_command(EVERYTHING, eight_bit).endswith(b" BODY=8BITMIME")
    for letter, name in ((international, "SMTPUTF8"), (eight_bit, "8BITMIME")):
        refused = refusal(Offer(), letter)
        assert refused is not None
        assert (refused.result, name in refused.detail) == ("permanent", True)
    assert refusal(EVERYTHING, eight_bit) is None


def test_a_mail_that_is_too_large_fails_before_it_is_sent() -> None:
    refused = refusal(EVERYTHING, Letter(PLAIN.sender, PLAIN.recipients, b"x" * 2_500_000))
    assert refused is not None
    assert "2.5 MB, the server takes at most 0.0 MB" in refused.detail


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\n.\nMAIL FROM:<evil@x.example>\n", b"a\r\n..\r\nMAIL FROM:<evil@x.example>\r\n.\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\n.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
    ],
)
def test_nothing_in_a_mail_can_end_it_early(data: bytes, wire: bytes) -> None:
    assert b"".join(on_the_wire(data)) == wire


def test_a_large_mail_goes_in_blocks_of_whole_lines() -> None:
    """Nobody else waits while it is made ready, and no line end and no period is cut in two."""
    lines = [b"." * (number % 90) + (b"\r\n" if number % 3 else b"\n") for number in range(20_000)]
    blocks = list(on_the_wire(b"".join(lines)))
    assert len(blocks) > 10
    assert max(map(len, blocks)) < 2 * BLOCK
    whole = b"".join((b"." if line.startswith(b".") else b"") + line.rstrip(b"\r\n") + b"\r\n" for line in lines)
    assert b"".join(blocks) == whole + b".\r\n"


def test_a_small_mail_goes_in_one_piece() -> None:
    assert list(on_the_wire(PLAIN.data)) == [PLAIN.data + b".\r\n"]
