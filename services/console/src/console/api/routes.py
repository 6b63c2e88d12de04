"""The public REST API's table of contents: every path and verb, who serves it, who may call it, what goes in and out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from console.aggregates import DeadLetterPage
from console.api.models import Me, MePatch
from console.domain.principal import Role
from console.settings import ServiceName
from shared import api

PREFIX = "/api/v1"
Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
ADMINISTRATOR: tuple[Role, ...] = ("administrator",)
EVERYBODY: tuple[Role, ...] = ("operator", "administrator")
PAGED = ("limit", "cursor")


@dataclass(frozen=True)
class Route:
    """One operation. `response` and `request` are a model, None for an empty body, or a media type for bytes."""

    verb: Verb
    path: str
    service: ServiceName | Literal["console"]
    roles: tuple[Role, ...]
    summary: str
    response: Any = None
    request: Any = None
    status: int = 200
    query: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`GET /tickets/{id}`: unique."""
        return f"{self.verb} {self.path}"

    @property
    def versioned(self) -> bool:
        """Honours If-Match."""
        return self.verb in {"PUT", "PATCH", "DELETE"} or "accept_broken" in self.query


def _crud(
    path: str, service: ServiceName, roles: tuple[Role, ...], what: str, models: tuple[Any, Any, Any, Any], query: tuple[str, ...]
) -> Iterator[Route]:
    """List, create, read, change, delete. `models` are its page, the thing, what POST takes, what PATCH takes."""
    page, thing, new, patch = models
    a = "an" if what[0] in "aeiou" else "a"
    yield Route("GET", path, service, roles, f"List {what}s", page, query=(*PAGED, *query))
    yield Route("POST", path, service, roles, f"Make {a} {what}", thing, new, 201)
    yield Route("GET", f"{path}/{{id}}", service, roles, f"Read {a} {what}", thing)
    yield Route("PATCH", f"{path}/{{id}}", service, roles, f"Change {a} {what}: the fields given", thing, patch)
    yield Route("DELETE", f"{path}/{{id}}", service, roles, f"Delete {a} {what}", status=204)


