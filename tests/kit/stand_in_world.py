"""The stand-in's memory: one of each state worth seeing."""

from __future__ import annotations

from typing import Any, TypeVar

from shared import api
from shared.http import ProblemError, not_found
from tests.kit.stand_in_answers import Answers
from tests.kit.stand_in_desk import changes, messages, saved_views, ticket_settings, tickets
from tests.kit.stand_in_mailboxes import ago, folders, mailboxes, recent_scans
from tests.kit.stand_in_outgoing import ledger
from tests.kit.stand_in_records import registry
from tests.kit.stand_in_rule_set import examples, rule_set, rule_versions
from tests.kit.stand_in_templates import templates
from tests.kit.stand_in_webhook_data import deliveries, webhooks

SERVICE_HOSTS = {"fetcher": "127.0.0.2", "rules": "127.0.0.3", "tickets": "127.0.0.4", "notifier": "127.0.0.5"}
"""The stand-in serves all four; the address tells which one was meant."""

T = TypeVar("T")
M = TypeVar("M", bound=api.ApiModel)


def one(known: dict[Any, T], key: Any, what: str) -> T:
    """The thing of this id. Raises ProblemError 404."""
    if key not in known:
        raise not_found(what, key)
    return known[key]


def changed(known: dict[Any, M], key: Any, fields: dict[str, Any]) -> M:
    """The thing with other fields, in its next version."""
    item = one(known, key, "thing")
    known[key] = type(item).model_validate(item.model_dump() | fields | {"version": getattr(item, "version", 0) + 1})
    return known[key]


class World:
    """What the services know."""

    def __init__(self) -> None:
        self.scanners = {item.id: item for item in mailboxes()}
        self.scans = {"support": recent_scans()}
        self.tree = folders()
        self.jobs = {"fetcher-1": api.Job(id="fetcher-1", state="done", done=12, total=12, result={"found": 12, "read": 12})}
        self.senders = {"smtp-1": new_sender("smtp-1", "Company's relay"), "smtp-2": new_sender("smtp-2", "Old server", ssl_type="none")}
        self.senders |= {item.id: item for item in oauth_senders()}
        self.own_sender: api.PersonalSender | None = None
        self.tested: list[str | None] = []
        self.rules = {rule.id: rule for rule in rule_set()}
        self.rule_versions = {item.version: item for item in rule_versions()}
        self.examples = {item.id: item for item in examples()}
        self.breaking: list[api.ExampleResult] = []
        self.simulations: dict[str, api.RuleSimulation] = {}
        self.asked: api.RuleSimulationIn | None = None
        self.applied: list[str] = []
        self.tickets = {item.id: item for item in tickets()}
        self.messages = {number: messages(number) for number in self.tickets}
        self.history = {number: changes(number) for number in self.tickets}
        self.ticket_settings = ticket_settings()
        self.answers = Answers()
        self.templates = {item.id: item for item in templates()}
        self.outgoing = {item.id: item for item in ledger()}
        self.originals: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.views = {item.id: item for item in saved_views()}
        self.mails = {item.id: item for item in _mails()}
        self.erasures: dict[str, api.Erasure] = {}
        self.spam = {
            "s1": api.SpamSender(
                id="s1",
                address="win@lottery.example",
                created_by="user:anna@company.example",
                created_at=ago(days=3),
                hits=41,
                last_hit_at=ago(hours=2),
            )
        }
        self.registry = registry()
        self.contacts = self.registry["contact"]
        self.webhooks = {item.id: item for item in webhooks()}
        self.webhook_calls = {item.id: item for item in deliveries()}
        self.letters = {"rules": [_letter()]}
        self.folders = ["INBOX"]
        self.secrets: dict[str, dict[str, str]] = {}
        self.sign_ins: dict[str, tuple[str, str]] = {}
        self.provider = ""
        self.refuse: ProblemError | None = None

    def empty(self) -> None:
        """As on the first day."""
        for known in (
            self.scanners,
            self.senders,
            self.rules,
            self.examples,
            self.tickets,
            self.messages,
            self.history,
            self.views,
            self.mails,
            self.spam,
            self.contacts,
            self.registry["account"],
            self.registry["lead"],
            self.webhooks,
            self.webhook_calls,
            self.outgoing,
            self.templates,
            self.letters,
        ):
            known.clear()


def new_sender(sender_id: str, name: str, **values: Any) -> api.Sender:
    fields = {"server": "smtp.company.example", "username": "help@company.example", "address": "help@company.example"} | values
    return api.Sender(id=sender_id, name=name, version=1, created_at=ago(days=30), updated_at=ago(days=8), **fields)


