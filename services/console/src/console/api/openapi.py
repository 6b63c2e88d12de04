"""The OpenAPI 3.1 description of the public REST API, made from the table of routes and the models of `shared.api`."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, TypeAdapter

from console.api.routes import PREFIX, ROUTES, Route
from shared.api import Problem, WebhookMessage

PROBLEM = {
    "description": "A problem document (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
REFUSALS = ("401", "403", "404", "422", "503")
QUERY: dict[str, tuple[dict[str, Any], str]] = {
    "limit": ({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "Most items of one page"),
    "cursor": ({"type": "string"}, "The `next` of the page before"),
    "q": ({"type": "string"}, "Text to look for"),
    "status": ({"type": "string"}, "Only tickets of this status"),
    "state": ({"type": "string"}, "Only those in this state"),
    "scanner_id": ({"type": "string"}, "Only those of this scanner"),
    "source": ({"type": "string", "enum": ["mail", "manual"]}, "Only tickets from here"),
    "contact_id": ({"type": "string"}, "Only tickets of this contact"),
    "assignee": ({"type": "string"}, "Only tickets given to this operator"),
    "priority": ({"type": "string"}, "Only tickets of this priority"),
    "category": ({"type": "string"}, "Only tickets of this category"),
    "address": ({"type": "string"}, "Only the record with this mail address"),
    "account_id": ({"type": "string"}, "Only contacts that belong to this account"),
    "tag": ({"type": "string"}, "Only tickets with this tag"),
    "kind": ({"type": "string"}, "Only those of this kind"),
    "attention": ({"type": "boolean"}, "Only tickets somebody must look at"),
    "name": ({"type": "string"}, "The file's name"),
    "ticket_id": ({"type": "integer"}, "Only those of this ticket"),
    "outcome": ({"type": "string"}, "Only mails with this outcome; `none` for those under way"),
    "message_id": ({"type": "string"}, "Only mails with this Message-ID"),
    "restore": ({"type": "boolean", "default": False}, "Bring back what the entry removed"),
    "accept_broken": ({"type": "boolean", "default": False}, "Save although an example breaks; else 409 with the examples in `broken`"),
    "run": ({"type": "integer", "minimum": 1}, "The mail's last run by default"),
    "against": ({"type": "integer", "minimum": 1}, "The other version"),
    "change": ({"type": "string", "enum": ["none", "rule", "outcome", "new", "failed"]}, "Only mails that change in this way"),
    "before": ({"type": "string"}, "Only mails that had become this"),
    "after": ({"type": "string"}, "Only mails that would get this outcome"),
    "since": ({"type": "string", "format": "date-time"}, "Only mails received since"),
}
HEADERS = {
    "Idempotency-Key": "The same key again within 7 days gives the same answer, and the effect once",
    "If-Match": "The ETag of what was read: 412 when it changed meanwhile",
}


@cache
def document() -> dict[str, Any]:
    """The whole description; made once, not to be changed."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    _schema(Problem, schemas)
    for route in ROUTES:
        paths.setdefault(PREFIX + route.path, {})[route.verb.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mail Converter", "version": version("mailconverter-console"), "description": DESCRIPTION},
        "paths": paths,
        "webhooks": {"change": {"post": _told(schemas)}},
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": SECURITY_SCHEMES},
        "security": [{"token": []}, {"session": []}],
    }


DESCRIPTION = (
    "Lists are paged by cursor. Times are RFC 3339, UTC. Ticket ids are integers, all other ids opaque strings. "
    "Long work answers 202 with the job's address in `Location`."
)
SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "`mailconverter token create` makes one"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "session",
        "description": "A console session; other verbs than GET need its CSRF token in `X-CSRF-Token`",
    },
}


def _told(schemas: dict[str, Any]) -> dict[str, Any]:
    """What receivers of webhooks get."""
    return {
        "summary": "A ticket changed",
        "tags": ["webhooks"],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _schema(WebhookMessage, schemas)}}},
        "responses": {"2XX": {"description": "Taken"}, "410": {"description": "The receiver wants no more: the webhook is switched off"}},
        "security": [],
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.path.split("/")[1]],
        "parameters": _parameters(route),
        "responses": {str(route.status): _answer(route, schemas), **dict.fromkeys(REFUSALS, PROBLEM)},
        "x-roles": list(route.roles),
    }
    if route.request is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.request, schemas)}
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    inside = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in re.findall(r"\{(\w+)\}", route.path)]
    query = [{"name": name, "in": "query", "schema": QUERY[name][0], "description": QUERY[name][1]} for name in route.query]
    names = [name for name, wanted in (("Idempotency-Key", route.verb == "POST"), ("If-Match", route.versioned)) if wanted]
    return [*inside, *query, *({"name": n, "in": "header", "schema": {"type": "string"}, "description": HEADERS[n]} for n in names)]


def _answer(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": route.summary}
    if route.response is not None:
        answer["content"] = _content(route.response, schemas)
    if route.status == 202:
        answer["headers"] = {"Location": {"schema": {"type": "string"}, "description": "The job"}}
    return answer


def _content(body: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Of a media type's bytes, or of a model as JSON."""
    if isinstance(body, str):
        return {body: {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": _schema(body, schemas)}}


def _schema(model: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the model's schema, which is added to `schemas` with all it refers to."""
    schema = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return schema
    name = re.sub(r"\W+", "_", model.__name__).strip("_")
    schemas[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def _operation_id(route: Route) -> str:
    words = re.sub(r"\W+", "_", route.path).strip("_")
    return f"{route.verb.lower()}_{words}"
