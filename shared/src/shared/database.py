"""The service's own Postgres database: engine and migrations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

if TYPE_CHECKING:
    from alembic.config import Config

CONNECT_TIMEOUT_S = 5
LISTEN_AGAIN_S = 1.0
STATEMENT_TIMEOUT_MS = 30_000
IDLE_IN_TRANSACTION_MS = 60_000
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> MetaData:
    """Metadata whose constraints have predictable names, so that migrations can speak of them."""
    return MetaData(naming_convention=NAMING)


def make_engine(url: SecretStr, *, application: str, pool_size: int = 8) -> AsyncEngine:
    """An engine with time-outs on connecting, on statements, on idle transactions and on dead peers; connects on first use."""
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS}"
    return create_async_engine(
        url.get_secret_value(),
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=30,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": application,
            "options": options,
            # A peer that vanished without a word is noticed within a minute.
            "keepalives_idle": 20,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 45_000,
        },
    )


def at_once(engine: AsyncEngine) -> AsyncEngine:
    """The same connections for single statements, without the two round trips of a transaction around each. Use `connect()`."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


async def listen(engine: AsyncEngine, channel: str, heard: Callable[[str], None]) -> None:
    """Call `heard` with the payload of every notification, for ever; reconnects by itself.

    What is sent while it is disconnected is lost, so whoever listens also polls.
    """
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    while True:
        with contextlib.suppress(psycopg.Error, OSError):
            connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
            async with connection:
                await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
                async for note in connection.notifies():
                    heard(note.payload)
        await asyncio.sleep(LISTEN_AGAIN_S)


def alembic_config(migrations: Path, url: str) -> Config:
    """Alembic without an ini file; `env.py` reads `config.attributes["url"]`."""
    from alembic.config import Config  # only migrations need it: every service would load it at its start

    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["url"] = url
    return config


def migrate(migrations: Path, url: SecretStr) -> None:
    """Bring the database to the newest schema. Two starters at once end well: `env.py` takes an advisory lock."""
    from alembic import command

    command.upgrade(alembic_config(migrations, url.get_secret_value()), "head")
