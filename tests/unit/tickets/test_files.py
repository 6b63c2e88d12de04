"""Which attachments are handed out, and under which names."""

from __future__ import annotations

import pytest

from tickets.domain.files import Policy, disposition, file_name, mail_name

POLICY = Policy.of("exe, .JS,com,application/x-msdownload,", 1024 * 1024)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("setup.exe", "application/octet-stream"),
        ("SETUP.EXE", "application/octet-stream"),
        ("invoice.pdf.exe", "application/pdf"),
        ("invoice.exe.pdf", "application/pdf"),
        ("invoice.exe. . ", "application/pdf"),
        ("invoice.pdf .exe ", "application/pdf"),
        ("photo\u202egpj.exe", "image/jpeg"),
        ("photo.e\u200bxe", "image/jpeg"),
        ("a/../run.js", "text/plain"),
        ("command.com", "application/octet-stream"),
        ("harmless.txt", "Application/X-MSDownload"),
    ],
)
def test_what_may_run_a_program_is_not_handed_out(name: str, media_type: str) -> None:
    assert "not handed out" in (POLICY.refusal(name, media_type, 1) or "")


@pytest.mark.parametrize("name", ["invoice.pdf", "exe", ".exe.notes.txt", "www.shop.com.pdf", "annex", "", "a.exe.b.pdf"])
def test_everything_else_is(name: str) -> None:
    assert POLICY.refusal(name, "application/pdf", 1024 * 1024) is None


def test_a_refusal_names_the_limit_and_the_size() -> None:
    said = POLICY.refusal("film.mp4", "video/mp4", 5 * 1024 * 1024) or ""
    assert "larger than 1 MiB" in said
    assert "5 MiB" in said


def test_an_empty_list_hands_out_all() -> None:
    assert Policy.of("", 100).refusal("setup.exe", "application/x-msdownload", 100) is None


@pytest.mark.parametrize(
    ("written", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\temp\\x.txt", "C__temp_x.txt"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("a\r\nSet-Cookie: b.txt", "a Set-Cookie_ b.txt"),
        ("report.pdf...", "report.pdf"),
        ("\x00", "attachment"),
        ("", "attachment"),
        ("..", "attachment"),
    ],
)
def test_a_name_is_one_component_of_a_path(written: str, safe: str) -> None:
    assert file_name(written) == safe


def test_a_very_long_name_keeps_its_ending() -> None:
    name = file_name("ä" * 5000 + ".pdf")
    assert name.endswith(".pdf")
    assert len(name.encode()) <= 255
    assert len(mail_name("ö" * 5000).encode()) <= 255


def test_a_mails_file_is_called_as_its_subject() -> None:
    assert mail_name("Re: Offer 1/2") == "Re_ Offer 1_2.eml"
    assert mail_name(" \n") == "mail.eml"
    assert disposition("attachment", mail_name("Größe")).endswith("filename*=UTF-8''Gr%C3%B6%C3%9Fe.eml")
