"""Text, HTML and attachments of whole mails."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from email.message import EmailMessage

import pytest

from shared.mail.html import html_to_text
from shared.mail.mark import OWN_HEADER
from shared.mail.model import Attachment, Kind, ParsedMail
from shared.mail.parse import parse
from shared.mail.parts import open_part
from shared.mail.text import TEXT_LIMIT, cut

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def whole_mail() -> bytes:
    mail = EmailMessage()
    mail["From"] = "Anna <anna@example.com>"
    mail["Subject"] = "Broken lamp"
    mail.set_content("The lamp is broken.\n")
    mail.add_alternative('<p>The <b>lamp</b> is broken. <img src="cid:pic"></p>', subtype="html")
    html = list(mail.iter_parts())[1]
    assert isinstance(html, EmailMessage)
    html.add_related(PNG, "image", "png", cid="<pic>")
    mail.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="Rechnung für März.pdf")
    inner = EmailMessage()
    inner["Subject"] = "The first mail"
    inner.set_content("inner text")
    mail.add_attachment(inner)
    return mail.as_bytes()


def test_a_mail_with_everything() -> None:
    mail = parse(whole_mail())
    assert mail.text == "The lamp is broken."
    assert mail.html is not None
    assert "<b>lamp</b>" in mail.html
    assert [(a.part, a.name, a.type, a.inline, a.content_id) for a in mail.attachments] == [
        ("1.2.2", "part-1.2.2.png", "image/png", True, "pic"),
        ("2", "Rechnung für März.pdf", "application/pdf", False, None),
        ("3", "The first mail.eml", "message/rfc822", False, None),
    ]
    assert mail.kind is Kind.MAIL
    assert mail.defects == []
    assert ("Subject", "Broken lamp") in mail.headers


def test_an_attachment_opens_to_the_bytes_it_names() -> None:
    raw = whole_mail()
    for known in parse(raw).attachments:
        found, data = open_part(raw, known.part)
        assert found == known
        assert (len(data), hashlib.sha256(data).hexdigest()) == (known.size, known.sha256)
    assert open_part(raw, "1.2.2")[1] == PNG
    assert open_part(raw, "1.1")[1].strip() == b"The lamp is broken."
    for unknown in ("", "9", "1", "1.2.2.1", "x"):
        with pytest.raises(KeyError):
            open_part(raw, unknown)


def body(text: bytes, header: str = "") -> ParsedMail:
    return parse(f"From: a@example.com\r\n{header}\r\n\r\n".encode() + text if header else b"From: a@example.com\r\n\r\n" + text)


@pytest.mark.parametrize(
    ("declared", "codec"),
    [("utf8", "utf-8"), ("cp-850", "cp850"), ("iso-8859-8-i", "iso8859-8"), ("x-unknown", "utf-8"),
     ("unicode-1-1-utf-7", "utf-7"), ('"ISO-8859-1"', "cp1252"),
     ("hex", "utf-8"), ("idna", "utf-8"), ("nonsense", "utf-8"), ("x-sjis", "cp932"), ("gb2312", "gbk")],
)  # fmt: skip
def test_charsets_go_by_many_names(declared: str, codec: str) -> None:
    text = {"iso8859-8": "שלום", "cp932": "注文した商品", "gbk": "你好"}.get(codec, "Grüße aus Köln")
    assert body(text.encode(codec), f"Content-Type: text/plain; charset={declared}").text == text


@pytest.mark.parametrize(
    ("header", "codec", "text"),
    [
        ("Content-Type: text/plain; charset=us-ascii", "utf-8", "Grüße aus Köln"),
        ("Content-Type: text/plain", "cp1251", "Здравствуйте, мой заказ не пришёл, помогите пожалуйста разобраться"),
        ("Content-Type: text/plain; charset=utf-8", "latin-1", "Grüße, größere Wünsche, süße Öle, Äpfel für Übermütige"),
        ("X: y", "latin-1", "è così, perché no"),
    ],
)
def test_a_wrong_or_missing_charset_is_found_out_and_said(header: str, codec: str, text: str) -> None:
    mail = body(text.encode(codec), header)
    assert mail.text == text
    assert any("charset" in defect for defect in mail.defects)


@pytest.mark.parametrize("meta", ['<meta charset="iso-8859-2">', "<meta http-equiv=Content-Type content='text/html; charset=iso-8859-2'>"])
def test_html_may_tell_its_charset_itself(meta: str) -> None:
    mail = body(f"<html><head>{meta}</head>Zażółć gęślą jaźń</html>".encode("iso-8859-2"), "Content-Type: text/html")
    assert (mail.text, mail.defects) == ("Zażółć gęślą jaźń", [])


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_tells_the_charset_and_is_no_text(codec: str) -> None:
    assert body("Grüße".encode(codec)).text == "Grüße"


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Content-Type: text/plain; name=x.txt\r\nContent-Disposition: inline; filename=x.txt", "a <bold>b</bold>"),
        ("Content-Type: text/markdown", "a <bold>b</bold>"),
        ("Content-Type: text/enriched", "a b"),
        ("Content-Type: text/csv", ""),
        ("Content-Type: text/markdown; name=x.md", ""),
    ],
)
def test_a_mail_of_one_text_of_any_kind_is_read_unless_it_is_a_file(header: str, text: str) -> None:
    assert body(b"a <bold>b</bold>", header).text == text


@pytest.mark.parametrize(
    ("encoding", "data", "text"),
    [
        ("base64", b"SGVsbG8=", "Hello"),
        ("BASE64;", b"SGVs\r\nbG8", "Hello"),
        ("base64", b"SGVs!!bG8=\r\nSGVsbG8=", "HelloHello"),
        ("quoted-printable", b"a=3Db=\r\nc =ZZ", "a=bc =ZZ"),
        ("8bit", b"plain", "plain"),
        ("x-odd", b"plain", "plain"),
    ],
)
def test_transfer_encodings_survive_their_faults(encoding: str, data: bytes, text: str) -> None:
    assert body(data, f"Content-Transfer-Encoding: {encoding}").text == text


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("filename*=utf-8''R%C3%BCckgabe.pdf", "Rückgabe.pdf"),
        ("filename*0*=utf-8''R%C3; filename*1*=%BCck; filename*2=.pdf", "Rück.pdf"),
        ('filename="=?utf-8?Q?R=C3=BCck.pdf?="', "Rück.pdf"),
        ('filename="../../etc/passwd"', "_.._etc_passwd"),
        ('filename="C:\\temp\\a.pdf"', "C__temp_a.pdf"),
        ('filename="photo\u202egpj.exe"', "photogpj.exe"),
        ("filename=Rück.pdf; size=3", "Rück.pdf"),
        ('filename="a;b.pdf"', "a;b.pdf"),
        ('filename="=?utf-8?Q?a=0D=0Ab=00.pdf?="', "a b.pdf"),
        ('filename=".."', "part-1.pdf"),
        ("filename='a.pdf'", "a.pdf"),
        ("name=a.pdf", "a.pdf"),
        ('filename*1="b.pdf"; filename*0="a"', "ab.pdf"),
        ("filename*0*=iso-8859-1'de'R%FC; filename*1=ck.pdf", "Rück.pdf"),
        ("filename=\"EURO.pdf\"; filename*=utf-8''%E2%82%AC.pdf", "€.pdf"),
        ('filename*0="=?utf-8?Q?R=C3=BC"; filename*1="ck.pdf?="', "Rück.pdf"),
        ("\r\nContent-Location: https://example.com/b/c%20d.pdf?e=f", "c d.pdf"),
        ("", "part-1.pdf"),
    ],
)
def test_attachment_names_are_read_and_made_harmless(disposition: str, name: str) -> None:
    mail = body(b"x", f"Content-Type: application/pdf\r\nContent-Disposition: attachment; {disposition}")
    assert [a.name for a in mail.attachments] == [name]


@pytest.mark.parametrize("disposition", ['attachment filename="a.txt"', "filename=a.txt", "attachment;; filename = a.txt"])
def test_a_disposition_without_its_semicolon_still_names_the_attachment(disposition: str) -> None:
    assert [a.name for a in body(b"x", f"Content-Disposition: {disposition}").attachments] == ["a.txt"]


def test_a_long_attachment_name_keeps_its_suffix_within_255_bytes() -> None:
    mail = body(b"x", "Content-Type: application/pdf; name=" + "ü" * 400 + ".pdf")
    name = mail.attachments[0].name
    assert len(name.encode()) <= 255
    assert name.endswith("ü.pdf")


PARTS = (
    b"From: a@example.com\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\nfirst\n--b\n"
    b"Content-Type: text/plain; name=x.txt\nContent-Disposition: inline; filename=x.txt\n\nattached\n--b\n"
    b"Content-Type: text/html\n\n<p>second</p>\n"
)


@pytest.mark.parametrize("end", [b"--b--\nepilogue\n", b"--b", b"", b"--b--"])
@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r"])
def test_texts_of_a_mixed_mail_are_joined_whatever_its_line_ends_and_its_end(end: bytes, line: bytes) -> None:
    mail = parse((PARTS + end).replace(b"\n", line))
    assert mail.text == "first\n\nsecond"
    assert mail.html is not None
    assert "<pre>first</pre>" in mail.html
    assert [(a.part, a.name, a.size) for a in mail.attachments] == [("2", "x.txt", 8)]


def test_the_structure_is_told_with_numbers_sizes_and_names() -> None:
    mail = parse(PARTS + b"--b--")
    assert [(part.number, part.type, part.size, part.name) for part in mail.parts] == [
        ("", "multipart/mixed", len(PARTS) - PARTS.index(b"preamble") - 1, ""),
        ("1", "text/plain", 5, ""),
        ("2", "text/plain", 8, "x.txt"),
        ("3", "text/html", 13, ""),
    ]
    assert [(part.number, part.size) for part in parse(b"Subject: x\n\nhello").parts] == [("1", 5)]


def test_a_multipart_that_is_none_is_shown_as_text() -> None:
    assert body(b"just text", "Content-Type: multipart/mixed; boundary=zzz").text == "just text"
    assert body(b"just text", "Content-Type: multipart/mixed").text == "just text"
    assert body(b"--q\r\n\r\nfound\r\n--q--\r\n", "Content-Type: multipart/mixed").text == "found"


def test_a_multipart_without_parts_is_attached_and_opens() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\nhello\n--a\nContent-Type: multipart/mixed; boundary=zzz\n\nx\n--a--\n"
    (known,) = parse(raw).attachments
    assert (known.part, known.type) == ("2", "application/octet-stream")
    assert open_part(raw, "2") == (known, b"x")


def test_an_inner_boundary_that_begins_like_the_outer_one() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n"
    raw += b"--ab\n\none\n--ab--\n--a\n\ntwo\n--a--\n"
    assert parse(raw).text == "one\n\ntwo"


def test_a_body_without_the_blank_line_is_not_lost() -> None:
    assert parse(b"From: a@example.com\nSubject: x\nHello there\n\nmore").text == "Hello there\n\nmore"
    assert parse(b"Hello there\n\nmore").text == "Hello there\n\nmore"


def test_foreign_lines_do_not_end_a_header_block_that_goes_on() -> None:
    mail = parse(b"Received: from x\n\\tby y\n\\tid z\nFrom: a@example.com\nSubject: x\n\ntext")
    assert (mail.subject, mail.text) == ("x", "text")
    assert mail.defects == ["a line of the header block is no field"]
    assert parse(b"From: a@example.com\nHello there\nplease\nnote: this\n\nmore").text == "Hello there\nplease\nnote: this\n\nmore"


def test_html_becomes_text_for_people() -> None:
    page = """<html><head><title>t</title><style>p{}</style></head><body><h1>Hello &amp; hi</h1><p>one<br>two</p>
    <ul><li>a</li><li>b</li></ul><script>alert("<p>no</p>")</script><div style="display:none">hidden <div>deep</div></div>
    <p>See <a href="https://example.com/x">the page</a> or <a href="https://example.com">example.com</a></p>
    <blockquote>old<br>older<blockquote>oldest</blockquote></blockquote><table><tr><td>c1</td><td>c2</td></tr></table>
    <!-- <p>no</p> --><pre>x  y
    z</pre><img alt="logo"> 1 < 2</body></html>"""
    assert html_to_text(page) == (
        "Hello & hi\n\none\ntwo\n\n- a\n- b\n\nSee the page <https://example.com/x> or example.com\n\n"
        "> old\n> older\n>\n> > oldest\n\nc1 c2\n\nx  y\n    z\n\n[logo] 1 < 2"
    )


def test_a_mail_of_ours_is_known_by_its_header() -> None:
    assert parse(f"{OWN_HEADER}: 7\r\n\r\nx".encode()).kind is Kind.OWN


@pytest.mark.parametrize("char", ["a", '"', "\\", "\n", "é", "漢", "😀", "\t"])
def test_a_text_is_cut_by_its_bytes_as_json_and_never_within_a_character(char: str) -> None:
    text, was_cut = cut(char * 1000, 300)
    size = len(json.dumps(text, ensure_ascii=False).encode())
    assert was_cut
    assert set(text) == {char}
    assert 300 - 4 <= size <= 300


def test_a_text_that_fits_is_only_cleaned() -> None:
    assert cut("a\r\nb\rc\x00\x07\td\ud800", 100) == ("a\nb\nc\td\ufffd", False)


@pytest.mark.parametrize("content_type", ["text/plain", "text/html"])
@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_long_texts_are_cut_and_marked(content_type: str, size: int) -> None:
    mail = body(b"abc \n" * (size // 5), f"Content-Type: {content_type}")
    assert len(mail.text) <= TEXT_LIMIT
    assert mail.text_truncated or content_type == "text/html"
    assert mail.html_truncated == (content_type == "text/html")
    assert len(mail.model_dump_json()) < 1024 * 1024


def test_the_model_survives_the_wire() -> None:
    mail = parse(whole_mail())
    assert ParsedMail.model_validate_json(mail.model_dump_json(by_alias=True)) == mail
    assert Attachment.model_validate_json(mail.attachments[0].model_dump_json()) == mail.attachments[0]


def test_envelopes_need_no_package_of_the_mail_extra() -> None:
    program = (
        "import sys; sys.modules['charset_normalizer'] = sys.modules['selectolax'] = None\n"
        "from shared.mail.envelope import envelope\n"
        "assert envelope(b'Subject: Gr\\xfc\\xdfe\\n\\n').subject == 'Gr\\xfc\\xdfe'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
