"""What is quoted in HTML comes out so that it is told from the writer's own text, as the mail clients mark it up."""

from __future__ import annotations

import time
from typing import Final

import pytest

from shared.mail.folding.folds import folds
from shared.mail.html import html_to_text
from shared.mail.model import unfolded
from shared.mail.parse import parse

WROTE: Final = 'On Mon, 23 Nov 2026 at 10:00, Bob &lt;<a href="mailto:bob@example.com">bob@example.com</a>&gt; wrote:'
FIELDS: Final = (
    "<b>From:</b> Bob &lt;bob@example.com&gt;<br><b>Sent:</b> Monday, 23 November 2026 10:00<br>"
    "<b>To:</b> Anna &lt;anna@example.com&gt;<br><b>Subject:</b> The lamp"
)
OLD: Final = "<p>Where is the lamp?</p><p>Bob</p>"
OWN: Final = "<div>It is on its way.</div><div>Anna</div>"

CLIENTS: Final = {
    "gmail": (
        f'<div dir="ltr">{OWN}</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">{WROTE}<br></div>'
        f'<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204)">{OLD}</blockquote></div>'
    ),
    "apple mail": f'{OWN}<br><blockquote type="cite"><div>{WROTE}</div><br class="Apple-interchange-newline">{OLD}</blockquote>',
    "iphone": (
        f'{OWN}<br><div dir="ltr">Sent from my iPhone</div><div dir="ltr"><br><blockquote type="cite">{WROTE}<br><br></blockquote></div>'
        f'<blockquote type="cite"><div dir="ltr">{OLD}</div></blockquote>'
    ),
    "thunderbird": (
        f'{OWN}<div class="moz-cite-prefix">On 23/11/2026 10:00, Bob wrote:<br></div><blockquote type="cite">{OLD}</blockquote>'
    ),
    "outlook": (
        f"<div class=WordSection1>{OWN}<p class=MsoNormal><o:p>&nbsp;</o:p></p><div><div style='border:none;border-top:solid 1.0pt'>"
        f"<p class=MsoNormal>{FIELDS}<o:p></o:p></p></div></div>{OLD}</div>"
    ),
    "outlook on the web": f'{OWN}<div id="appendonsend"></div><hr><div id="divRplyFwdMsg">{FIELDS}<div>&nbsp;</div></div>{OLD}',
    "outlook for mac": f"<div>{OWN}</div><div style='border-top:solid #B5C4DF 1.0pt'>{FIELDS.replace('Sent:', 'Date:')}</div>{OLD}",
    "outlook for android": (
        f'{OWN}<div>Get <a href="https://aka.ms/x">Outlook for Android</a></div><hr><div id="divRplyFwdMsg">{FIELDS}</div>{OLD}'
    ),
    "yahoo": (
        f'<div>{OWN}</div><div class="ydp1yahoo_quoted"><div><div>On Monday, November 23, 2026 at 10:00:00 AM GMT+1, '
        f"Bob &lt;bob@example.com&gt; wrote:</div><div><br></div>{OLD}</div></div>"
    ),
    "proton": (
        f'{OWN}<div class="protonmail_signature_block"><div>Sent with <a href="https://proton.me/">Proton Mail</a></div></div>'
        f'<div class="protonmail_quote">{WROTE}<br><blockquote class="protonmail_quote" type="cite">{OLD}</blockquote></div>'
    ),
    "gmx": (
        f'{OWN}<div style="border-left:2px"><div><b>Gesendet:</b>&nbsp;Montag, 23. November 2026 10:00<br>'
        f"<b>Von:</b>&nbsp;Bob &lt;bob@example.com&gt;<br><b>An:</b>&nbsp;anna@example.com<br><b>Betreff:</b>&nbsp;Lampe</div>{OLD}</div>"
    ),
    "zoho": (
        f'{OWN}<div class="zmail_extra">---- On Mon, 23 Nov 2026 10:00:00 +0100 <b>bob@example.com</b> wrote ---<br></div>'
        f"<blockquote>{OLD}</blockquote>"
    ),
    "fields in a table": (
        f"{OWN}<table><tr><td><b>Da:</b></td><td>Bob</td></tr><tr><td><b>Inviato:</b></td><td>lunedì</td></tr><tr><td><b>A:</b></td>"
        f"<td>Anna</td></tr><tr><td><b>Oggetto:</b></td><td>Lampada</td></tr></table>{OLD}"
    ),
}


def new_text(html: str) -> str:
    text = html_to_text(html)
    return " ".join(unfolded(text, folds(text)).split())


@pytest.mark.parametrize("client", CLIENTS)
def test_the_quote_of_a_client_is_found(client: str) -> None:
    assert new_text(CLIENTS[client]) == "It is on its way. Anna"


def test_answers_between_quotes_are_the_writers() -> None:
    quote = '<blockquote type="cite"><p>Question?</p></blockquote>'
    assert new_text(f"<div>{WROTE}</div>{quote}<p>Answer one</p>{quote}<p>Answer two</p>") == "Answer one Answer two"


@pytest.mark.parametrize(
    "style",
    ["margin:0 0 0 40px;border:none;padding:0px", "margin: 0px 0px 0px 40px; border: medium none; padding: 0px;", "margin-right: 0px"],
)
def test_indented_text_is_the_writers(style: str) -> None:
    """Editors indent by a blockquote without a border."""
    assert new_text(f'<p>First</p><blockquote style="{style}"><div>indented</div></blockquote><p>last</p>') == "First indented last"


def test_a_border_makes_a_quote_of_a_blockquote() -> None:
    assert new_text('<p>New</p><blockquote style="border: none; border-left: 2px solid blue">old</blockquote>') == "New"


def test_indents_and_quotes_may_be_nested() -> None:
    html = '<blockquote style="border:none">a<blockquote>b<blockquote style="border:none">c</blockquote>d</blockquote>e</blockquote>f'
    assert [line for line in html_to_text(html).split("\n") if line.strip("> ")] == ["a", "> b", "> c", "> d", "e", "f"]


def test_a_part_with_text_and_html_uses_the_text() -> None:
    parts = ("text/plain", "Plain answer\n\n> old\n"), ("text/html", CLIENTS["gmail"])
    body = "".join(f"--x\nContent-Type: {media}; charset=utf-8\n\n{text}\n" for media, text in parts)
    mail = parse(f"Content-Type: multipart/alternative; boundary=x\n\n{body}--x--\n".encode())
    assert mail.new_text == "Plain answer"


def test_a_mail_in_html_alone_has_its_new_text() -> None:
    assert parse(b"Content-Type: text/html; charset=utf-8\n\n" + CLIENTS["outlook"].encode()).new_text == "It is on its way.\nAnna"


@pytest.mark.parametrize("piece", ["<blockquote>", '<blockquote style="border', "</blockquote>", '<blockquote style="border :">x'])
def test_many_blockquotes_take_time_by_their_length_alone(piece: str) -> None:
    began = time.process_time()
    html_to_text(piece * (1024 * 1024 // len(piece)))
    assert time.process_time() - began < 5
