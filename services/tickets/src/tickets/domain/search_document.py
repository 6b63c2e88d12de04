"""What the search keeps of a ticket: a bounded `tsvector`.

- every word without case and accents, with its places, for words and quoted phrases;
- its stem in every configured language, without places;
- addresses and Message-IDs whole;
- marks, which no text has: the values of its filters, and the blocks its number is in (`adapters.ticket_search`).

Postgres' limits (1 MiB, places up to 16,383, 256 places a word, 2 KiB a word) are kept here, so it never refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from tickets.domain.words import addresses_in, folded, words_in

MAX_TEXT: Final = 256 * 1024
"""Characters of a ticket that are read, in the order given."""
MAX_WORDS: Final = 20_000
"""Different words; those after them are not found."""
MAX_BYTES: Final = 700_000
MAX_PLACE: Final = 16_000
MAX_PLACES: Final = 200
GAP: Final = 10
"""Places between two texts, so that no phrase spans them."""
BLOCKS: Final = (16, 18, 20)
"""A ticket is marked with its blocks of 65,536, 262,144 and 1,048,576 numbers."""

Stems = Mapping[str, Collection[str]]
"""The stems of a word, over all languages."""


def block_mark(bits: int, ticket_id: int) -> str:
    """Mark of the block of 2^bits numbers that a ticket is in."""
    return f"={bits}:{ticket_id >> bits}"


def filter_mark(name: str, value: str | None) -> str:
    """Mark of a filter's value; two long values may share one, so the ticket itself is asked as well."""
    return f"={name}:{value or ''}"[:200]


def read_words(texts: Sequence[str]) -> dict[str, list[int]]:
    """The words of the texts with their places, bounded; an address has none."""
    words: dict[str, list[int]] = {}
    place, left = 1, MAX_TEXT
    for text in texts:
        bounded = text[: max(left, 0)]
        left -= len(bounded)
        for word in words_in(bounded):
            _add(words, word, place)
            place += 1
        for address in addresses_in(bounded):
            _add(words, address, MAX_PLACE)
        place += GAP
    return words


def _add(words: dict[str, list[int]], word: str, place: int) -> None:
    places = words.get(word)
    if places is None:
        if len(words) >= MAX_WORDS:
            return
        places = words[word] = []
    if place < MAX_PLACE and len(places) < MAX_PLACES:
        places.append(place)


def vector(words: Mapping[str, list[int]], stems: Stems, marks: Iterable[str]) -> str:
    """The `tsvector` in Postgres' text form."""
    places: dict[str, list[int]] = {mark: [] for mark in marks}
    for word, at in words.items():
        places.setdefault(word if "@" in word else folded(word), []).extend(at)
    for word in words:
        for stem in stems.get(word, ()):
            places.setdefault(stem, [])
    return " ".join(_bounded(places))


def _bounded(places: Mapping[str, list[int]]) -> Iterable[str]:
    used = 0
    for word, at in places.items():
        if not word:
            continue
        shown = sorted(set(at))[:MAX_PLACES]
        used += len(word.encode()) + 2 * len(shown) + 8
        if used > MAX_BYTES:
            return
        yield quoted(word) + (":" + ",".join(map(str, shown)) if shown else "")


def quoted(word: str) -> str:
    """A lexeme as `tsvector` and `tsquery` read it."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
