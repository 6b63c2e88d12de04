"""Texts as the search compares them: words without case and accents, and whole addresses.

Both sides, what is indexed and what is sought, are cut by these functions and by nothing else, so they agree in every database,
whatever its locale.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

MAX_WORD: Final = 100
"""Characters of a word that count; a longer one is found by its beginning."""
MAX_ADDRESS: Final = 200
_MARKS: Final = "\u0300-\u036f"
_WORD: Final = re.compile(rf"[\u3040-\u30ff\u3400-\u9fff]|[^\W_](?:[^\W_]|[{_MARKS}\u0900-\u0d7f])*")
"""A Chinese or Japanese character is a word of its own (what is sought is a phrase then); the signs from U+0900 belong to Indic letters."""
_ACCENTS: Final = re.compile(f"[{_MARKS}]")
_ADDRESS: Final = re.compile(r"[^\s<>\"'`(),;:|\[\]\\@]{1,200}@[^\s<>\"'`(),;:|\[\]\\@]{1,200}")


def words_in(text: str) -> list[str]:
    """The words in order, in lower case, still with their accents: stems are made of these."""
    return [word[:MAX_WORD] for word in _WORD.findall(unicodedata.normalize("NFC", text.casefold()))]


def folded(word: str) -> str:
    """Without accents: é and e are the same."""
    if word.isascii():
        return word
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", word)))[:MAX_WORD]


def addresses_in(text: str) -> Iterator[str]:
    """Mail addresses and Message-IDs, whole."""
    for found in _ADDRESS.findall(text):
        yield address_word(found)


def address_word(address: str) -> str:
    """An address as one word; `@` tells it from the others."""
    return address.casefold().strip(".-")[:MAX_ADDRESS]
