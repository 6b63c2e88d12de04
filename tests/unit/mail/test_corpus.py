"""Real mails of public test suites: each is read, as the suites expect it unless the table below says why not."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from shared.mail.parse import parse
from shared.mail.parts import Structure
from tests.kit.corpus import needs_corpus, paths

SECONDS: Final = 1.0

pytestmark = needs_corpus

ONE_TEXT: Final = (
    "wrong: the suite lists every text of a mixed mail but the first as an attachment too; here they are one text, nothing is lost"
)
EMPTY: Final = "wrong: an empty text part is no attachment"

EXCEPTIONS: Final[dict[tuple[str, str], str]] = {
    ("stalwartlabs-mail-parser__malformed-001", "attachments"): EMPTY,
    ("stalwartlabs-mail-parser__malformed-004", "attachments"): ONE_TEXT,
    ("stalwartlabs-mail-parser__malformed-006", "attachments"): ONE_TEXT,
    ("stalwartlabs-mail-parser__malformed-008", "attachments"): ONE_TEXT,
    ("stalwartlabs-mail-parser__malformed-009", "attachments"): ONE_TEXT,
    ("stalwartlabs-mail-parser__malformed-012", "attachments"): "wrong: three mails are attached, the suite lists two",
    ("stalwartlabs-mail-parser__malformed-020", "text_contains"): (
        "wrong: of two Content-Type fields in one part the suite takes the last and shows boundary lines and tags as text"
    ),
    ("stalwartlabs-mail-parser__legacy-049", "text_contains"): "wrong: the suite leaves uuencoded files in the text",
    ("webklex-php-imap__embedded_email_without_content_disposition", "attachments"): "wrong here: an attached mail is an attachment too",
    (
        "zbateson-mail-mime-parser__m1011",
        "subject",
    ): "wrong: UTF-7 is no charset of raw header fields, and the text stands there as written",
    (
        "zbateson-mail-mime-parser__m1011",
        "text_contains",
    ): "wrong: its UTF-7 is damaged (`Fr+XKM-he` is U+5CA3), the umlauts are nowhere in the mail",
}


def folded(text: str) -> str:
    return " ".join(text.split())


def misses(raw: bytes, expected: dict[str, Any]) -> set[str]:
    """The fields of an expectation that do not hold."""
    mail, structure = parse(raw), Structure(raw)
    leaves = {hashlib.sha256(structure.content(part)).hexdigest() for part in structure.leaves()}
    numbers = {part.number for part in structure.leaves()}
    attachments = [one for one in mail.attachments if one.part in numbers]  # the suites list parts, not what is within one
    attached = expected.get("attachments", attachments)
    holds: dict[str, Callable[[Any], bool]] = {
        "subject": lambda want: folded(want) == folded(mail.subject),
        "from_addr": lambda want: mail.from_ is not None and want == mail.from_.address,
        "text_contains": lambda want: all(folded(text) in folded(mail.text) for text in want),
        "html_text_contains": lambda want: all(folded(text) in folded(mail.html or "") for text in want),
        "attachments": lambda want: (
            len(want) == len(attachments)
            and all(getattr(have, key) == value for one, have in zip(attached, attachments, strict=True) for key, value in one.items())
        ),
        "attachment_count_min": lambda want: len(mail.attachments) >= want,
        "leaf_bin_sha256": lambda want: set(want) <= leaves,
        "tnef_inner_names": lambda want: set(want) <= {one.name for one in mail.attachments},
    }
    return {key for key, check in holds.items() if key in expected and not check(expected[key])}


@pytest.mark.parametrize("folder", ["mime", "bounce", "autoreply", "pec", "malicious", "reply"])
def test_every_mail_is_read_in_time(folder: str, record_property: Any) -> None:
    mails = [(path.stem, path.read_bytes()) for path in paths(folder)]
    assert mails
    spent = []
    for name, raw in mails:
        began = time.process_time()
        mail = parse(raw)
        spent.append(time.process_time() - began)
        assert spent[-1] < SECONDS, name
        assert mail.model_dump_json(by_alias=True), name
    record_property("mails_per_second", round(len(mails) / max(sum(spent), 1e-9)))


def test_the_mails_are_as_their_suites_expect() -> None:
    found = {
        (path.stem, key)
        for path in paths("mime")
        if (expectation := path.with_suffix(".expected.json")).is_file()
        for key in misses(path.read_bytes(), json.loads(expectation.read_text("utf-8")))
    }
    assert found == set(EXCEPTIONS), "a new miss, or an exception that is none any more: take it off the table"
