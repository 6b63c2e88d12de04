"""What a mail may cost. Whatever lies beyond a limit is left out of the model and named in `defects`; the archive keeps the whole mail."""

from __future__ import annotations

from typing import Final

TEXT_LIMIT: Final = 256 * 1024
"""Bytes of a text as a JSON string in UTF-8; an event may take up to 1 MiB and carries two of them."""

MAX_PARTS: Final = 1_000
MAX_DEPTH: Final = 50
MAX_FILES_WITHIN: Final = 200
"""Files taken out of one winmail.dat or out of one uuencoded text."""
MAX_PROPERTIES: Final = 5_000
MAX_CALENDAR: Final = 64 * 1024
MAX_DELIMITER_LINES: Final = 500_000
"""Lines beginning with `--` that are looked at: one mail may consist of nothing else."""

MAX_HEADER_BLOCK: Final = 256 * 1024
MAX_FIELDS: Final = 1_000
MAX_PART_FIELDS: Final = 100
MAX_FIELD_BYTES: Final = 128 * 1024
MAX_SHORT_FIELD: Final = 16 * 1024
"""Characters of a subject, date, name or any other single value before decoding."""

MAX_ENCODED_WORDS: Final = 2_000
MAX_HEADERS_CHARS: Final = 128 * 1024
"""All decoded fields of `ParsedMail.headers` together."""

MAX_SUBJECT: Final = 2_000
MAX_ADDRESSES: Final = 500
MAX_IDS: Final = 200
MAX_ID: Final = 998
MAX_NAME_BYTES: Final = 255
MAX_BODY_INPUT: Final = 512 * 1024
"""Decoded bytes of all text parts together that are turned into text."""

CHARSET_SAMPLE: Final = 16 * 1024
