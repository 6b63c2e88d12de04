"""Debian's Postfix for a test, in a temporary folder: it takes mails on a free port and hands all of them on to another server."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.kit.eventually import eventually
from tests.kit.ports import free_port, listens

MISSING = "Postfix is not installed, or this is not root, which it needs (Debian: apt-get install postfix)"
PROGRAM = Path("/usr/sbin/postfix")

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = /var/log/{log}
myhostname = postfix.test
mydestination =
local_transport = error:nobody is local here
relayhost = [127.0.0.1]:{next_port}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_limit = {recipient_limit}
smtpd_recipient_overshoot_limit = 1000
smtputf8_enable = yes
disable_dns_lookups = yes
minimal_backoff_time = 1s
queue_run_delay = 1s
"""
SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def installed() -> bool:
    """Whether this machine has Postfix, and lets us start it."""
    return PROGRAM.exists() and os.geteuid() == 0


@dataclass(frozen=True)
class Running:
    """A Postfix that takes mails on `port`."""

    port: int
    folder: Path

    def control(self, command: str, *, check: bool = True) -> None:
        """`start`, `stop`, `reload`."""
        subprocess.run([PROGRAM, "-c", self.folder / "etc", command], check=check, timeout=60, capture_output=True)


@contextmanager
def configured(main: str, services: str = SERVICES, files: Mapping[str, str] = MappingProxyType({}), **values: object) -> Iterator[Running]:
    """In a folder of its own, by main.cf with these values filled in, master.cf and further files of its configuration."""
    folder = Path(tempfile.mkdtemp(prefix="mailconverter-postfix-"))
    made, log = Running(free_port(), folder), f"{folder.name}.log"
    try:
        folder.chmod(0o755)
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir(mode=0o755)
        os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postfix").gr_gid)
        settings = {"main.cf": main.format(folder=folder, log=log, **values), "master.cf": services.format(port=made.port)}
        for name, text in {**settings, **files}.items():
            (folder / "etc" / name).write_text(text)
        made.control("start")
        eventually(lambda: listens(made.port), 60)
        yield made
    finally:
        made.control("stop", check=False)
        shutil.rmtree(folder, ignore_errors=True)
        Path("/var/log", log).unlink(missing_ok=True)


@contextmanager
def running_postfix(next_port: int, recipient_limit: int = 1000) -> Iterator[int]:
    """The port it takes mails on; `next_port` is where it hands them on."""
    with configured(MAIN, next_port=next_port, recipient_limit=recipient_limit) as made:
        yield made.port
