"""The sandbox of the embedded stack: a newcomer sees the main job without a mailbox of their own. `local.seeding` has its contents."""

from __future__ import annotations

from local import seeding
from local.greenmail import GreenMail
from local.home import Home
from local.ports import LOOPBACK
from local.seeding import USERS, Client, is_wanted
from local.services import service_token, url

__all__ = ["USERS", "Client", "client", "is_wanted", "may_be_wanted", "seed"]


def client(home: Home) -> Client:
    """The console's REST API as this installation's sandbox uses it."""
    return Client(url(home, "console"), home, service_token(home))


def may_be_wanted(home: Home) -> bool:
    """Whether to start the mail server at once: it was seeded, or the installation is new."""
    return home.seeded_file.exists() or not (home.path / "postgres" / "PG_VERSION").exists()


def seed(api: Client, mail: GreenMail) -> bool:
    """Make what is not there yet; True when the three mails were sent now."""
    return seeding.seed(api, seeding.MailServer(LOOPBACK, mail.port, mail.smtp_port))
