"""The three servers of the embedded stack, each of which can be used alone."""

from __future__ import annotations

from functools import cached_property

from local.greenmail import GreenMail
from local.home import Home
from local.kafka import Kafka
from local.postgres import Postgres
from local.progress import Progress


class Stack:
    """Kafka, Postgres and a mail server in one data folder. Nothing starts by itself: `stack.kafka.start()`, `.wait_ready()`."""

    def __init__(self, home: Home, progress: Progress | None = None) -> None:
        self.home = home
        self._progress = progress

    @cached_property
    def kafka(self) -> Kafka:
        return Kafka(self.home, self._progress)

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(self.home)

    @cached_property
    def mail(self) -> GreenMail:
        return GreenMail(self.home, progress=self._progress)

    def stop(self) -> None:
        """Stop what was started, in the order that lets each finish."""
        for part in (self.mail, self.kafka, self.postgres):
            part.stop()
