"""HTML and attachments as a browser gets them; keys and delivery states."""

from __future__ import annotations

import pytest

from shared.events import CommandMail, DeliveryState
from tickets.domain.deliveries import worst
from tickets.domain.files import headers
from tickets.domain.html import sanitise
from tickets.domain.keys import conversation_ids, index_key, numbers_in, title_key


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<svg><script>alert(1)</script></svg>",
        "<style>@import url(http://evil.example)</style>",
        "<div style='background:url(http://evil.example/t.gif)'>x</div>",
        "<table background='http://evil.example/t.gif'><tr><td background=http://evil.example>x</td></tr></table>",
        "<img srcset='http://evil.example/t.gif 2x'>",
        "<iframe src=http://evil.example></iframe>",
        "<link rel=stylesheet href=http://evil.example><base href=http://evil.example><meta http-equiv=refresh content='0;http://evil.example'>",
        "<img alt='\"><script>alert(1)</script>' src=http://evil.example>",
        "<form action=http://evil.example><input name=x></form>",
        "<img src=//evil.example/t.gif><a href=//evil.example>x</a><a href='cid:evil.example'>x</a>",
        "<video poster=http://evil.example src=http://evil.example></video>",
    ],
)
def test_nothing_runs_and_nothing_is_loaded(html: str) -> None:
    shown = sanitise(html, {})
    for forbidden in ("<script", "onerror=", "javascript:", "evil.example", "<style", "<svg", "<form", "<iframe"):
        assert forbidden not in shown


def test_a_remote_image_says_that_it_was_not_loaded() -> None:
    shown = sanitise('<p>Hi<img src="https://x.example/a.png" alt="a>b" title="t"></p>', {})
    assert "x.example" not in shown
    assert 'data-blocked="remote"' in shown
    assert "not loaded" in shown
    assert shown.count("title=") == 1


def test_an_inline_image_comes_from_the_attachment() -> None:
    shown = sanitise('<img src="cid:logo@x"><img src="cid:other">', {"logo@x": "/api/v1/tickets/1/attachments/a?inline=true"})
    assert 'src="/api/v1/tickets/1/attachments/a?inline=true"' in shown
    assert shown.count("data-blocked") == 1


def test_links_open_elsewhere_and_tell_nothing() -> None:
    shown = sanitise('<a href="https://x.example/">x</a>', {})
    assert 'href="https://x.example/"' in shown
    assert "noreferrer" in shown
    assert 'target="_blank"' in shown


@pytest.mark.parametrize(
    ("media_type", "inline", "shown", "content_type"),
    [
        ("image/png", True, "inline", "image/png"),
        ("image/png", False, "attachment", "image/png"),
        ("image/svg+xml", True, "attachment", "application/octet-stream"),
        ("text/html", True, "attachment", "application/octet-stream"),
        ("application/xhtml+xml", True, "attachment", "application/octet-stream"),
        ("application/pdf", True, "attachment", "application/pdf"),
        ("odd\r\nX: y", True, "attachment", "application/octet-stream"),
    ],
)
def test_only_raster_images_are_shown_in_place(media_type: str, inline: bool, shown: str, content_type: str) -> None:
    made = headers("a.bin", media_type, inline=inline)
    assert made["Content-Disposition"].startswith(f"{shown};")
    assert (made["Content-Type"], made["X-Content-Type-Options"]) == (content_type, "nosniff")


def test_a_files_name_cannot_leave_its_header() -> None:
    value = headers('a"b\r\nSet-Cookie: x/\\ü.pdf', "application/pdf", inline=False)["Content-Disposition"]
    assert value == "attachment; filename=\"a_b Set-Cookie_ x___.pdf\"; filename*=UTF-8''a_b%20Set-Cookie_%20x__%C3%BC.pdf"


@pytest.mark.parametrize(
    ("key", "expected"),
    [("", []), ("no", []), ("12", [12]), ("3 and 12", [12, 3]), ("007", [7]), ("0", []), ("9" * 19, []), ("9" * 300, [])],
)
def test_numbers_in_a_key(key: str, expected: list[int]) -> None:
    assert numbers_in(key) == expected


def test_long_keys_are_bounded_and_still_differ() -> None:
    one, two = "ä" * 5000 + "1", "ä" * 5000 + "2"
    assert index_key(one) != index_key(two)
    assert len(index_key(one).encode()) < 400
    assert title_key("RE: Fwd:  A  b") == title_key("a b")


def test_at_most_twenty_ids_are_locked_the_threads_first_among_them() -> None:
    ids = [f"<{n}@x>" for n in range(100)]
    locked = conversation_ids(CommandMail(subject="", message_id="<own@x>", references=ids))
    assert len(locked) == 20
    assert {"<0@x>", "<own@x>", "<99@x>"} <= set(locked)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], None),
        (["sent", "failed"], "failed"),
        (["sent", "queued"], "queued"),
        (["delivered", "sent"], "sent"),
        (["delayed", "queued"], "delayed"),
    ],
)
def test_the_worst_state_is_shown(states: list[str], expected: str | None) -> None:
    assert worst(DeliveryState(state) for state in states) == (DeliveryState(expected) if expected else None)


def test_every_state_has_its_place() -> None:
    for state in DeliveryState:
        assert worst([state]) is state
