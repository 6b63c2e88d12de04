"""Templates of mails: their texts, the values that stand for their variables, and the layout where nobody made one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from notifier.domain.body import markup, readable
from notifier.domain.headers import one_line
from notifier.domain.template_language import TemplateProblemError, always_shows, filled, parsed
from shared.api import TemplateKind
from shared.mail.answer_subject import bare_title, without_marks

MAX_SUBJECT: Final = 500

_COMMON: Final = ("ticket.id", "ticket.title", "customer.name", "customer.address", "mailbox.name", "mailbox.address")
_OPERATOR: Final = ("operator.name", "operator.address")
VARIABLES: Final[Mapping[TemplateKind, frozenset[str]]] = {
    TemplateKind.ANSWER: frozenset({*_COMMON, *_OPERATOR, "answer", "signature"}),
    TemplateKind.ACKNOWLEDGEMENT: frozenset({*_COMMON, "signature"}),
    TemplateKind.CANNED: frozenset({*_COMMON, *_OPERATOR}),
}
"""No operator writes an acknowledgement, and a canned answer has its signature from the answer around it."""


@dataclass(frozen=True)
class Texts:
    """A template's. Without `html` it is made of `text`."""

    text: str
    html: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Values:
    """What the variables stand for: `ticket.id` for `ticket_id`, and so on; blank where there is none."""

    ticket_id: int
    ticket_title: str = ""
    customer_name: str = ""
    customer_address: str = ""
    operator_name: str = ""
    operator_address: str = ""
    mailbox_name: str = ""
    mailbox_address: str = ""
    answer: str = ""
    signature: str = ""


@dataclass(frozen=True)
class Rendered:
    """What a template makes: one line, lines that end in LF, and the inside of an HTML body."""

    subject: str
    text: str
    html: str


DEFAULTS: Final[Mapping[TemplateKind, Texts]] = {
    TemplateKind.ANSWER: Texts(
        text="{{ answer }}{% if signature %}\n\n-- \n{{ signature }}{% endif %}",
        html="<div>{{ answer }}</div>{% if signature %}\n<br>\n<div>-- <br>\n{{ signature }}</div>{% endif %}",
    ),
    # Nothing of it is the sender's: what they wrote as their name or title is not sent on in our name.
    TemplateKind.ACKNOWLEDGEMENT: Texts(
        text=(
            "Hello,\n\nwe have received your message. Its number is {{ ticket.id }}; we will answer you as soon as we can.\n"
            "To add something, answer this mail.\n\n{{ mailbox.name or mailbox.address }}"
            "{% if signature %}\n\n-- \n{{ signature }}{% endif %}"
        )
    ),
    TemplateKind.CANNED: Texts(text=""),
}


def check(kind: TemplateKind, texts: Texts) -> None:
    """Whether it can be kept: each text uses what is offered, and none loses the answer. Raises TemplateProblemError."""
    if texts.subject and kind is not TemplateKind.ACKNOWLEDGEMENT:
        raise TemplateProblemError("subject", 1, "leave it blank: answers have the ticket's title and number as their subject")
    if texts.html.strip() and kind is TemplateKind.CANNED:
        raise TemplateProblemError("html", 1, "leave it blank: a canned answer is put into the text that an operator writes")
    if not texts.text.strip():
        raise TemplateProblemError("text", 1, "write a text: it is what is sent")
    for field, source in (("subject", texts.subject), ("text", texts.text), ("html", texts.html)):
        tree = parsed(field, source, VARIABLES[kind])
        if kind is TemplateKind.ANSWER and source.strip() and not always_shows(tree, "answer"):
            raise TemplateProblemError(
                field, 1, "put `{{ answer }}` into it, outside of any `{% if %}`: else nobody gets what was answered"
            )


def render(kind: TemplateKind, texts: Texts, values: Values) -> Rendered:
    """The template filled in. Raises TemplateProblemError, and nothing else."""
    names, context = VARIABLES[kind], _context(values)
    subject = _subject(filled("subject", texts.subject, names, context | _of_subject(values)), values.ticket_id)
    text = readable(filled("text", texts.text, names, context))
    html = readable(filled("html", texts.html, names, context)) if texts.html.strip() else f"<div>{markup(text)}</div>"
    return Rendered(subject, text, html)


def render_or_default(kind: TemplateKind, texts: Texts | None, values: Values) -> tuple[Rendered, str | None]:
    """As `render`; by the default where there is no template, or the template fails, whose reason is given too: no mail waits for that."""
    if texts is not None:
        try:
            return render(kind, texts, values), None
        except TemplateProblemError as error:
            return render(kind, DEFAULTS[kind], values), f"sent without its template, which cannot be filled in: {error}"
    return render(kind, DEFAULTS[kind], values), None


def _subject(made: str, ticket_id: int) -> str:
    """One line, in which nothing shows as something else, or names another ticket: neither the template nor a customer's name may."""
    return without_marks(one_line(made)[:MAX_SUBJECT], but=ticket_id)


def _of_subject(values: Values) -> dict[str, Any]:
    """The title as an answer's subject has it: `Re:` and the mark of its ticket are the template's to add."""
    return {"ticket": {"id": str(values.ticket_id), "title": bare_title(values.ticket_title)}}


def _context(values: Values) -> dict[str, Any]:
    return {
        "ticket": {"id": str(values.ticket_id), "title": one_line(values.ticket_title)},
        "customer": {"name": one_line(values.customer_name), "address": one_line(values.customer_address)},
        "operator": {"name": one_line(values.operator_name), "address": one_line(values.operator_address)},
        "mailbox": {"name": one_line(values.mailbox_name), "address": one_line(values.mailbox_address)},
        "answer": readable(values.answer),
        "signature": readable(values.signature),
    }
