"""Events written by the first version are still read, and what a newer writer adds does not disturb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.events import EventModel
from shared.messaging.envelope import MalformedEventError, read_envelope
from shared.messaging.raw_mail import raw_mail_extensions, read_raw_mail
from shared.messaging.received import Received, Record, receive
from shared.topics import BY_NAME, MAIL_RAW, TOPICS, Topic

SAMPLES = Path(__file__).parent / "samples" / "v1"
FILES = sorted(SAMPLES.glob("*.json"))
HEADERS = {"ce_specversion": "1.0", "ce_id": "e1", "ce_source": "/mailconverter/x", "ce_time": "2026-11-23T10:00:00Z"}


def topic_of(path: Path) -> Topic:
    return BY_NAME[".".join(path.stem.split(".")[:2])]


def record(path: Path, extra: dict[str, Any]) -> Record:
    content = json.loads(path.read_text())
    topic = topic_of(path)
    if topic is MAIL_RAW:
        return Record("t", 0, 0, b"k", content | {f"ce_{name}": str(value) for name, value in extra.items()}, b"Subject: x\r\n\r\n")
    return Record("t", 0, 0, b"k", HEADERS | {"ce_type": topic.event_type}, json.dumps(content | extra).encode())


def test_every_topic_has_a_sample() -> None:
    assert {topic_of(path).name for path in FILES} == {topic.name for topic in TOPICS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sample_of_the_first_version_is_read_whole(path: Path) -> None:
    received: Received[EventModel] = receive(record(path, {}), topic_of(path))
    assert set(received.body.model_dump(exclude_none=True)) >= set(received.body.model_fields_set)
    if topic_of(path) is not MAIL_RAW:
        written = json.loads(received.body.model_dump_json(by_alias=True, exclude_unset=True))
        assert written == json.loads(path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_fields_of_a_newer_writer_are_ignored(path: Path) -> None:
    topic = topic_of(path)
    assert receive(record(path, {"newfield": 1}), topic).body == receive(record(path, {}), topic).body


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_another_version_of_the_type_is_refused_not_guessed_at(topic: Topic) -> None:
    newer = Record("t", 0, 0, b"k", HEADERS | {"ce_type": topic.event_type.replace(".v1", ".v2")}, b"{}")
    with pytest.raises(MalformedEventError, match="not"):
        receive(newer, topic)


def test_attributes_of_a_raw_mail_come_back_as_they_were_sent() -> None:
    sample = json.loads((SAMPLES / "mail.raw.json").read_text())
    body = read_raw_mail(read_envelope(sample))
    assert body.folder == "Clienti è nuovi"
    nasty = body.model_copy(update={"folder": "a\nb%c ü\U0001f525", "data_ref": "s/%25.zst", "pec": True})
    headers = sample | {f"ce_{name}": value for name, value in raw_mail_extensions(nasty).items()}
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert read_raw_mail(read_envelope(headers)) == nasty
