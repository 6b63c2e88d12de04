"""The template environment: autoescaping on, an unknown name is an error, and filters for how values are told."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console.pages import (
    icons,
    mailbox_texts,
    rule_texts,
    simulation_texts,
    template_texts,
    texts,
    ticket_filter,
    ticket_history,
    ticket_texts,
    webhook_texts,
)
from console.pages.files import static_url
from shared.clock import utc_now

HOME = Path(__file__).parent.parent


@cache
def environment() -> Environment:
    """One for the process; templates are compiled once."""
    made = Environment(
        loader=FileSystemLoader(HOME / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {
        "full_time": texts.full_time,
        "iso": lambda value: at.isoformat() if (at := texts.moment(value)) else "",
        "ago": lambda value: texts.ago(value, utc_now()),
        "until": lambda value: texts.until(value, utc_now()),
        "size": texts.size,
        "interval": texts.interval,
        "person": texts.person,
        "address": texts.address,
        "actor": texts.actor,
        "pieces": texts.pieces,
        "rule_conditions": rule_texts.conditions,
        "rule_action": rule_texts.action,
        "condition": rule_texts.condition,
        "result": rule_texts.result,
        "expectation": rule_texts.expectation,
        "outcome": partial(texts.badge, kinds=texts.OUTCOMES),
        "status": partial(texts.badge, kinds=texts.STATUSES),
        "delivery": partial(texts.badge, kinds=texts.DELIVERIES),
        "report": partial(texts.badge, kinds=ticket_texts.REPORTS),
        "seconds_left": lambda value: ticket_texts.seconds_left(value, utc_now()),
        "priority": lambda value: texts.PRIORITIES.get(value, value),
        "query": lambda values: urlencode({name: value for name, value in values.items() if value}),
    }
    made.tests |= {
        "needs_attention": mailbox_texts.needs_attention,
        "always_taking": rule_texts.always_takes,
        "conditional": rule_texts.has_conditions,
        "past": lambda value: bool(value) and texts.until(value, utc_now()) == "now",
    }
    made.globals |= {
        "icon": icons.icon,
        "static": static_url,
        "texts": texts,
        "boxes": mailbox_texts,
        "rules_told": rule_texts,
        "tried": simulation_texts,
        "template_texts": template_texts,
        "hooks": webhook_texts,
        "desk": ticket_texts,
        "filters": ticket_filter,
        "history_told": ticket_history,
    }
    return made
