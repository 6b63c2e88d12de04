"""Templates of mails and canned answers (notifier).

Texts are Jinja, sandboxed and without loops or calls: `{{ customer.name }}`, filters, `{% if %}`. Variables: `ticket.id`, `ticket.title`,
`customer.name`, `customer.address`, `operator.name`, `operator.address`, `mailbox.name`, `mailbox.address`; in an answer's template also
`answer` and `signature`. The quoted history follows by itself.

A variable is blank where nobody knows its value: `customer.name` where the customer's mails have no name, `operator.address` where the
operator has set none. `{{ customer.name|default("customer") }}` and `{% if customer.name %}` are for that. In a subject `ticket.title` is
without `Re:` and without numbers of tickets. A canned answer has neither subject nor `html`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.api.common import ApiModel, Name

Text = Annotated[str, Field(max_length=50_000)]


class TemplateKind(StrEnum):
    """What a template makes."""

    ANSWER = "answer"
    """What is around an operator's answer."""
    ACKNOWLEDGEMENT = "acknowledgement"
    """The whole of an automatic acknowledgement."""
    CANNED = "canned"
    """A text operators put into their answers."""


class TemplateIn(ApiModel):
    """POST /templates. Of an answer or acknowledgement there is one per mailbox, and one for all mailboxes without their own (409)."""

    name: Name
    kind: TemplateKind
    scanner_id: str | None = Field(default=None, max_length=100, description="Null: for all mailboxes")
    subject: Annotated[str, Field(max_length=500)] = Field(default="", description="acknowledgement: blank for the answers' own subject")
    text: Text
    html: Text = Field(default="", description="Blank: made of `text`. Values put in are escaped. canned: blank")


class TemplatePatch(ApiModel):
    """PATCH /templates/{id}."""

    name: Name | None = None
    subject: Annotated[str, Field(max_length=500)] | None = None
    text: Text | None = None
    html: Text | None = None


class Template(TemplateIn):
    """GET /templates/{id}."""

    id: str
    version: int
    created_at: datetime
    updated_at: datetime


class TemplateValues(ApiModel):
    """What the variables stand for; the defaults are the preview's examples. Blank: not known, as `customer_name` often is."""

    ticket_id: int = 123
    ticket_title: str = Field(default="Printer on fire", max_length=1000)
    customer_name: str = Field(default="Anna Verdi", max_length=500)
    customer_address: str = Field(default="anna@customer.example", max_length=320)
    operator_name: str = Field(default="Otto Berg", max_length=500)
    operator_address: str = Field(default="otto@company.example", max_length=320)
    mailbox_name: str = Field(default="Help desk", max_length=500)
    mailbox_address: str = Field(default="help@company.example", max_length=320)
    answer: str = Field(default="Have you tried turning it off and on again?", max_length=100_000)
    signature: str = Field(default="The help desk", max_length=10_000)


class TemplatePreviewIn(ApiModel):
    """POST /templates/preview: texts that need not be saved. POST /templates/{id}/preview takes `values` alone."""

    kind: TemplateKind = TemplateKind.CANNED
    subject: Annotated[str, Field(max_length=500)] = ""
    text: Text = ""
    html: Text = ""
    values: TemplateValues = TemplateValues()


class TemplateRenderIn(ApiModel):
    """POST /templates/{id}/preview."""

    values: TemplateValues = TemplateValues()


class TemplatePreview(ApiModel):
    """What would be sent."""

    subject: str = ""
    text: str
    html: str = ""
