"""Signatures, the schedule of tries, and which addresses belong to the internet."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from tickets.domain.public_addresses import is_public
from tickets.domain.webhook_schedule import Answer, retry_after, settle
from tickets.domain.webhook_signature import headers, key_of, secret_of
from tickets.webhooks.calling import cleaned

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_signature_is_that_of_the_reference_libraries() -> None:
    """The vector all libraries of the specification are tested with."""
    at = datetime.fromtimestamp(1614265330.7, UTC)
    assert headers([SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}') == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_make_two_signatures_the_newest_first() -> None:
    other = secret_of(b"k" * 32)
    both = headers([other, SECRET], "id", NOW, b"{}")["webhook-signature"].split(" ")
    assert both == [headers([secret], "id", NOW, b"{}")["webhook-signature"] for secret in (other, SECRET)]


@pytest.mark.parametrize("size", [23, 65])
def test_a_secret_of_a_wrong_length_is_refused_without_being_told(size: int) -> None:
    secret = secret_of(b"k" * size)
    with pytest.raises(ValueError, match="24 to 64 bytes") as refused:
        key_of(secret)
    assert base64.b64encode(b"k" * size).decode() not in str(refused.value)


def test_tries_follow_the_recommended_schedule_and_then_end() -> None:
    pauses = []
    for tries in range(1, 10):
        verdict = settle(Answer(500), tries, NOW, lambda: 0.5)
        assert verdict.next_try_at is not None
        pauses.append(verdict.next_try_at - NOW)
    hours = [timedelta(hours=count) for count in (2, 5, 10, 14, 20, 24)]
    assert pauses == [timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), *hours]
    assert settle(Answer(500), 10, NOW, lambda: 0.5).state == "failed"


def test_tries_are_spread() -> None:
    first, last = (settle(Answer(None), 2, NOW, by_chance).next_try_at for by_chance in (lambda: 0.0, lambda: 0.999))
    assert first is not None
    assert last is not None
    assert timedelta(minutes=4) == first - NOW
    assert timedelta(minutes=5.9) < last - NOW < timedelta(minutes=6)


@pytest.mark.parametrize(("status", "state"), [(200, "delivered"), (204, "delivered"), (410, "failed"), (302, "waiting"), (404, "waiting")])
def test_what_a_status_means(status: int, state: str) -> None:
    assert settle(Answer(status), 1, NOW, lambda: 0.5).state == state


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        (timedelta(minutes=10), timedelta(minutes=10)),
        (timedelta(seconds=1), timedelta(seconds=5)),
        (timedelta(days=400), timedelta(days=1)),
    ],
)
def test_a_receiver_may_ask_for_patience_within_bounds(asked: timedelta, pause: timedelta) -> None:
    assert settle(Answer(503, retry_after=asked), 1, NOW, lambda: 0.5).next_try_at == NOW + pause


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ("120", timedelta(minutes=2)),
        (" 7 ", timedelta(seconds=7)),
        ("99999999999999999999999", timedelta(days=1)),
        ("Sun, 01 Nov 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun, 01 Nov 2026 11:00:00 GMT", timedelta(0)),
        ("soon", None),
        ("-1", None),
        ("²", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, read: timedelta | None) -> None:
    assert retry_after(header, NOW) == read


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 -- not listened on
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "192.0.0.192",
        "168.63.129.16",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fec0::1",
        "ff0e::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "no address",
        "",
    ],
)
def test_addresses_that_are_never_called(address: str) -> None:
    assert not is_public(address)


def test_a_receivers_words_are_one_bounded_line_without_secrets() -> None:
    words = cleaned(b"bad\x00 \x1b[31msignature\r\n\xe2\x80\xae expected " + SECRET.encode() + b" \xff " + b"x" * 1000)
    assert words.startswith("bad [31msignature expected whsec_… \ufffd xxx")
    assert len(words) == 500
    assert SECRET not in words
