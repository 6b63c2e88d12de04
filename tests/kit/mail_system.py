"""Debian's Postfix that delivers into Debian's Dovecot: mail servers as customers have them, with real bounces and forwarding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.kit import dovecot, postfix
from tests.kit.desk import PASSWORD
from tests.kit.dovecot import Dovecot, Setup, running_dovecot

LOOPBACK: Final = "127.0.0.1"
MAIN: Final = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = /var/log/{log}
myhostname = mx.customer.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
disable_dns_lookups = yes
alias_maps =
alias_database =
virtual_mailbox_domains = desk.example, customer.example
virtual_mailbox_base = {mails}
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_alias_maps = regexp:{folder}/etc/aliases
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
# Who is not there is found out after the mail was taken, so that the answer is a bounce and no refusal.
smtpd_reject_unlisted_recipient = no
"""
ALIASES: Final = """\
/^forward-([a-z0-9-]+)@customer\\.example$/ $1@desk.example
"""
SERVICES: Final = f"{postfix.SERVICES}virtual unix - n n - - virtual\n"
MISSING: Final = f"{postfix.MISSING}; {dovecot.MISSING}"


def installed() -> bool:
    """Whether this machine has both, and lets us start them."""
    return postfix.installed() and dovecot.installed()


@dataclass(frozen=True)
class MailSystem:
    """Takes mails to everybody at desk.example and customer.example, and returns those to whom nobody made a mailbox.

    What goes to `forward-X@customer.example` goes to X@desk.example.
    """

    server: Dovecot
    postfix: postfix.Running
    smtp_host: str = LOOPBACK
    imap_host: str = LOOPBACK

    @property
    def smtp_port(self) -> int:
        return self.postfix.port

    @property
    def imap_port(self) -> int:
        return self.server.port

    def create_mail_user(self, email: str, password: str) -> None:
        """Raises ValueError for another password than Dovecot's, which is everybody's."""
        if password != self.server.setup.password:
            raise ValueError(password)
        with (self.postfix.folder / "etc" / "mailboxes").open("a") as known:
            known.write(f"{email} {email}/Maildir/\n")
        self.postfix.control("reload")

    def at_rest(self) -> bool:
        """Whether no mail waits to be delivered."""
        queues = [self.postfix.folder / "queue" / name for name in ("maildrop", "incoming", "active", "deferred")]
        return not any(path.is_file() for queue in queues for path in queue.rglob("*"))


@contextmanager
def running_mail_system() -> Iterator[MailSystem]:
    """In folders of their own, on free ports."""
    with running_dovecot(Setup(password=PASSWORD)) as server:
        mails = server.folder / "mail"
        owner, files = mails.stat(), {"mailboxes": "", "aliases": ALIASES}
        with postfix.configured(MAIN, SERVICES, files, mails=mails, uid=owner.st_uid, gid=owner.st_gid) as running:
            yield MailSystem(server, running)
