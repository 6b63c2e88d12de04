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
from contextlib import suppress
from pathlib import Path

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
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
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
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service imap {{
  process_limit = 200
}}
"""


def installed() -> bool:
    """Whether this machine has Dovecot."""
    return find() is not None


def find() -> str | None:
    """Path of the program, also where `/usr/sbin` is not on the PATH."""
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


class Dovecot:
    """Every user exists, with the password PASSWORD."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
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
        values = {"folder": self.folder, "port": self.port, "user": account.pw_name, "group": group, "password": PASSWORD}
        (self.folder / "dovecot.conf").write_text(CONFIG.format(internal=internal, login=login, **values))

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"Dovecot ended: {(self.folder / 'start.log').read_text()[-500:]}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.settimeout(5)
            return connection.recv(100).startswith(b"* OK")
        return False
