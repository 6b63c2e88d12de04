from __future__ import annotations


class StackError(Exception):
    """The stack cannot go on. The message is one line that says what to do; the command line prints it and exits with 1."""
