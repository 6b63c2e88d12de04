"""What the search reads of tickets, the stems of words, and the rows it keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.domain.words import folded

_STEMS: Final = text(
    """
    select word, ts_lexize(cast('pg_catalog.' || language || '_stem' as regdictionary), word) as stems
    from unnest(cast(:words as text[])) word,
         (select jsonb_array_elements_text(value) as language from desk_settings where name = 'search_languages') chosen
    where language <> 'simple'
    """
)
_KNOWN: Final = text(
    "select left(dictname, -5) from pg_ts_dict where dictnamespace = 'pg_catalog'::regnamespace and dictname like '%\\_stem'"
)
_CHOOSE: Final = text(
    """
    insert into desk_settings (name, value) values ('search_languages', to_jsonb(cast(:languages as text[])))
    on conflict (name) do update set value = excluded.value, version = desk_settings.version + 1 where desk_settings.value <> excluded.value
    returning name
    """
)
_TICKETS: Final = text(
    """
    select t.id, t.title, left(t.description, 65536) as description, t.status, t.source, t.scanner_id, t.contact_id, t.assignee, t.tags,
           t.priority, t.category, t.sender, t.recipients, t.external_code, c.name as contact_name,
           array(select a.address from contact_addresses a where a.contact_id = t.contact_id limit 50) as contact_addresses,
           array(select p.address from participants p where p.ticket_id = t.id limit 500) as participants,
           array(select concat_ws(' ', w.name, w.address) from watchers w where w.ticket_id = t.id and not w.removed limit 100) as watchers,
           array(select i.message_id from message_ids i where i.ticket_id = t.id order by i.history_id desc limit 500) as message_ids,
           array(select a.name from attachments a where a.ticket_id = t.id order by a.id limit 500) as files
    from tickets t left join contacts c on c.id = t.contact_id
    where t.id = any(:numbers) and t.deleted_at is null and t.merged_into is null
    """
)
_MESSAGES: Final = text(
    """
    select m.ticket_id, left(m.text, case when m.first then 65536 else 16384 end) as text, m.people
    from unnest(cast(:numbers as bigint[])) n, lateral (
        (select ticket_id, text, concat_ws(' ', sender_name, sender, reply_to, recipients, cc) as people, true as first
         from messages where ticket_id = n order by received_at, order_id limit 1)
        union all
        (select ticket_id, text, concat_ws(' ', sender_name, sender, reply_to, recipients, cc), false
         from messages where ticket_id = n order by received_at desc, order_id desc limit 20)
    ) m
    """
)
_WRITE: Final = text(
    """
    insert into ticket_search (ticket_id, words)
    select n, cast(words as tsvector) from unnest(cast(:numbers as bigint[]), cast(:words as text[])) given (n, words) order by n
    on conflict (ticket_id) do update set words = excluded.words
    """
)
_REMOVE: Final = text("delete from ticket_search where ticket_id = any(:numbers)")
_JSON_SIGNS: Final = str.maketrans('[]{}":,', "       ")


@dataclass(frozen=True)
class Stemmed:
    """Words with their stems over all languages, and those that say nothing in one of them (stop words)."""

    stems: Mapping[str, Collection[str]]
    empty: Collection[str]


@dataclass(frozen=True)
class Readable:
    """A ticket that is listed, with its texts: what is short and tells most first, then the first message and the newest."""

    row: Row[Any]
    messages: Sequence[Row[Any]]

    def texts(self) -> list[str]:
        """All that is searched, in the order in which it is read."""
        row = self.row
        said = dict.fromkeys([row.description, *(message.text for message in self.messages)])
        people = dict.fromkeys(message.people[:16384].translate(_JSON_SIGNS) for message in self.messages)
        lists = (row.contact_addresses, row.watchers, row.message_ids, row.files, row.recipients, row.participants)
        short = [str(row.id), row.title, row.external_code, row.sender, row.contact_name, *row.tags]
        return [text for text in [*short, *(one for several in lists for one in several), *people, *said] if text]


async def known_languages(conn: AsyncConnection) -> set[str]:
    """Those this Postgres has stems for."""
    return set((await conn.execute(_KNOWN)).scalars())


async def choose_languages(conn: AsyncConnection, languages: Sequence[str]) -> bool:
    """Remember them; True where they are others than before."""
    return await conn.scalar(_CHOOSE, {"languages": list(languages)}) is not None


async def stems_of(conn: AsyncConnection, words: Collection[str]) -> Stemmed:
    """Stems in the languages chosen, without accents."""
    found: dict[str, set[str]] = defaultdict(set)
    empty: set[str] = set()
    if words:
        for word, stems in await conn.execute(_STEMS, {"words": list(words)}):
            found[word].update(map(folded, stems or ()))
            if not stems:
                empty.add(word)
    return Stemmed(found, empty)


async def readable(conn: AsyncConnection, numbers: Collection[int]) -> list[Readable]:
    """The tickets that are listed, of those."""
    given = {"numbers": list(numbers)}
    said: dict[int, list[Row[Any]]] = defaultdict(list)
    for message in await conn.execute(_MESSAGES, given):
        said[message.ticket_id].append(message)
    return [Readable(row, said[row.id]) for row in await conn.execute(_TICKETS, given)]


async def write(conn: AsyncConnection, vectors: Mapping[int, str]) -> None:
    """Replace what is kept of these tickets."""
    if vectors:
        await conn.execute(_WRITE, {"numbers": list(vectors), "words": list(vectors.values())})


async def remove(conn: AsyncConnection, numbers: Collection[int]) -> None:
    """Tickets that are listed no more."""
    if numbers:
        await conn.execute(_REMOVE, {"numbers": list(numbers)})
