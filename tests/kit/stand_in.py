"""A stand-in for the services behind the console's pages: their paths and bodies, a memory, and one of each state worth seeing.

What it answers are the models of `shared.api`, so a page that reads a field the services do not have fails here too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from fastapi import FastAPI, Request, Response

from shared import api
from shared.http import ProblemError, install_problems, not_found
from tests.kit.stand_in_world import World, new_decision, new_scanner, new_sender

NOW = datetime.now(UTC)
SERVICE_HOSTS = {"fetcher": "127.0.0.2", "rules": "127.0.0.3", "tickets": "127.0.0.4", "notifier": "127.0.0.5"}
"""The stand-in serves all four; the address tells which one was meant."""

HTML = (
    '<p>Hello,</p><p>the <b>invoice</b> is wrong, see <a href="https://example.com/" rel="noopener">this page</a>.</p>'
    "<ul><li>Sum</li><li>VAT</li></ul>"
)
LONG = (
    "Hello,\n\nI ordered three chairs and got two tables.\nWhat now?\n\nAnna\n\n"
    "On Mon, 23 Nov 2026 at 10:00, Help wrote:\n> We have sent your order.\n> Regards\n"
)

T = TypeVar("T")
M = TypeVar("M", bound=api.ApiModel)


def stand_in(world: World) -> FastAPI:
    """The application; it refuses the next change with `world.refuse` when a test sets it."""
    app = FastAPI()
    install_problems(app)
    for add in (_serve_fetcher, _serve_rules, _serve_tickets, _serve_contacts, _serve_notifier, _serve_all):
        add(app, world)

    @app.middleware("http")
    async def refuse(request: Request, call_next: Any) -> Any:
        refusal, world.refuse = (world.refuse, None) if request.method != "GET" else (None, world.refuse)
        if refusal is not None:
            return Response(refusal.problem.model_dump_json(), refusal.status, media_type="application/problem+json")
        return await call_next(request)

    return app


def _one(known: dict[Any, T], key: Any, what: str) -> T:
    if key not in known:
        raise not_found(what, key)
    return known[key]


def _changed(known: dict[Any, M], key: Any, patch: api.ApiModel) -> M:
    fields = {name: value for name, value in patch.model_dump(exclude_unset=True).items() if name != "password"}
    item = _one(known, key, "thing")
    known[key] = type(item).model_validate(item.model_dump() | fields | {"version": getattr(item, "version", 0) + 1})
    return known[key]


def _serve_fetcher(app: FastAPI, world: World) -> None:  # noqa: C901 -- a list of routes
    @app.get("/scanners")
    def scanners() -> api.Page[api.Scanner]:
        return api.Page(items=list(world.scanners.values()))

    @app.post("/scanners", status_code=201)
    def create(wanted: api.ScannerIn) -> api.Scanner:
        made = new_scanner(str(uuid4()), **wanted.model_dump(exclude={"password"}), state=api.ScannerState())
        world.scanners[made.id] = made
        return made

    @app.get("/scanners/{key}")
    def scanner(key: str) -> api.Scanner:
        return _one(world.scanners, key, "scanner")

    @app.patch("/scanners/{key}")
    def change(key: str, patch: api.ScannerPatch) -> api.Scanner:
        return _changed(world.scanners, key, patch)

    @app.delete("/scanners/{key}", status_code=204)
    def delete(key: str) -> None:
        world.scanners.pop(key)

    @app.post("/scanners/{key}/test")
    def test(key: str) -> api.TestResult:
        steps = ["Connected to imap.company.example:993", "TLS 1.3, the certificate is valid until 2027-03-01"]
        if key == "billing":
            return api.TestResult(
                ok=False, message="The server refused the login: [AUTHENTICATIONFAILED] Invalid credentials.", steps=steps
            )
        return api.TestResult(ok=True, message="Signed in as help@company.example.", steps=[*steps, "Signed in", "INBOX has 1,204 mails"])

    @app.post("/scanners/{key}/scan", status_code=202)
    def scan(key: str) -> api.Job:
        return api.Job(id="fetcher-1", state="queued")

    @app.get("/jobs/{key}")
    def job(key: str) -> api.Job:
        return api.Job(id=key, state="done", done=12, total=12)

    @app.get("/scanners/{key}/folders")
    def folders(key: str) -> api.FolderList:
        if key == "billing":
            raise ProblemError(502, "The mailbox cannot be read", "The server refused the login of billing@company.example.")
        named = {
            "INBOX": None,
            "INBOX/Orders": None,
            "INBOX/Orders/2026": None,
            "Sent": "\\Sent",
            "Spam": "\\Junk",
            "Public": None,
            "Public/Übersicht": None,
        }
        return api.FolderList(
            items=[
                api.Folder(name=name, delimiter="/", special_use=use, selectable=name != "Public", selected=name in world.folders)
                for name, use in named.items()
            ]
        )

    @app.put("/scanners/{key}/folders")
    def select(key: str, wanted: api.FolderSelection) -> api.FolderList:
        world.folders = wanted.selected
        return folders(key)

    @app.get("/mails")
    def mails(q: str = "", outcome: str = "", scanner_id: str = "") -> api.Page[api.Mail]:
        fits = [
            mail
            for mail in world.mails.values()
            if q.lower() in mail.subject.lower() and (not outcome or (mail.outcome and mail.outcome.type == outcome))
        ]
        return api.Page(items=[mail for mail in fits if scanner_id in {"", mail.scanner_id}])

    @app.get("/mails/{key}")
    def mail(key: str) -> api.Mail:
        return _one(world.mails, key, "mail")

    @app.get("/mails/{key}/raw")
    def raw(key: str) -> Response:
        return Response(b"Subject: raw\r\n\r\n", media_type="message/rfc822", headers={"Content-Disposition": "attachment"})

    @app.post("/mails/{key}/retry", status_code=202)
    def retry(key: str) -> api.Mail:
        world.mails[key] = _one(world.mails, key, "mail").model_copy(update={"outcome": None})
        return world.mails[key]


def _serve_rules(app: FastAPI, world: World) -> None:  # noqa: C901 -- a list of routes
    def listed(scanner_id: str) -> api.RuleList:
        rules = sorted((rule for rule in world.rules.values() if rule.scanner_id == scanner_id), key=lambda rule: rule.position)
        return api.RuleList(items=rules, version=7)

    @app.get("/scanners/{key}/rules")
    def rules(key: str) -> api.RuleList:
        return listed(key)

    @app.post("/scanners/{key}/rules", status_code=201)
    def create(key: str, wanted: api.RuleIn) -> api.Rule:
        made = api.Rule(**wanted.model_dump(), id=str(uuid4()), scanner_id=key, position=len(listed(key).items) + 1, version=8)
        world.rules[made.id] = made
        return made

    @app.put("/scanners/{key}/rules/order")
    def order(key: str, wanted: api.RuleOrder) -> api.RuleList:
        for position, rule_id in enumerate(wanted.rule_ids, 1):
            world.rules[rule_id] = world.rules[rule_id].model_copy(update={"position": position})
        return listed(key)

    @app.get("/rules/{key}")
    def rule(key: str) -> api.Rule:
        return _one(world.rules, key, "rule")

    @app.patch("/rules/{key}")
    def change(key: str, patch: api.RulePatch) -> api.Rule:
        return _changed(world.rules, key, patch)

    @app.delete("/rules/{key}", status_code=204)
    def delete(key: str) -> None:
        world.rules.pop(key)

    @app.get("/mails/{key}/decision")
    def decision(key: str) -> api.Decision:
        if key in {"mail-4", "mail-5"}:
            raise not_found("decision", key)
        return new_decision(key)


def _serve_tickets(app: FastAPI, world: World) -> None:  # noqa: C901 -- a list of routes
    @app.get("/tickets")
    def tickets(q: str = "", status: str = "", contact_id: str = "", limit: int = 50) -> api.Page[api.Ticket]:
        fits = [
            item for item in world.tickets.values() if not item.deleted and q.lower() in item.title.lower() and status in {"", item.status}
        ]
        fits = [item for item in fits if not contact_id or (item.contact and item.contact.id == contact_id)]
        return api.Page(items=sorted(fits, key=lambda item: item.updated_at, reverse=True)[:limit])

    @app.get("/tickets/{key}")
    def ticket(key: int) -> api.Ticket:
        return _one(world.tickets, key, "ticket")

    @app.patch("/tickets/{key}")
    def change(key: int, patch: api.TicketPatch) -> api.Ticket:
        return _changed(world.tickets, key, patch)

    @app.get("/tickets/{key}/messages")
    def messages(key: int) -> api.Page[api.Message]:
        return api.Page(items=world.messages[key])

    @app.post("/tickets/{key}/comments", status_code=201)
    def comment(key: int, wanted: api.CommentIn, request: Request) -> api.Message:
        kind: Any = "note" if wanted.internal else "comment"
        made = api.Message(
            id=str(uuid4()), kind=kind, direction="out", sender=request.headers["x-actor"], text=wanted.body, created_at=datetime.now(UTC)
        )
        world.messages[key].append(made)
        return made

    @app.post("/tickets/spam", status_code=202)
    def spam(wanted: api.SpamRequest) -> api.Job:
        for key in wanted.ticket_ids:
            world.tickets[key] = world.tickets[key].model_copy(update={"deleted": True})
        return api.Job(id="tickets-1", state="done", done=len(wanted.ticket_ids), total=len(wanted.ticket_ids))

    @app.get("/spam-senders")
    def senders() -> api.Page[api.SpamSender]:
        return api.Page(items=list(world.spam.values()))

    @app.post("/spam-senders", status_code=201)
    def add(wanted: api.SpamSenderIn, request: Request) -> api.SpamSender:
        made = api.SpamSender(id=str(uuid4()), address=wanted.address, created_by=request.headers["x-actor"], created_at=datetime.now(UTC))
        world.spam[made.id] = made
        return made

    @app.delete("/spam-senders/{key}", status_code=204)
    def remove(key: str) -> None:
        world.spam.pop(key)


def _serve_contacts(app: FastAPI, world: World) -> None:
    @app.get("/contacts")
    def contacts(q: str = "") -> api.Page[api.Contact]:
        return api.Page(items=[item for item in world.contacts.values() if q.lower() in item.name.lower()])

    @app.post("/contacts", status_code=201)
    def create(wanted: api.ContactIn) -> api.Contact:
        made = api.Contact(**wanted.model_dump(), id=str(uuid4()), created_at=datetime.now(UTC))
        world.contacts[made.id] = made
        return made

    @app.get("/contacts/{key}")
    def contact(key: str) -> api.Contact:
        return _one(world.contacts, key, "contact")

    @app.patch("/contacts/{key}")
    def change(key: str, patch: api.ContactPatch) -> api.Contact:
        return _changed(world.contacts, key, patch)

    @app.delete("/contacts/{key}", status_code=204)
    def delete(key: str) -> None:
        world.contacts.pop(key)


def _serve_notifier(app: FastAPI, world: World) -> None:
    @app.get("/senders")
    def senders() -> api.Page[api.Sender]:
        return api.Page(items=list(world.senders.values()))

    @app.post("/senders", status_code=201)
    def create(wanted: api.SenderIn) -> api.Sender:
        made = new_sender(str(uuid4()), **wanted.model_dump(exclude={"password"}))
        world.senders[made.id] = made
        return made

    @app.get("/senders/{key}")
    def sender(key: str) -> api.Sender:
        return _one(world.senders, key, "sender")

    @app.patch("/senders/{key}")
    def change(key: str, patch: api.SenderPatch) -> api.Sender:
        return _changed(world.senders, key, patch)

    @app.post("/senders/{key}/test")
    def test(key: str) -> api.TestResult:
        return api.TestResult(ok=True, message="Signed in as help@company.example.", steps=["Connected", "STARTTLS", "Signed in"])

    @app.delete("/senders/{key}", status_code=204)
    def delete(key: str) -> None:
        if key == "smtp-1":
            raise ProblemError(409, "Still used", "The mailbox Support answers by it; choose another one there first.")
        world.senders.pop(key)


def _serve_all(app: FastAPI, world: World) -> None:
    def service(request: Request) -> str:
        host = request.headers["host"].partition(":")[0]
        return next(name for name, address in SERVICE_HOSTS.items() if address == host)

    @app.get("/health/ready")
    def ready(request: Request) -> Response:
        checks = '{"database": "ok", "kafka": "ok", "consumers": "ok"}'
        if service(request) == "notifier":
            return Response('{"status": "not ready", "checks": {"database": "ok", "kafka": "not connected", "consumers": "ok"}}', 503)
        return Response(f'{{"status": "ok", "checks": {checks}}}')

    @app.get("/dead-letters")
    def letters(request: Request) -> api.Page[api.DeadLetter]:
        return api.Page(items=world.letters.get(service(request), []))

    @app.post("/dead-letters/{key}/retry")
    def retry(key: str) -> dict[str, str]:
        raise ProblemError(409, "It failed again", "RecursionError: 200 nested parts")

    @app.post("/dead-letters/{key}/drop")
    def drop(key: str, wanted: api.DropRequest, request: Request) -> dict[str, str]:
        world.letters[service(request)] = []
        return {"id": key, "state": "dropped"}
