"""`/templates`: what answers and acknowledgements are made with, and canned answers."""

from __future__ import annotations

from typing import Annotated, Any, NoReturn
from uuid import uuid4

from fastapi import APIRouter, Query, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters import templates
from notifier.domain.headers import one_line
from notifier.domain.template_language import TemplateProblemError
from notifier.domain.templates import Texts, Values, check, render
from shared.api import (
    Page,
    Template,
    TemplateIn,
    TemplateKind,
    TemplatePatch,
    TemplatePreview,
    TemplatePreviewIn,
    TemplateRenderIn,
    TemplateValues,
)
from shared.events import derived_id
from shared.http import (
    Actor,
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    ProblemError,
    check_if_match,
    decode_cursor,
    invalid,
    not_found,
    page,
    strip_none,
    with_etag,
)
from shared.messaging.outbox import Outbox

OfMailbox = Annotated[str | None, Query(max_length=100, description="Those of this mailbox and those for all")]


class _TemplatesApi:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def list(
        self, limit: Limit = 50, cursor: Cursor = None, kind: TemplateKind | None = None, scanner_id: OfMailbox = None
    ) -> Page[Template]:
        """By name."""
        after = decode_cursor(cursor, 2)
        async with self._outbox.engine.connect() as conn:
            rows = await templates.page(conn, kind, scanner_id, (str(after[0]), str(after[1])) if after else None, limit + 1)
        return page([_view(row) for row in rows], limit, lambda template: (template.name, template.id))

    async def create(self, body: TemplateIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Template:
        """The same key gives the same template, once."""
        template_id = derived_id("idempotency", actor, key) if key else str(uuid4())
        values = _stored(body.model_dump(mode="json")) | {"id": template_id}
        _check(body.kind, values)
        async with self._outbox.engine.begin() as conn:
            if not await templates.create(conn, values) and await templates.get(conn, template_id) is None:
                await _there_is_one(conn, body.kind, body.scanner_id)
            made = _view(await _found(conn, template_id))
        response.headers["Location"] = f"/api/v1/templates/{template_id}"
        with_etag(response, made.version)
        return made

    async def get(self, template_id: str, response: Response) -> Template:
        async with self._outbox.engine.connect() as conn:
            found = _view(await _found(conn, template_id))
        with_etag(response, found.version)
        return found

    async def change(self, template_id: str, body: TemplatePatch, response: Response, if_match: IfMatch = None) -> Template:
        """The fields given. Mails not made yet are made with them."""
        given = _stored(strip_none(body.model_dump(mode="json")))
        async with self._outbox.engine.begin() as conn:
            row = await _found(conn, template_id, lock=True)
            check_if_match(if_match, row.version)
            if row.kind == TemplateKind.CANNED:
                given = {"html": ""} | given  # canned answers could have one once, which nothing used: it keeps nobody from a change
            _check(TemplateKind(row.kind), _view(row).model_dump() | given)
            await templates.change(conn, template_id, given)
            changed = _view(await _found(conn, template_id))
        with_etag(response, changed.version)
        return changed

    async def remove(self, template_id: str, if_match: IfMatch = None) -> None:
        """Mails not made yet are made with the one for all mailboxes, or the default."""
        async with self._outbox.engine.begin() as conn:
            row = await _found(conn, template_id, lock=True)
            check_if_match(if_match, row.version)
            await templates.remove(conn, template_id)

    async def preview(self, body: TemplatePreviewIn) -> TemplatePreview:
        """What would be sent, of texts that need not be saved. Raises ProblemError 422 for one that could not be."""
        texts = Texts(body.text, body.html, body.subject)
        return _preview(body.kind, texts, body.values, strict=True)

    async def fill_in(self, template_id: str, body: TemplateRenderIn | None = None) -> TemplatePreview:
        """As `preview`, of a saved one."""
        async with self._outbox.engine.connect() as conn:
            row = await _found(conn, template_id)
        values = body.values if body is not None else TemplateValues()
        return _preview(TemplateKind(row.kind), Texts(row.text, row.html, row.subject), values)


def templates_router(outbox: Outbox) -> APIRouter:
    """`/templates`."""
    api = _TemplatesApi(outbox)
    router = APIRouter(prefix="/templates")
    router.add_api_route("", api.list, methods=["GET"])
    router.add_api_route("", api.create, methods=["POST"], status_code=201)
    router.add_api_route("/preview", api.preview, methods=["POST"])
    router.add_api_route("/{template_id}", api.get, methods=["GET"])
    router.add_api_route("/{template_id}", api.change, methods=["PATCH"])
    router.add_api_route("/{template_id}", api.remove, methods=["DELETE"], status_code=204)
    router.add_api_route("/{template_id}/preview", api.fill_in, methods=["POST"])
    return router


async def _found(conn: AsyncConnection, template_id: str, *, lock: bool = False) -> Row[Any]:
    row = await templates.get(conn, template_id, lock=lock)
    if row is None:
        raise not_found("template", template_id)
    return row


async def _there_is_one(conn: AsyncConnection, kind: TemplateKind, scanner_id: str | None) -> NoReturn:
    other = await templates.rival(conn, kind, scanner_id)
    name, where = other.name if other else "another", "this mailbox" if scanner_id else "all mailboxes"
    words = f"“{name}” is the {kind} template of {where}: change that one, or delete it first."
    raise ProblemError(409, "There is one already", words, template_id=other.id if other else None)


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    """Postgres' text takes no NUL; a name and a subject are one line."""
    kept = {name: value.replace("\x00", "") if isinstance(value, str) else value for name, value in values.items()}
    return kept | {name: one_line(kept[name]) for name in ("name", "subject") if name in kept}


def _check(kind: TemplateKind, values: dict[str, Any]) -> None:
    """Raises ProblemError 422 that names the field, the line and what to do."""
    try:
        check(kind, Texts(values["text"], values["html"], values["subject"]))
    except TemplateProblemError as error:
        raise invalid([(error.field, str(error).partition(", ")[2])]) from error


def _preview(kind: TemplateKind, texts: Texts, values: TemplateValues, *, strict: bool = False) -> TemplatePreview:
    try:
        if strict:
            check(kind, texts)
        made = render(kind, texts, Values(**values.model_dump()))
    except TemplateProblemError as error:
        raise invalid([(error.field, str(error).partition(", ")[2])]) from error
    return TemplatePreview(subject=made.subject, text=made.text, html=made.html)


def _view(row: Row[Any]) -> Template:
    return Template(**{name: getattr(row, name) for name in Template.model_fields})
