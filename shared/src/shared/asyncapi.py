"""AsyncAPI 3.0 documents and JSON schemas, generated from the topics table: `python -m shared.asyncapi [--check]`.

One document per service says what it receives and sends; `schemas/` holds each event's JSON schema. Committed under `docs/asyncapi/`,
so that a change of a contract shows in review; CI fails when they differ.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from shared.topics import TOPICS, Topic

FOLDER = Path("docs/asyncapi")
SERVICES = ("fetcher", "rules", "tickets", "notifier", "console")


def documents() -> dict[str, str]:
    """File name relative to `docs/asyncapi` → its text."""
    files = {f"schemas/{topic.name}.v1.json": _dump(_schema(topic)) for topic in TOPICS}
    return files | {f"{service}.json": _dump(_document(service)) for service in SERVICES}


def _schema(topic: Topic) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **topic.model.model_json_schema(by_alias=True)}


def _document(service: str) -> dict[str, Any]:
    topics = [topic for topic in TOPICS if service in topic.written_by or service in topic.read_by]
    operations: dict[str, Any] = {}
    for topic in topics:
        reference = {"$ref": f"#/channels/{topic.name}"}
        if service in topic.written_by:
            operations[f"send {topic.name}"] = {"action": "send", "channel": reference}
        if service in topic.read_by:
            operations[f"receive {topic.name}"] = {"action": "receive", "channel": reference}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": f"Mail Converter: {service}", "version": "1", "description": "Channel addresses are `<namespace>.<name>`."},
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": operations,
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": f"{{namespace}}.{topic.name}",
        "description": f"{topic.description}. Key: {topic.key}.",
        "parameters": {"namespace": {"default": "mailconverter"}},
        "messages": {topic.model.__name__: _message(topic)},
        "bindings": {"kafka": {"partitions": topic.partitions, "topicConfiguration": _configuration(topic)}},
    }


def _message(topic: Topic) -> dict[str, Any]:
    schema = {"$ref": f"schemas/{topic.name}.v1.json"}
    body = {"headers": schema, "payload": {"type": "string"}} if topic.content_type == "message/rfc822" else {"payload": schema}
    return {"name": topic.event_type, "contentType": topic.content_type, "summary": topic.description, **body}


def _configuration(topic: Topic) -> dict[str, Any]:
    configs = topic.configs()
    kept: dict[str, Any] = {"cleanup.policy": [configs["cleanup.policy"]], "max.message.bytes": int(configs["max.message.bytes"])}
    return kept | ({"retention.ms": int(configs["retention.ms"])} if "retention.ms" in configs else {})


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the files, or with `--check` say which differ; run from the project's root."""
    wanted = documents()
    if sys.argv[1:] == ["--check"]:
        return _check(wanted)
    for name, text in wanted.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"asyncapi: {len(wanted)} files written to {FOLDER}")
    return 0


def _check(wanted: dict[str, str]) -> int:
    present = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.json")}
    stale = [name for name, text in wanted.items() if name not in present or (FOLDER / name).read_text(encoding="utf-8") != text]
    stale += sorted(present - wanted.keys())
    for name in stale:
        print(f"asyncapi: {FOLDER / name} is not what the contracts say; run `make docs` and commit", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
