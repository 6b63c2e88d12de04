"""Errors named after what the caller should do."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

RACES = ("40P01", "40001")
"""SQLSTATE of a deadlock and of a serialisation failure: the same work succeeds when it runs alone."""
AWAY = ("08", "53", "57P", "58")
"""SQLSTATE classes: connection lost, resources exhausted, shutting down or starting up, system error."""


class UnavailableError(Exception):
    """Something we depend on is away (database, broker, archive): retry later, never dead-letter."""


class NeverRetryError(Exception):
    """This event can never be handled: dead-letter it at once."""


class BrakedError(Exception):
    """Too many dead letters in a row: stand still and call a person."""


def is_unavailable(error: BaseException) -> bool:
    """True where waiting may help: the database or the network is away."""
    if isinstance(error, UnavailableError | InterfaceError | PoolTimeoutError | ConnectionError | TimeoutError):
        return True
    if not isinstance(error, DBAPIError | psycopg.Error):
        return False
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = sqlstate(error)
    return _is_connection_error(error) if state is None else state.startswith(AWAY)


def is_race(error: BaseException) -> bool:
    """True for a deadlock or a serialisation failure."""
    return isinstance(error, DBAPIError | psycopg.Error) and sqlstate(error) in RACES


def sqlstate(error: DBAPIError | psycopg.Error) -> str | None:
    """The five-character code Postgres gave, None where the server said nothing."""
    return getattr(_driver_error(error), "sqlstate", None)


def _is_connection_error(error: DBAPIError | psycopg.Error) -> bool:
    return isinstance(_driver_error(error), psycopg.OperationalError)


def _driver_error(error: DBAPIError | psycopg.Error) -> BaseException | None:
    """SQLAlchemy wraps the driver's errors; those of COPY come as they are."""
    return error.orig if isinstance(error, DBAPIError) else error
