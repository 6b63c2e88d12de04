"""`up`, `status` and `send`: the commands that come with the embedded stack, beside the console's own."""

from __future__ import annotations

import json
import os
import sys
from email import message_from_bytes, policy
from email.utils import getaddresses
from pathlib import Path
from typing import NoReturn

import click

from local import status as status_file
from local.errors import StackError
from local.home import Home, default_home
from local.mails import MAILBOX, compose, submit
from local.ports import LOOPBACK
from local.progress import to_stdout


def _stop(error: StackError) -> NoReturn:
    """One clear line, exit status 1."""
    print(f"mailconverter: {error}", file=sys.stderr)
    sys.exit(1)


@click.command()
@click.option("--fetchers", default=1, show_default=True, type=click.IntRange(1, 16), help="How many fetchers share the mailboxes.")
def up(fetchers: int) -> None:
    """Start everything and stay in the foreground; Ctrl-C stops all.

    MAILCONVERTER_HOME is the data folder, MAILCONVERTER_PORT the console's port (8080), MAILCONVERTER_SANDBOX=0 leaves the sandbox
    mailbox out, MAILCONVERTER_CACHE is where downloads are kept.
    """
    from local.up import Installation, console_port  # it loads all of Kafka's client, and `--help` should be quick

    with_sandbox = os.environ.get("MAILCONVERTER_SANDBOX", "1") != "0"
    try:
        Installation(Home(default_home()), console_port(), to_stdout(), fetchers=fetchers, with_sandbox=with_sandbox).run()
    except StackError as error:
        _stop(error)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show the parts: what runs where, what was restarted and why it ended."""
    home = Home(default_home())
    state = status_file.read(home)
    print(json.dumps(state, indent=1) if as_json else "\n".join(status_file.as_lines(state, home)))


@click.command()
@click.option("--from", "sender", default="", help="The customer who writes; any address.")
@click.option("--to", "recipient", default="", help=f"The mailbox; {MAILBOX} by default.")
@click.option("--subject", default="", help="The subject.")
@click.option("--body", default="", help="The text.")
@click.option("--eml", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A mail as a file, sent as it is.")
def send(sender: str, recipient: str, subject: str, body: str, eml: Path | None) -> None:
    """Put a mail into the sandbox mailbox. With --eml, the other options replace the file's own header lines."""
    try:
        port = _smtp_port()
        if eml is not None:
            envelope_from, envelope_to, mail = _from_file(eml, sender, recipient, subject)
        else:
            if not sender or not subject:
                raise StackError("say who writes and what about: --from you@customer.example --subject Hello, or --eml FILE")
            envelope_from, envelope_to = _address(sender), [_address(recipient or MAILBOX)]
            mail = compose(sender, recipient or MAILBOX, subject, body or f"{subject}\n").as_bytes()
        submit(LOOPBACK, port, envelope_from, envelope_to, mail)
    except StackError as error:
        _stop(error)
    print(f"sent to {', '.join(envelope_to)}")


def _smtp_port() -> int:
    home = Home(default_home())
    state = status_file.read(home)
    if not state["running"]:
        message = f"nothing runs in {home.path}: `mailconverter up` starts it (MAILCONVERTER_HOME chooses another folder)"
        raise StackError(message)
    if not state.get("smtp_port"):
        raise StackError("this installation runs without the sandbox mailbox: send to your real mailbox instead")
    return int(state["smtp_port"])


def _from_file(eml: Path, sender: str, recipient: str, subject: str) -> tuple[str, list[str], bytes]:
    """Envelope sender and recipients, and the file's bytes, which stay as they are unless a header line is to be replaced."""
    data = eml.read_bytes()
    mail = message_from_bytes(data, policy=policy.compat32)
    for name, value in (("From", sender), ("To", recipient), ("Subject", subject)):
        if value:
            del mail[name]
            mail[name] = value
    if sender or recipient or subject:
        data = mail.as_bytes()
    writers = [address for _, address in getaddresses([str(v) for v in mail.get_all("From", [])]) if address]
    readers = [address for _, address in getaddresses([str(v) for v in mail.get_all("To", [])]) if address]
    return (writers or [""])[0], readers if recipient else [MAILBOX], data


def _address(text: str) -> str:
    """The bare address of `Name <address>`."""
    found = getaddresses([text])[0][1]
    if "@" not in found:
        message = f"{text!r} is no mail address: write name@domain"
        raise StackError(message)
    return found