SCANNERS = (
    *_crud("/scanners", "fetcher", ADMINISTRATOR, "scanner", (api.Page[api.Scanner], api.Scanner, api.ScannerIn, api.ScannerPatch), ()),
    Route("POST", "/scanners/{id}/test", "fetcher", ADMINISTRATOR, "Test the connection and say what failed", api.TestResult),
    Route("POST", "/scanners/{id}/scan", "fetcher", ADMINISTRATOR, "Scan now", api.Job, status=202),
    Route(
        "GET",
        "/scanners/{id}/scans",
        "fetcher",
        ADMINISTRATOR,
        "The latest scans that read something, failed or were asked for",
        api.Page[api.ScanRecord],
        query=("limit",),
    ),
    Route("POST", "/scanners/{id}/oauth", "console", ADMINISTRATOR, "Begin a sign-in with the mailbox's provider", api.OAuthSignIn),
    Route("GET", "/scanners/{id}/folders", "fetcher", ADMINISTRATOR, "List the mailbox's folders, from the server", api.FolderList),
    Route("PUT", "/scanners/{id}/folders", "fetcher", ADMINISTRATOR, "Choose folders", api.FolderList, api.FolderSelection),
)
BREAKING = ("accept_broken",)
"""Saves rules although an example breaks; without it the answer is 409 with the examples in `broken`."""
RULES = (
    Route("GET", "/scanners/{id}/rules", "rules", ADMINISTRATOR, "All rules of a scanner, in order", api.RuleList),
    Route("POST", "/scanners/{id}/rules", "rules", ADMINISTRATOR, "Add a rule, as the last", api.Rule, api.RuleIn, 201, query=BREAKING),
    Route(
        "PUT",
        "/scanners/{id}/rules/order",
        "rules",
        ADMINISTRATOR,
        "Put the rules into this order",
        api.RuleList,
        api.RuleOrder,
        query=BREAKING,
    ),
    Route(
        "GET", "/scanners/{id}/rules/statistics", "rules", ADMINISTRATOR, "How often each rule matched and acted", api.RuleStatisticsList
    ),
    Route("GET", "/scanners/{id}/rules/export", "rules", ADMINISTRATOR, "The rules as a file for another mailbox", api.RuleExport),
    Route(
        "POST",
        "/scanners/{id}/rules/import",
        "rules",
        ADMINISTRATOR,
        "Take the rules of a file",
        api.RuleList,
        api.RuleImport,
        query=BREAKING,
    ),
    Route(
        "GET", "/scanners/{id}/rules/versions", "rules", ADMINISTRATOR, "Versions of the rules", api.Page[api.RuleSetVersion], query=PAGED
    ),
    Route("GET", "/scanners/{id}/rules/versions/{number}", "rules", ADMINISTRATOR, "A version with its rules", api.RuleSetContent),
    Route(
        "GET",
        "/scanners/{id}/rules/versions/{number}/changes",
        "rules",
        ADMINISTRATOR,
        "What differs from another version, the one before it by default",
        api.RuleSetComparison,
        query=("against",),
    ),
    Route(
        "POST",
        "/scanners/{id}/rules/versions/{number}/restore",
        "rules",
        ADMINISTRATOR,
        "Go back to a version",
        api.RuleList,
        query=BREAKING,
    ),
    Route("GET", "/scanners/{id}/rules/examples", "rules", ADMINISTRATOR, "Mails pinned to the rules", api.ExampleList),
    Route("POST", "/scanners/{id}/rules/examples", "rules", ADMINISTRATOR, "Pin a mail to the rules", api.Example, api.ExampleIn, 201),
    Route("POST", "/scanners/{id}/rules/examples/check", "rules", ADMINISTRATOR, "Try the examples on today's rules", api.ExampleCheck),
    Route("DELETE", "/scanners/{id}/rules/examples/{example_id}", "rules", ADMINISTRATOR, "Unpin a mail", status=204),
    Route("GET", "/rules/{id}", "rules", ADMINISTRATOR, "Read a rule", api.Rule),
    Route("PATCH", "/rules/{id}", "rules", ADMINISTRATOR, "Change a rule: the fields given", api.Rule, api.RulePatch, query=BREAKING),
    Route("DELETE", "/rules/{id}", "rules", ADMINISTRATOR, "Delete a rule", status=204, query=BREAKING),
    Route("POST", "/rules/{id}/duplicate", "rules", ADMINISTRATOR, "Copy a rule: switched off, right after it", api.Rule, status=201),
    Route("POST", "/rule-simulations", "rules", ADMINISTRATOR, "Try rules on mails; touches nothing", api.Job, api.RuleSimulationIn, 202),
    Route("GET", "/rule-simulations/{id}", "rules", ADMINISTRATOR, "A simulation and its totals", api.RuleSimulation),
    Route(
        "GET",
        "/rule-simulations/{id}/mails",
        "rules",
        ADMINISTRATOR,
        "What each mail would become",
        api.Page[api.SimulatedMail],
        query=(*PAGED, "change", "before", "after"),
    ),
    Route(
        "GET", "/rule-simulations/{id}/mails/{position}", "rules", ADMINISTRATOR, "One mail with its whole trace", api.SimulatedMailDetail
    ),
    Route(
        "POST",
        "/rule-simulations/{id}/apply",
        "rules",
        ADMINISTRATOR,
        "The rules that were tried become the set, unless it changed since",
        api.RuleList,
        query=BREAKING,
    ),
)
MAIL_QUERY = ("scanner_id", "outcome", "message_id", "since", "q")
MAILS = (
    Route(
        "GET",
        "/mails",
        "fetcher",
        EVERYBODY,
        "The ledger: every mail seen and what became of it",
        api.Page[api.Mail],
        query=(*PAGED, *MAIL_QUERY),
    ),
    Route("GET", "/mails/{id}", "fetcher", EVERYBODY, "Read a mail's line of the ledger", api.Mail),
    Route("GET", "/mails/{id}/raw", "fetcher", EVERYBODY, "The mail's bytes as they were received", "message/rfc822"),
    Route("GET", "/mails/{id}/decision", "rules", EVERYBODY, "Why the mail went where it went", api.Decision, query=("run",)),
    Route("POST", "/mails/{id}/retry", "fetcher", ADMINISTRATOR, "Send a mail on its way again, under its id", api.Mail, status=202),
    Route("GET", "/ledger", "fetcher", ADMINISTRATOR, "Counts per scanner and outcome, and the gaps", dict[str, Any]),
    Route("POST", "/ledger", "fetcher", ADMINISTRATOR, "Check the ledger against the mailboxes", api.Job, api.LedgerCheckIn, 202),
)
TICKET_QUERY = ("q", "status", "scanner_id", "source", "contact_id", "assignee", "tag", "priority", "category", "attention")
VIEWS = (api.Page[api.SavedView], api.SavedView, api.SavedViewIn, api.SavedViewPatch)
TICKETS = (
    Route("POST", "/tickets/spam", "tickets", EVERYBODY, "Mark tickets as spam: their senders, from now on", api.Job, api.SpamRequest, 202),
    *_crud("/tickets", "tickets", EVERYBODY, "ticket", (api.Page[api.Ticket], api.Ticket, api.TicketIn, api.TicketPatch), TICKET_QUERY),
    Route("POST", "/tickets/{id}/restore", "tickets", EVERYBODY, "Bring a deleted ticket back", api.Ticket),
    Route("POST", "/tickets/{id}/merge", "tickets", EVERYBODY, "Make a ticket part of another", api.Ticket, api.MergeIn),
    Route("POST", "/tickets/{id}/accept", "tickets", EVERYBODY, "Take a stranger's ticket into the one it points at", api.Ticket),
    Route("POST", "/tickets/{id}/split", "tickets", EVERYBODY, "Make a message a ticket of its own", api.Ticket, api.SplitIn, 201),
    Route(
        "GET", "/tickets/{id}/history", "tickets", EVERYBODY, "A ticket's changes, newest first", api.Page[api.TicketChange], query=PAGED
    ),
    Route("GET", "/tickets/{id}/messages", "tickets", EVERYBODY, "A ticket's messages, in order", api.Page[api.Message], query=PAGED),
    Route(
        "GET",
        "/tickets/{id}/messages/{message_id}/original",
        "tickets",
        EVERYBODY,
        "The mail a message was made of, as it was received",
        "message/rfc822",
    ),
    Route(
        "POST",
        "/tickets/{id}/comments",
        "tickets",
        EVERYBODY,
        "Comment; goes out as an answer unless internal",
        api.Message,
        api.CommentIn,
        201,
    ),
    Route(
        "GET",
        "/tickets/{id}/answering",
        "tickets",
        EVERYBODY,
        "What an answer written now would be: from whom, to whom, who may get a copy",
        api.Answering,
    ),
    Route("POST", "/tickets/{id}/replies", "tickets", EVERYBODY, "Answer by mail", api.Message, api.ReplyIn, 201),
    Route(
        "POST",
        "/tickets/{id}/messages/{message_id}/cancel",
        "tickets",
        EVERYBODY,
        "Take an answer back that has not left; its text is the draft again",
        api.Message,
    ),
    Route(
        "POST",
        "/tickets/{id}/uploads",
        "tickets",
        EVERYBODY,
        "A file for an answer: its bytes, with their media type as Content-Type",
        api.Upload,
        "application/octet-stream",
        201,
        query=("name",),
    ),
    Route("GET", "/tickets/{id}/draft", "tickets", EVERYBODY, "What the caller is writing there", api.Draft),
    Route("PUT", "/tickets/{id}/draft", "tickets", EVERYBODY, "Keep what the caller is writing", api.Draft, api.DraftIn),
    Route("DELETE", "/tickets/{id}/draft", "tickets", EVERYBODY, "Throw it away", status=204),
    Route("GET", "/tickets/{id}/attachments/{aid}", "tickets", EVERYBODY, "An attachment's bytes", "application/octet-stream"),
    Route("GET", "/ticket-settings", "tickets", EVERYBODY, "How the desk names statuses, priorities, categories", api.TicketSettings),
    Route(
        "PATCH",
        "/ticket-settings",
        "tickets",
        ADMINISTRATOR,
        "Name statuses, priorities, categories: the fields given",
        api.TicketSettings,
        api.TicketSettingsPatch,
    ),
    *_crud(
        "/ticket-views",
        "tickets",
        EVERYBODY,
        "saved view",
        (api.Page[api.SavedView], api.SavedView, api.SavedViewIn, api.SavedViewPatch),
        (),
    ),
    Route("GET", "/spam-senders", "tickets", EVERYBODY, "List the spam list", api.Page[api.SpamSender], query=(*PAGED, "q")),
    Route(
        "POST", "/spam-senders", "tickets", EVERYBODY, "Put an address or domain on the spam list", api.SpamSender, api.SpamSenderIn, 201
    ),
    Route(
        "DELETE",
        "/spam-senders/{id}",
        "tickets",
        EVERYBODY,
        "Take an entry off the spam list; with restore=true a job brings back what it removed and held",
        status=204,
        query=("restore",),
    ),
)


