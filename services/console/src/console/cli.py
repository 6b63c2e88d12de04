"""The command `mailconverter`: a thin client of the REST API; other packages add commands by the entry points `mailconverter.commands`."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import click

from console.tables import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.client import Api

PLUG_INS = "mailconverter.commands"
HELP = {
    "up": "Start everything on this machine and stay in the foreground.",
    "status": "Show the parts of `up`: what runs where, what was restarted.",
    "send": "Put a mail into the sandbox mailbox.",
}
"""Of plug-ins, so that `--help` need not import them."""


class Commands(click.Group):
    """Imports a plug-in only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_plug_ins()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        found = _plug_ins().get(cmd_name)
        return None if found is None else found.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            own = super().get_command(ctx, name)
            rows.append((name, own.get_short_help_str(80) if own else HELP.get(name, "")))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _plug_ins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=PLUG_INS)}


@click.group(cls=Commands)
def cli() -> None:
    """Mail Converter: mails become tickets.

    MAILCONVERTER_URL and MAILCONVERTER_TOKEN say which installation is meant; without them it is the one of `mailconverter up`.
    """


def main() -> None:
    """Entry point of the command. What goes wrong is one line on standard error and exit status 1."""
    cli(prog_name="mailconverter")


@cli.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@click.option("--role", type=click.Choice(["operator", "administrator"]), default="operator", show_default=True)
@click.option("--name", default="command line", show_default=True, help="What it is for, as the console lists it.")
def token_create(role: str, name: str) -> None:
    """Print a new token, and nothing else."""
    from console.client import create_token

    print(create_token(name, role))


as_json = click.option("--json", "as_json", is_flag=True, help="For programs.")
limit = click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Most items.")


@cli.command()
@click.option("--q", help="Text to look for.")
@click.option("--status", help="open, in_progress, waiting or closed.")
@limit
@as_json
def tickets(q: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List tickets."""
    _show(_api().items("/tickets", limit, q=q, status=status), ("id", "status", "source", "sender", "title"), as_json)


@cli.command()
@click.option("--outcome", help="Only mails with this outcome, for example failed.")
@click.option("--q", help="Text to look for.")
@limit
@as_json
def mails(outcome: str | None, q: str | None, limit: int, as_json: bool) -> None:
    """List mails and what became of them."""
    found = _api().items("/mails", limit, outcome=outcome, q=q)
    _show(found, ("id", "received_at", "outcome.type", "outcome.ticket_id", "sender", "subject"), as_json)


@cli.command()
@click.option("--scanner", metavar="NAME-OR-ID", help="One mailbox; all that are switched on without it.")
@click.option("--repair", is_flag=True, help="Queue again what is missing.")
@as_json
def ledger(scanner: str | None, repair: bool, as_json: bool) -> None:
    """Count mails by mailbox and outcome; compare mailboxes, ledger and outcomes, and name what is amiss.

    Exit status: 0 when nothing is amiss, 1 with findings, 2 when it could not be checked.
    """
    from console.ledger_command import run

    sys.exit(run(scanner, repair=repair, as_json=as_json))


@cli.group()
def dead() -> None:
    """Events that could not be handled."""


@dead.command("list")
@limit
@as_json
def dead_list(limit: int, as_json: bool) -> None:
    """List those that wait."""
    _show(_api().items("/dead-letters", limit), ("id", "created_at", "topic", "mail_id", "error"), as_json)


@dead.command("show")
@click.argument("letter_id")
def dead_show(letter_id: str) -> None:
    """Show one, whole (JSON)."""
    from console.client import CommandError

    for letter in _api().items("/dead-letters", sys.maxsize):
        if letter["id"] == letter_id:
            print(json.dumps(letter, indent=2, ensure_ascii=False))
            return
    raise CommandError(f"no waiting dead letter {letter_id}; `mailconverter dead list` lists them")


@dead.command("retry")
@click.argument("letter_id")
def dead_retry(letter_id: str) -> None:
    """Run the handler again."""
    answer = _api().call("POST", f"/dead-letters/{_segment(letter_id)}/retry")
    print(f"{answer['id']} {answer['state']}")


@dead.command("drop")
@click.argument("letter_id")
@click.option("--reason", required=True, help="Becomes the mail's outcome.")
def dead_drop(letter_id: str, reason: str) -> None:
    """Give one up."""
    answer = _api().call("POST", f"/dead-letters/{_segment(letter_id)}/drop", json={"reason": reason})
    print(f"{answer['id']} {answer['state']}")


def _api() -> Api:
    from console.client import Api

    return Api()


def _segment(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _show(items: Iterable[dict[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """A table of the columns (`a.b` looks into an object), or the items whole as a JSON list."""
    found = list(items)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    print(table(columns, [[_value(item, column) for column in columns] for item in found]))


def _value(item: dict[str, Any], column: str) -> Any:
    value: Any = item
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
