"""Templates and canned answers of the stand-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastapi import FastAPI

from shared import api
from shared.http import IfMatch, ProblemError, check_if_match, invalid, not_found
from tests.kit.stand_in_mailboxes import ago

if TYPE_CHECKING:
    from tests.kit.stand_in_world import World


def templates() -> list[api.Template]:
    """A canned answer for all mailboxes, one of another mailbox, and an acknowledgement."""
    rows: list[dict[str, Any]] = [
        {"id": "t1", "name": "We look into it", "kind": "canned", "text": "Dear {{ customer.name }},\n\nwe look into {{ ticket.id }}."},
        {"id": "t2", "name": "Billing only", "kind": "canned", "scanner_id": "billing", "text": "Your invoice"},
        {"id": "t3", "name": "Acknowledgement", "kind": "acknowledgement", "text": "We have your mail."},
    ]
    dates = {"created_at": ago(days=9), "updated_at": ago(days=2), "version": 1}
    return [api.Template.model_validate(row | dates) for row in rows]


def _filled(text: str, values: api.TemplateValues) -> str:
    if "{{ nothing" in text:
        raise invalid([("text", "line 1: there is no variable `nothing`; use one of: customer.name, ticket.id")])
    for name, value in values.model_dump().items():
        text = text.replace(f"{{{{ {name.replace('_', '.', 1)} }}}}", str(value))
    return text


def serve_templates(app: FastAPI, world: World) -> None:
    """Its paths."""

    def known(key: str) -> api.Template:
        if key not in world.templates:
            raise not_found("template", key)
        return world.templates[key]

    @app.get("/templates")
    def listed(kind: str | None = None) -> api.Page[api.Template]:
        return api.Page(items=[item for item in world.templates.values() if kind in {None, item.kind}])

    @app.post("/templates", status_code=201)
    def create(wanted: api.TemplateIn) -> api.Template:
        _filled(wanted.text, api.TemplateValues())
        alike = [item for item in world.templates.values() if (item.kind, item.scanner_id) == (wanted.kind, wanted.scanner_id)]
        if wanted.kind != "canned" and alike:
            raise ProblemError(409, "There is one already", f"“{alike[0].name}” is it: change that one, or delete it first.")
        made = api.Template(id=str(uuid4()), version=1, created_at=ago(), updated_at=ago(), **wanted.model_dump())
        world.templates[made.id] = made
        return made

    _serve_previews(app, known)

    @app.get("/templates/{key}")
    def one(key: str) -> api.Template:
        return known(key)

    @app.patch("/templates/{key}")
    def change(key: str, patch: api.TemplatePatch, if_match: IfMatch = None) -> api.Template:
        found = known(key)
        check_if_match(if_match, found.version)
        fields = patch.model_dump(exclude_none=True) | {"version": found.version + 1}
        world.templates[key] = found.model_copy(update=fields)
        return world.templates[key]

    @app.delete("/templates/{key}", status_code=204)
    def delete(key: str) -> None:
        known(key)
        world.templates.pop(key)


def _serve_previews(app: FastAPI, known: Callable[[str], api.Template]) -> None:
    @app.post("/templates/preview")
    def preview(wanted: api.TemplatePreviewIn) -> api.TemplatePreview:
        text = _filled(wanted.text, wanted.values)
        return api.TemplatePreview(text=text, html=_filled(wanted.html, wanted.values) or f"<div>{text}</div>")

    @app.post("/templates/{key}/preview")
    def fill_in(key: str, wanted: api.TemplateRenderIn) -> api.TemplatePreview:
        text = _filled(known(key).text, wanted.values)
        return api.TemplatePreview(text=text, html=f"<div>{text}</div>")