def oauth_senders() -> list[api.Sender]:
    """One whose access is renewed by itself, and one nobody has signed in with."""
    google = {"provider": "google", "client_id": "1234.apps.googleusercontent.example"}
    signed_in = api.OAuthState(signed_in=True, expires_at=ago(minutes=-40), renewed_at=ago(minutes=20))
    limits = api.SenderLimits(connections=2, per_minute=30)
    return [
        new_sender("smtp-3", "Google Workspace", auth="oauth2", oauth=google, oauth_state=signed_in, limits=limits, plus_addressing=True),
        new_sender("smtp-4", "Fresh", auth="oauth2", oauth=google, oauth_state=api.OAuthState(signed_in=False)),
    ]


def _mails() -> list[api.Mail]:
    common: dict[str, Any] = {
        "scanner_id": "support",
        "folder": "INBOX",
        "uid_validity": 7,
        "state": "done",
        "recipients": ["help@company.example"],
        "size": 214_003,
        "kind": "mail",
        "message_id": "<a1@customer.example>",
    }
    rows: list[dict[str, Any]] = [
        {"id": "mail-5", "subject": "Just sent", "sender": "new@customer.example", "state": "published"},
        {
            "id": "mail-4",
            "subject": "A broken one",
            "sender": "odd@customer.example",
            "outcome": {
                "type": "failed",
                "reason": "The mail could not be read: it nests 200 parts. Retry after a new version, or drop it.",
            },
        },
        {
            "id": "mail-3",
            "subject": "You have won",
            "sender": "win@lottery.example",
            "outcome": {"type": "spam", "reason": "win@lottery.example is on the spam list"},
            "move_to": "Spam",
            "move_error": "The server has no folder Spam. Make it there, or choose another spam folder in the mailbox's settings.",
            "places": [{"folder": "INBOX", "uid_validity": 7, "uid": 98, "mail_id": "mail-3"}],
        },
        {
            "id": "mail-2",
            "subject": "Re: Invoice wrong – Überweisung - Ticket Id: 128",
            "sender": "Anna Keller <anna@customer.example>",
            "outcome": {"type": "update", "ticket_id": 128, "rule_id": "r2", "rule_name": "Answers by number"},
            "places": [
                {"folder": "INBOX", "uid_validity": 7, "uid": 97, "mail_id": "mail-2", "current": False},
                {"folder": "Done/2026", "uid_validity": 9, "uid": 4, "mail_id": "mail-2", "moved": True},
                {"folder": "Übersicht", "uid_validity": 3, "uid": 41, "mail_id": "mail-1"},
            ],
        },
        {
            "id": "mail-1",
            "subject": "Invoice wrong – Überweisung",
            "sender": "Anna Keller <anna@customer.example>",
            "outcome": {"type": "ticket", "ticket_id": 128, "rule_id": "r4", "rule_name": "Everything else"},
        },
    ]
    return [api.Mail.model_validate(common | {"uid": 100 - index, "received_at": ago(hours=index)} | row) for index, row in enumerate(rows)]


def new_decision(mail_id: str) -> api.Decision:
    condition = {
        "field": "subject",
        "operator": "regex",
        "value": r"Ticket Id:\s*(\d+)",
        "compared": "Re: Invoice wrong – Überweisung - Ticket Id: 128",
        "matched": True,
    }
    trace = [
        {"rule_id": "r1", "rule_name": "Reply to a known conversation", "matched": False, "note": "The mail refers to no earlier one."},
        {
            "rule_id": "r2",
            "rule_name": "Answers by number",
            "matched": True,
            "conditions": [condition],
            "captures": {"1": "128"},
            "note": "Tried first; taken where ticket 128 exists.",
        },
        {
            "rule_id": "r4",
            "rule_name": "Everything else",
            "matched": True,
            "note": "No condition: matches every mail. Always takes, so no rule below is asked.",
        },
    ]
    return api.Decision.model_validate(
        {
            "mail_id": mail_id,
            "run": 1,
            "scanner_id": "support",
            "kind": "mail",
            "rule_set_version": 7,
            "decided_at": ago(hours=3),
            "trace": trace,
            "candidates": [],
        }
    )


def _letter() -> api.DeadLetter:
    return api.DeadLetter(
        id="d1",
        service="rules",
        topic="mailconverter.mail.raw",
        partition=3,
        offset=12,
        key="<x@customer.example>",
        headers={},
        value_preview="Received: from …\nSubject: A broken one",
        event_id="mail-4",
        mail_id="mail-4",
        error="RecursionError: 200 nested parts",
        service_version="0.1.0",
        tries=3,
        state="waiting",
        created_at=ago(minutes=30),
    )
