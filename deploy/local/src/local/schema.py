"""Whether a service's database has its newest schema: asked before its migration is started, which costs a Python process each.

Only a clear yes skips a migration; whatever looks odd leaves it to Alembic.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import psycopg


def is_newest(service: str, dsn: str) -> bool:
    """`dsn` is a libpq URL of the service's database."""
    heads = _heads(service)
    return bool(heads) and heads == _applied(dsn)


def _heads(service: str) -> set[str]:
    """The revisions that no other one follows; empty when they cannot be read."""
    spec = find_spec(service)
    if spec is None or spec.origin is None:
        return set()
    # shared.service.migrations_folder looks in the same two places; importing it costs what is to be saved here
    package = Path(spec.origin).parent
    folder = package / "migrations" if (package / "migrations").is_dir() else package.parents[1] / "migrations"
    found = [_names(file) for file in (folder / "versions").glob("*.py")]
    if not all(isinstance(names.get("revision"), str) for names in found):
        return set()
    followed = {names.get("down_revision") for names in found}
    return {str(names["revision"]) for names in found if names["revision"] not in followed}


def _names(file: Path) -> dict[str, object]:
    """The constants a migration file assigns at its top."""
    names: dict[str, object] = {}
    for node in ast.parse(file.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Constant):
            names |= {target.id: node.value.value for target in targets if isinstance(target, ast.Name)}
    return names


def _applied(dsn: str) -> set[str]:
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            return {row[0] for row in connection.execute("SELECT version_num FROM alembic_version")}
    except psycopg.Error:
        return set()
