"""What a ledger keeps of a header block is what its envelope says."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from shared.events import RawMail
from shared.mail.envelope import envelope, head
from shared.messaging.raw_mail import raw_mail_extensions
from tests.kit.corpus import needs_corpus, paths

FIELDS = ("subject", "from_", "to", "cc", "message_id", "in_reply_to", "references")


@needs_corpus
@pytest.mark.parametrize("path", paths(), ids=lambda path: path.name)
def test_the_head_of_a_mail_is_its_envelopes(path: Path) -> None:
    raw = path.read_bytes()
    assert [getattr(head(raw), name) for name in FIELDS] == [getattr(envelope(raw), name) for name in FIELDS]


@pytest.mark.parametrize("folder", ["INBOX", "Größe/%41", "a\tb", "x~y`z|{}^", 'say "hi" \\ now', "été", "-._"])
def test_an_attribute_is_percent_encoded_where_it_has_to_be(folder: str) -> None:
    values = {"scanner_id": "s", "folder": folder, "uid_validity": 1, "uid": 2, "received_at": "2026-11-23T12:00:00Z", "size": 3}
    mail = RawMail.model_validate(values | {"sha256": "ab", "archive_key": "k", "conversation": "<a@b>"})
    assert raw_mail_extensions(mail)["folder"] == quote(folder, safe=" :/<>@+=,;!#$&'()*[]{}|^~`?")
