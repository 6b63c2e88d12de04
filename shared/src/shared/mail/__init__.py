"""The mail model: one parse per mail, pure, never raising on any bytes, bounded in time and memory.

Enter by `parse.parse`, `parts.open_part` and `envelope.envelope`. Nothing is imported here: who only reads envelopes does
without the packages of the `mail` extra.
"""