def _registry(path: str, what: str) -> Iterator[Route]:
    models = (api.Page[api.Record], api.Record, api.RecordIn, api.RecordPatch)
    yield Route("POST", f"{path}/import", "tickets", EVERYBODY, f"Take {what}s from a CSV file", api.Job, api.RecordImportIn, 202)
    query = ("q", "address", "account_id") if what == "contact" else ("q", "address")
    yield from _crud(path, "tickets", EVERYBODY, what, models, query)
    yield Route("POST", f"{path}/{{id}}/merge", "tickets", EVERYBODY, f"Make doubles part of this {what}", api.Record, api.RecordMerge)
    yield Route("GET", f"{path}/{{id}}/mails", "tickets", EVERYBODY, f"Mails filed with this {what}", api.Page[api.FiledMail], query=PAGED)


REGISTRY = (*_registry("/contacts", "contact"), *_registry("/accounts", "account"), *_registry("/leads", "lead"))
WEBHOOKS = (
    *_crud("/webhooks", "tickets", ADMINISTRATOR, "webhook", (api.Page[api.Webhook], api.Webhook, api.WebhookIn, api.WebhookPatch), ()),
    Route(
        "GET",
        "/webhooks/{id}/deliveries",
        "tickets",
        ADMINISTRATOR,
        "What was told to a webhook, newest first",
        api.Page[api.WebhookDelivery],
        query=(*PAGED, "state"),
    ),
    Route("POST", "/webhooks/{id}/test", "tickets", ADMINISTRATOR, "Tell it something now and say what it answered", api.WebhookDelivery),
    Route(
        "POST", "/webhooks/{id}/deliveries/{delivery_id}/retry", "tickets", ADMINISTRATOR, "Tell it again", api.WebhookDelivery, status=202
    ),
)
PRIVACY = (
    Route("GET", "/erasures", "tickets", ADMINISTRATOR, "Erasures and their reports, newest first", api.Page[api.Erasure], query=PAGED),
    Route("POST", "/erasures", "tickets", ADMINISTRATOR, "Remove all that is kept about an address", api.Job, api.ErasureIn, 202),
    Route("GET", "/erasures/{id}", "tickets", ADMINISTRATOR, "Read an erasure's report", api.Erasure),
)
SENDERS = (
    *_crud("/senders", "notifier", ADMINISTRATOR, "sender", (api.Page[api.Sender], api.Sender, api.SenderIn, api.SenderPatch), ()),
    Route(
        "POST",
        "/senders/{id}/test",
        "notifier",
        ADMINISTRATOR,
        "Test the connection, or send a mail to oneself, and say what failed",
        api.TestResult,
        api.SenderTestIn,
    ),
    Route("POST", "/senders/{id}/oauth", "console", ADMINISTRATOR, "Begin a sign-in with the server's provider", api.OAuthSignIn),
    Route(
        "GET",
        "/templates",
        "notifier",
        EVERYBODY,
        "List templates and canned answers",
        api.Page[api.Template],
        query=(*PAGED, "kind", "scanner_id"),
    ),
    Route("POST", "/templates", "notifier", ADMINISTRATOR, "Make a template", api.Template, api.TemplateIn, 201),
    Route("GET", "/templates/{id}", "notifier", EVERYBODY, "Read a template", api.Template),
    Route("PATCH", "/templates/{id}", "notifier", ADMINISTRATOR, "Change a template: the fields given", api.Template, api.TemplatePatch),
    Route("DELETE", "/templates/{id}", "notifier", ADMINISTRATOR, "Delete a template", status=204),
    Route(
        "POST", "/templates/preview", "notifier", EVERYBODY, "Fill in a text that is not saved", api.TemplatePreview, api.TemplatePreviewIn
    ),
    Route("POST", "/templates/{id}/preview", "notifier", EVERYBODY, "Fill in a template", api.TemplatePreview, api.TemplateRenderIn),
    Route("GET", "/me/sender", "notifier", EVERYBODY, "The caller's own SMTP account", api.PersonalSender),
    Route("PUT", "/me/sender", "notifier", EVERYBODY, "Set the caller's own SMTP account", api.PersonalSender, api.PersonalSenderIn),
    Route("DELETE", "/me/sender", "notifier", EVERYBODY, "Forget the caller's own SMTP account", status=204),
    Route("POST", "/me/sender/test", "notifier", EVERYBODY, "Test it", api.TestResult, api.SenderTestIn),
    Route(
        "GET",
        "/outgoing",
        "notifier",
        ADMINISTRATOR,
        "Answers and how far they came",
        api.Page[api.Outgoing],
        query=(*PAGED, "state", "ticket_id"),
    ),
    Route("GET", "/outgoing/{id}", "notifier", EVERYBODY, "Read an answer's state, its recipients and tries", api.OutgoingDetail),
    Route("GET", "/outgoing/{id}/raw", "notifier", EVERYBODY, "The answer's bytes as they are sent", "message/rfc822"),
    Route("POST", "/outgoing/{id}/retry", "notifier", ADMINISTRATOR, "Try an answer again now", api.Outgoing),
)
CONSOLE = (
    Route("GET", "/jobs/{id}", "console", EVERYBODY, "How far long work is", api.Job),
    Route("GET", "/status", "console", EVERYBODY, "Which services are ready, and what the others miss", api.Status),
    Route(
        "GET",
        "/dead-letters",
        "console",
        ADMINISTRATOR,
        "Events that could not be handled, of all services",
        DeadLetterPage,
        query=(*PAGED, "state"),
    ),
    Route("POST", "/dead-letters/{id}/retry", "console", ADMINISTRATOR, "Run the handler again", dict[str, str]),
    Route("POST", "/dead-letters/{id}/drop", "console", ADMINISTRATOR, "Give an event up, with a reason", dict[str, str], api.DropRequest),
    Route("GET", "/me", "console", EVERYBODY, "Who calls", Me),
    Route("PATCH", "/me", "console", EVERYBODY, "Change the caller's name and own address: the fields given", Me, MePatch),
    Route("GET", "/users", "console", ADMINISTRATOR, "List the console's users", api.Page[api.User], query=PAGED),
    Route("POST", "/users", "console", ADMINISTRATOR, "Make a user", api.User, api.UserIn, 201),
    Route("DELETE", "/users/{id}", "console", ADMINISTRATOR, "Delete a user and end their sessions", status=204),
    Route("GET", "/tokens", "console", ADMINISTRATOR, "List API tokens, without their secrets", api.Page[api.Token], query=PAGED),
    Route("POST", "/tokens", "console", ADMINISTRATOR, "Make an API token, shown this once", api.Token, api.TokenIn, 201),
    Route("DELETE", "/tokens/{id}", "console", ADMINISTRATOR, "Revoke an API token", status=204),
    Route("GET", "/audit", "console", ADMINISTRATOR, "Who changed what, newest first", api.Page[api.AuditEntry], query=PAGED),
)
ROUTES: tuple[Route, ...] = (*SCANNERS, *RULES, *MAILS, *TICKETS, *REGISTRY, *WEBHOOKS, *PRIVACY, *SENDERS, *CONSOLE)
