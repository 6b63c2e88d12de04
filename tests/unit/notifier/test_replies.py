"""What an SMTP server means by its replies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifier.domain.replies import Reply, alias, recipient_verdict, verdict
from notifier.domain.schedule import Result

OWN = "<1f0c@help.example>"
SES = "0102018f2a3b4c5d-6e7f8a9b-0c1d-2e3f-4a5b-6c7d8e9f0a1b-000000"


def reply(line: str) -> Reply:
    return Reply(int(line[:3]), line[4:])


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("250 2.0.0 OK", Result.SENT),
        ("251 will forward", Result.SENT),
        ("450 4.2.1 mailbox busy", Result.TEMPORARY),
        ("451 4.7.1 Greylisting in action, please come back in 00:05:00", Result.GREYLISTED),
        ("450 4.2.0 <a@b.example>: Recipient address rejected: Greylisted, see http://help.example", Result.GREYLISTED),
        ("451 4.7.1 Try again later", Result.GREYLISTED),
        ("450 Graylisted, please retry later", Result.GREYLISTED),
        ("421 4.7.0 greylisted", Result.TEMPORARY),
        ("550 5.1.1 no such user", Result.PERMANENT),
        ("554 5.7.1 greylisting is not for you", Result.PERMANENT),
        ("354 what?", Result.TEMPORARY),
        ("604 no such class", Result.TEMPORARY),
    ],
)
def test_the_code_decides_and_greylisting_is_told_by_its_words(line: str, result: Result) -> None:
    assert verdict(reply(line)).result is result


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("451 greylisted, try again in 300 seconds", 300),
        ("450 Greylisted for 5 minutes", 300),
        ("451 4.7.1 Greylisting in action, please come back in 00:05:30", 330),
        ("450 greylisted: retry after 30s", 30),
        ("450 greylisted for 90000 minutes", 3600),
        ("450 greylisted", None),
    ],
)
def test_a_greylisting_server_may_say_how_long(line: str, seconds: int | None) -> None:
    assert verdict(reply(line)).wait == (timedelta(seconds=seconds) if seconds else None)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("452 4.5.3 too many recipients", Result.NEXT),
        ("550 5.5.3 too many recipients", Result.NEXT),
        ("452 Too many recipients received", Result.NEXT),
        ("552 too many recipients", Result.NEXT),
        ("452 4.2.2 mailbox full", Result.TEMPORARY),
        ("452 4.3.1 insufficient system storage", Result.TEMPORARY),
        ("552 5.2.2 mailbox full", Result.TEMPORARY),
        ("550 5.1.1 no such user", Result.PERMANENT),
    ],
)
def test_one_recipient_too_many_goes_in_the_next_dialogue(line: str, result: Result) -> None:
    assert recipient_verdict(reply(line), taken_before=3).result is result


def test_the_first_recipient_cannot_be_one_too_many() -> None:
    assert recipient_verdict(reply("452 4.5.3 too many recipients"), taken_before=0).result is Result.TEMPORARY


@pytest.mark.parametrize(
    ("host", "line", "given"),
    [
        ("email-smtp.eu-west-1.amazonaws.com", f"250 Ok {SES}", f"<{SES}@eu-west-1.amazonses.com>"),
        ("email-smtp.us-east-1.amazonaws.com", f"250 Ok {SES}", f"<{SES}@email.amazonses.com>"),
        ("EMAIL-SMTP-FIPS.us-west-2.amazonaws.com.", f"250 Ok {SES}", f"<{SES}@us-west-2.amazonses.com>"),
        (
            "smtp-mail.outlook.com",
            "250 2.0.0 OK <VI1PR0@VI1PR0.eurprd03.prod.outlook.com>",
            None,
        ),
        (
            "smtp-mail.outlook.com",
            "250 2.6.0 <VI1PR0@eurprd03.prod.outlook.com> [InternalId=106, Hostname=VI1PR0] 29353 bytes in 0.060 Queued mail for delivery",
            "<VI1PR0@eurprd03.prod.outlook.com>",
        ),
        ("mail.example", f"250 2.6.0 {OWN} [InternalId=106, Hostname=VI1PR0] Queued mail for delivery", None),
        ("mail.example", f"250 Ok {SES}", None),
        ("email-smtp.eu-west-1.amazonaws.com.evil.example", f"250 Ok {SES}", None),
        ("mail.example", "250 2.0.0 Ok: queued as 4XyZ", None),
        ("mail.example", "250 OK id=1tEsT-000000001-AbCd", None),
        ("mail.example", "250 2.1.5 <anna@lakeside.example> delivered", None),
        ("mail.example", "250 2.6.0 <a b@x.example> [InternalId=1, Hostname=x]", None),
        ("mail.example", "250 2.6.0 <no-at-sign> [InternalId=1, Hostname=x]", None),
        ("mail.example", "550 2.6.0 <a@x.example> [InternalId=1, Hostname=x]", None),
    ],
)
def test_only_what_is_surely_a_message_id_becomes_an_alias(host: str, line: str, given: str | None) -> None:
    assert alias(reply(line), host, OWN) == given


def test_words_are_one_line_and_not_too_long() -> None:
    words = Reply(550, "no\r\nInjected: yes\n" + "x" * 5000).words
    assert "\n" not in words
    assert len(words) == 500
