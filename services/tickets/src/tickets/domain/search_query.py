"""What somebody typed into the search, as a `tsquery`. Nothing that is typed is an error.

Words side by side must all occur; "quoted" ones in this order, as they are; -without. A word that holds punctuation, such as a file name
or a domain, is a phrase; a whole address is sought as one. The last word may be unfinished.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from tickets.domain.keys import MAX_BIGINT
from tickets.domain.search_document import Stems, quoted
from tickets.domain.words import addresses_in, folded, words_in

MAX_TYPED: Final = 500
MAX_TERMS: Final = 32
SHORTEST_BEGINNING: Final = 3
"""Letters of an unfinished word from which on it is completed; fewer would be completed by nearly every word there is."""
_TERM: Final = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')
_NUMBER: Final = re.compile(r"#?(\d{1,19})", re.ASCII)


@dataclass(frozen=True)
class Term:
    """One word, or several in this order."""

    words: tuple[str, ...]
    wanted: bool = True
    exact: bool = False
    """As typed: no stems."""
    unfinished: bool = False


def number_sought(typed: str) -> int | None:
    """The ticket number, where that is all there is: `123` or `#123`."""
    found = _NUMBER.fullmatch(typed.strip())
    number = int(found.group(1)) if found else 0
    return number if 0 < number <= MAX_BIGINT else None


def terms_of(typed: str) -> tuple[Term, ...]:
    """The terms, at most 32; none where nothing typed is a word."""
    typed = typed[:MAX_TYPED]
    terms: list[Term] = []
    for found in _TERM.finditer(typed):
        minus, phrase, word = found.groups()
        text = phrase if word is None else word
        at_end = word is not None and found.end() == len(typed)
        if term := _term(text, wanted=not minus, exact=word is None, at_end=at_end):
            terms.append(term)
    return tuple(terms[:MAX_TERMS])


def _term(text: str, *, wanted: bool, exact: bool, at_end: bool) -> Term | None:
    whole = [] if exact else list(addresses_in(text))
    words = tuple(whole[:1] or words_in(text)[:MAX_TERMS])
    if not words:
        return None
    unfinished = at_end and wanted and len(words[-1]) >= SHORTEST_BEGINNING
    return Term(words, wanted, exact or len(words) > 1, unfinished)


def words_to_stem(terms: Sequence[Term]) -> list[str]:
    """The words whose stems the query needs."""
    return [term.words[0] for term in terms if not term.exact and "@" not in term.words[0]]


def telling(terms: Sequence[Term], empty: Collection[str]) -> tuple[Term, ...]:
    """Without words that say nothing, such as articles, unless there is nothing else."""
    kept = tuple(term for term in terms if term.exact or term.words[0] not in empty)
    return kept or tuple(terms)


def query_of(terms: Sequence[Term], stems: Stems, marks: Sequence[str]) -> str:
    """The `tsquery` in Postgres' text form; every mark must be there as well."""
    return " & ".join([*map(quoted, marks), *(_one(term, stems) for term in terms)])


def _one(term: Term, stems: Stems) -> str:
    ending = ":*" if term.unfinished else ""
    words = [quoted(word if "@" in word else folded(word)) for word in term.words]
    text = " <-> ".join([*words[:-1], words[-1] + ending])
    if not term.exact:
        text = " | ".join([text, *(quoted(stem) for stem in sorted(stems.get(term.words[0], ())) if stem)])
    return f"({text})" if term.wanted else f"!({text})"
