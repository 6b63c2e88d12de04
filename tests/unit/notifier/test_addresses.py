"""Whom an answer goes to, whom it is from, and where it comes back to."""

from __future__ import annotations

import email
import time
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.own_address import own_address
from notifier.domain.compose import ComposeError, Identity, compose, recipients
from notifier.domain.headers import address_tokens, mailbox
from notifier.domain.trial import trial
from shared.events import OutgoingMail
from shared.mail.addresses import addresses
from shared.mail.model import Address

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MAILBOX = Identity("Help Desk", "help@company.example")
OTTO = Address(name="Otto Berg", address="otto@company.example")
ENCODED = "=?utf-8?q?e=40evil.example=2C?=@x.example"


def outgoing(*to: str, **more: object) -> OutgoingMail:
    people = [Address(address=one) for one in to or ["anna@lakeside.example"]]
    values = {"outgoing_id": "1", "ticket_id": 57, "message_id": "<abc@company.example>", "to": people, "title": "x", "text": "y"}
    return OutgoingMail.model_validate(values | more)


def read(mail: OutgoingMail, identity: Identity = MAILBOX) -> EmailMessage:
    return email.message_from_bytes(compose(mail, identity, AT).data, policy=policy.default)


def personal(**account: object) -> tuple[str, EmailMessage]:
    """The envelope's sender, and a personal answer by its author's own account."""
    identity = Identity("Help Desk", "help@company.example", personal=True, **account)  # type: ignore[arg-type]  # a test's fields
    composed = compose(outgoing(mode="personal", author=OTTO), identity, AT)
    return composed.envelope_from, email.message_from_bytes(composed.data, policy=policy.default)


@pytest.mark.parametrize("address", [ENCODED, f'"{ENCODED.partition("@")[0]}"@x.example', "a=?b@x.example"])
def test_an_encoded_word_is_no_address(address: str) -> None:
    """A program that decodes it would answer to somebody else."""
    assert mailbox(address) is None
    assert recipients(outgoing(address)) == {address: None}
    assert read(outgoing("anna@lakeside.example", address))["To"] == "anna@lakeside.example"
    with pytest.raises(ComposeError, match="no mail address of their own"):
        compose(outgoing(mode="personal", author=Address(address=address)), MAILBOX, AT)
    with pytest.raises(ValueError, match="not a mail address"):
        trial(address, "", "anna@lakeside.example", AT)
    with pytest.raises(ValueError, match="is no mail address"):
        own_address(address)


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@BU\u0308CHER.example", "anna@xn--bcher-kva.example"),
        ("anna@faß.example", "anna@xn--fa-hia.example"),
        ("anna@fass.example", "anna@fass.example"),
        ("anna@ｘ。example", "anna@x.example"),
        ("änna@x.example", None),
        ("anna@☕.example", None),
        ("anna@ü..example", None),
        ("anna@\ud800.example", None),
        ('"anna b"@x.example', '"anna b"@x.example'),
        ('"a..b"@docomo.example', '"a..b"@docomo.example'),
        ('"a\\"b\\\\c"@x.example', '"a\\"b\\\\c"@x.example'),
        ('"anna"@x.example', "anna@x.example"),
        ('"a@evil.example"@x.example', '"a@evil.example"@x.example'),
        ('"a> <e@evil.example"@x.example', None),
        ('"a  b"@x.example', None),
        ('"a\nb"@x.example', None),
        ('"ä"@x.example', None),
        ('""@x.example', None),
        ('"a"b"@x.example', None),
        ("a..b@docomo.example", None),
    ],
)
def test_an_address_as_smtp_takes_it(address: str, known: str | None) -> None:
    assert mailbox(address) == known


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20))
def test_a_quoted_name_before_the_at_sign_comes_back_from_a_header(local: str) -> None:
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    known = mailbox(f'"{escaped}"@x.example')
    if known is not None and "\\" not in local:  # our own reader keeps what is escaped as it is
        assert [one.address for one in addresses(" ".join(address_tokens([Address(name="Anna", address=known)])))] == [known]
    header = email.message_from_string(f"To: {known}\n\n", policy=policy.default)["To"]
    assert known is None or [one.username for one in header.addresses] == [local]


@pytest.mark.parametrize(
    "same",
    [
        ["anna@bücher.example", "anna@xn--bcher-kva.example", "ANNA@BÜCHER.EXAMPLE"],
        ["anna@bücher.example", "anna@bu\u0308cher.example"],
        ['"anna"@x.example', "anna@x.example"],
        ["a@x.example", "A@x.example", "a@X.example"],
    ],
)
def test_everybody_once(same: list[str]) -> None:
    assert list(recipients(outgoing(*same))) == same[:1]


def test_two_people_are_two() -> None:
    assert list(recipients(outgoing("a@straße.example", "a@strasse.example")).values()) == ["a@xn--strae-oqa.example", "a@strasse.example"]


def test_what_is_no_address_does_not_take_an_address_along() -> None:
    assert recipients(outgoing("anna@x.example", "anna@x.example\x00", "ſ@x.example", "s@x.example")) == {
        "anna@x.example": "anna@x.example",
        "ſ@x.example": None,
        "s@x.example": "s@x.example",
    }


@pytest.mark.parametrize("address", ["a@" + "ü" * 100_000, "a@" + "ü." * 50_000, '"' + "\\a" * 100_000, '"' * 100_000 + "@x"])
def test_a_very_long_address_is_refused_at_once(address: str) -> None:
    begun = time.monotonic()
    assert mailbox(address) is None
    assert time.monotonic() - begun < 1


def test_a_personal_answer_leaves_as_its_author_s_own_account_has_it() -> None:
    sender, mail = personal(address="otto@provider.example", display_name="Otto (Company)", reply_to="otto.berg@company.example")
    assert sender == "otto@provider.example"
    assert [(one.display_name, one.addr_spec) for one in mail["From"].addresses] == [("Otto (Company)", "otto@provider.example")]
    assert mail["Reply-To"] == "otto.berg@company.example"
    assert mail["Message-ID"] == "<abc@company.example>"


def test_what_an_own_account_leaves_blank_is_its_author_s() -> None:
    sender, mail = personal()
    assert (sender, mail["From"], mail["Reply-To"]) == ("otto@company.example", "Otto Berg <otto@company.example>", None)


@pytest.mark.parametrize(
    "name", ["", "Hélp", 'x"y', "=?utf-8?q?x?=", "ü" * 200, "x" * 300, "a, b", "\ud800", "a\\", "a\r\nBcc: e@x.example"]
)
@pytest.mark.parametrize(
    "address", ["help@x.example", '"a..b"@docomo.example', '"anna b"@x.example', "a@[IPv6:::1]", f"{'x' * 200}@x.example"]
)
def test_a_trial_is_from_and_to_whom_it_says(name: str, address: str) -> None:
    _, data = trial(address, name, address, AT)
    message = email.message_from_bytes(data)
    assert message["To"] == address
    assert address in message["From"]
    assert message.keys() == [
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding"),
    ]
