"""Where words are still kept: every column of every table of a database, and every file of an archive."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cramjam
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_COLUMNS = text(
    """
    select c.table_name, c.column_name, c.data_type from information_schema.columns c
    join information_schema.tables t using (table_schema, table_name)
    where table_schema = 'public' and t.table_type = 'BASE TABLE' and c.table_name not in ('erasures', 'erased')
    order by 1, 2
    """
)


async def leftovers(engine: AsyncEngine, words: Iterable[str]) -> list[str]:
    """`table.column: word` for each word that a row holds, in whatever case; bytes are looked into as text."""
    found = []
    async with engine.connect() as conn:
        for table, column, kind in (await conn.execute(_COLUMNS)).all():
            value = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            for word in words:
                query = text(f'select exists (select 1 from "{table}" where position(lower(:word) in lower({value})) > 0)')  # noqa: S608 -- names of the catalogue
                if await conn.scalar(query, {"word": word}):
                    found.append(f"{table}.{column}: {word}")
    return found


def archived(folder: Path, words: Iterable[str]) -> list[str]:
    """`file: word` for each word that a blob holds."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and (path.suffix == ".zst" or "uploads" in path.parts)):
        data = bytes(cramjam.zstd.decompress(path.read_bytes())).decode("utf-8", "replace").casefold()
        found += [f"{path.relative_to(folder)}: {word}" for word in words if word.casefold() in data]
    return found
