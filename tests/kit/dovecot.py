"""Debian's Dovecot as an ordinary process of the test, in a temporary folder on a free port.

It is the judge of bytes: what is appended comes back unchanged, unlike with the sandbox mail server.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.kit.certificates import Certificate
from tests.kit.eventually import eventually
from tests.kit.ports import free_port

PASSWORD = "dovecot-secret"
MISSING = "Dovecot is not installed (Debian: apt-get install dovecot-imapd)"
STOP_SECONDS = 10

CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
protocols = imap
listen = 127.0.0.1
log_path = {folder}/dovecot.log
{ssl}
disable_plaintext_auth = {plaintext_disabled}
auth_mechanisms = {mechanisms}
auth_verbose = yes
mail_max_userip_connections = 1000
default_client_limit = 10000
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
mail_location = maildir:~/Maildir
mail_home = {folder}/mail/%u
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
mail_fsync = never
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Junk {{
    special_use = \\Junk
    auto = create
  }}
}}
{passdbs}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  process_limit = 2000
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  # a wrong password costs nobody else time
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap {{
  process_limit = 2000
}}
"""

ENCRYPTED = """\
ssl = yes
ssl_min_protocol = TLSv1.2
ssl_cert = <{certificate.cert}
ssl_key = <{certificate.key}"""

MASTERS = """\
passdb {{
  driver = static
  master = yes
  args = password={password}
}}"""

BY_TOKEN = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}"""

INTROSPECTION = """\
introspection_mode = post
introspection_url = {introspection}
username_attribute = username
active_attribute = active
active_value = true
"""


@dataclass(frozen=True)
class Setup:
    """How a Dovecot is set up; as it stands, it takes plain passwords without encryption."""

    mechanisms: str = "plain login"
    certificate: Certificate | None = None
    """With one it offers STARTTLS, and TLS on `tls_port`."""
    plaintext: bool = True
    """Whether a password may come over a connection that is not encrypted (else LOGINDISABLED)."""
    introspection: str = ""
    """Where access tokens are checked (RFC 7662), for the mechanisms xoauth2 and oauthbearer."""
    masters: bool = False
    """Whether everybody may open every mailbox, by SASL's authorization identity."""
    password: str = PASSWORD
    """Of every user."""


PLAIN = Setup()


def installed() -> bool:
    """Whether this machine has Dovecot."""
    return find() is not None


def find() -> str | None:
    """Path of the program, also where `/usr/sbin` is not on the PATH."""
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


class Dovecot:
    """Every user exists."""

    def __init__(self, folder: Path, setup: Setup = PLAIN) -> None:
        self.folder = folder
        self.setup = setup
        self.port = free_port()
        self.tls_port = free_port() if setup.certificate else 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers. RuntimeError with its log's last line when it does not."""
        program = find()
        if program is None:
            raise RuntimeError(MISSING)
        self._prepare()
        with (self.folder / "start.log").open("ab") as output:
            self._process = subprocess.Popen([program, "-F", "-c", str(self.folder / "dovecot.conf")], stdout=output, stderr=output)
        eventually(self._answers, 15)

    def stop(self) -> None:
        """Ends it and all its children."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _prepare(self) -> None:
        account = pwd.getpwuid(os.geteuid()) if os.geteuid() else pwd.getpwnam("nobody")
        root = os.geteuid() == 0
        group = "nogroup" if root else str(account.pw_gid)
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if root:
            os.chown(self.folder / "mail", account.pw_uid, account.pw_gid)
            for folder in [self.folder, *self.folder.parents][:-2]:
                with suppress(PermissionError):
                    folder.chmod(folder.stat().st_mode | 0o011)
        internal, login = ("dovecot", "dovenull") if root else (account.pw_name, account.pw_name)
        values = {"folder": self.folder, "port": self.port, "tls_port": self.tls_port, "user": account.pw_name, "group": group}
        values |= self._signing_in()
        (self.folder / "dovecot.conf").write_text(CONFIG.format(internal=internal, login=login, **values))

    def _signing_in(self) -> dict[str, str]:
        setup = self.setup
        ssl = ENCRYPTED.format(certificate=setup.certificate) if setup.certificate else "ssl = no"
        passdbs = [MASTERS.format(password=setup.password)] if setup.masters else []
        if setup.introspection:
            (self.folder / "oauth2.conf").write_text(INTROSPECTION.format(introspection=setup.introspection))
            passdbs.append(BY_TOKEN.format(folder=self.folder))
        plaintext_disabled = "no" if setup.plaintext else "yes"
        return {
            "ssl": ssl,
            "mechanisms": setup.mechanisms,
            "plaintext_disabled": plaintext_disabled,
            "passdbs": "\n".join(passdbs),
            "password": setup.password,
        }

    def log(self) -> str:
        """What it wrote down so far."""
        return (self.folder / "dovecot.log").read_text(errors="replace")

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"Dovecot ended: {(self.folder / 'start.log').read_text()[-500:]}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.settimeout(5)
            return connection.recv(100).startswith(b"* OK")
        return False


@contextmanager
def running_dovecot(setup: Setup = PLAIN) -> Iterator[Dovecot]:
    """In a folder of its own: another run of pytest closes the one of `tmp_path` to everybody but root."""
    folder = Path(tempfile.mkdtemp(prefix="mailconverter-dovecot-"))
    server = Dovecot(folder, setup)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
