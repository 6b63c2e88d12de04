"""The topics table, the documents made from it, and the consumers of the five services say the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from faststream import AckPolicy

from local.home import Home
from local.services import SERVICES, Sources, environment
from shared.asyncapi import documents
from shared.messaging.broker import as_bytes, tolerant_headers
from shared.service import Service
from shared.settings import ServiceSettings, load_settings
from shared.topics import MAX_EVENT_BYTES, TICKET_EVENTS, TOPICS

ROOT = Path(__file__).parents[2]
LIVE_PAGES = ("console", TICKET_EVENTS.name)
"""Read by each console replica for itself, without group or inbox: an event missed is a page not refreshed."""

Make = Callable[[str], Service]


@pytest.fixture
def make_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A service put together as in production, with nothing to connect to."""
    home = Home(tmp_path)
    home.prepare(needed_bytes=0)
    sources = Sources("127.0.0.1:1", dict.fromkeys(SERVICES, "postgresql+psycopg://x:x@127.0.0.1:1/x"))

    def make(name: str) -> Service:
        for variable, value in environment(home, name, sources).items():
            monkeypatch.setenv(variable, value)
        settings = import_module(f"{name}.settings")
        models = [
            model for _, model in getmembers(settings, isclass) if issubclass(model, ServiceSettings) and model is not ServiceSettings
        ]
        app: FastAPI = import_module(f"{name}.app").create_app(load_settings(models[0], name))
        service: Service = app.state.service
        return service

    return make


def test_the_committed_documents_are_up_to_date() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "shared.asyncapi", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ,
    )
    assert run.returncode == 0, run.stderr


def test_asyncapi_says_what_the_table_says() -> None:
    files = documents()
    for service in SERVICES:
        operations = set(json.loads(files[f"{service}.json"])["operations"])
        sends = {f"send {topic.name}" for topic in TOPICS if service in topic.written_by}
        receives = {f"receive {topic.name}" for topic in TOPICS if service in topic.read_by}
        assert operations == sends | receives


def test_the_table_is_as_designed() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    for topic in TOPICS:
        assert topic.partitions == 24
        assert int(topic.configs()["max.message.bytes"]) > MAX_EVENT_BYTES
        assert set(topic.written_by) <= set(SERVICES)
        assert set(topic.read_by) <= set(SERVICES)
    assert [topic.name for topic in TOPICS if topic.retention_days is None] == ["scanners", "privacy.erasures"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_consumes_what_the_table_says(name: str, make_service: Make) -> None:
    wanted = {topic.name for topic in TOPICS if name in topic.read_by and (name, topic.name) != LIVE_PAGES}
    assert {consumer.topic.name for consumer in make_service(name).consumers} == wanted


@pytest.mark.parametrize("name", SERVICES)
def test_every_subscriber_is_reliable(name: str, make_service: Make) -> None:
    service = make_service(name)
    subscribers: list[Any] = list(service.broker.subscribers)
    by_group = {subscriber.group_id: subscriber for subscriber in subscribers}
    assert len(by_group) == len(subscribers)
    assert set(by_group) == {f"mailconverter.{name}.{consumer.topic.name}" for consumer in service.consumers}
    for group, subscriber in by_group.items():
        assert subscriber.ack_policy is AckPolicy.NACK_ON_ERROR
        assert subscriber.topic_names == [f"mailconverter.{group.removeprefix(f'mailconverter.{name}.')}"]
        assert subscriber._call_options.decoder is as_bytes
        assert subscriber._call_options.parser is tolerant_headers
        assert subscriber._connection_args["auto_offset_reset"] == "earliest"
