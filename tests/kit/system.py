"""The five services as processes of their own on a test stack, and the public REST API as a test's way in."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import services
from local.home import Home
from local.processes import Launch
from local.services import NAMESPACE, SERVICES, Service, Sources
from tests.kit.api import Api
from tests.kit.stack import TestStack


class _Part(Service):
    """A service with settings of the test."""

    def __init__(self, home: Home, service: str, sources: Sources, instance: str, settings: dict[str, str]) -> None:
        super().__init__(home, service, sources, instance)
        self._settings = settings

    def launch(self) -> Launch:
        launch = super().launch()
        own = {name: value for name, value in self._settings.items() if name.startswith(f"MAILCONVERTER_{self.service.upper()}__")}
        return dataclasses.replace(launch, environment={**(launch.environment or {}), **own})


class System:
    """Databases, topics and archive are made at `start`; `kill` and `restart` take a service's name."""

    def __init__(self, stack: TestStack, home: Home, settings: dict[str, str] | None = None, name: str = NAMESPACE) -> None:
        """Two on one stack are two installations when their names differ."""
        self.stack = stack
        self.home = home
        home.prepare(needed_bytes=0)
        databases = {service: stack.database_url(f"{name}_{service}") for service in SERVICES}
        self.sources = Sources(stack.kafka_bootstrap, databases, name)
        self.parts = {service: _Part(home, service, self.sources, "", settings or {}) for service in SERVICES}
        self.api = Api(services.url(home, "console"))

    def start(self) -> None:
        """Returns when all five are ready and the API has a token."""
        services.make_archive(self.home)
        services.apply_topics(self.sources.bootstrap, self.sources.namespace)
        for command in services.migrate(self.home, self.sources):
            command.wait()
        for part in self.parts.values():
            part.start()
        for part in self.parts.values():
            part.wait_ready()
        self.api.sign_in(services.service_token(self.home))

    def stop(self) -> None:
        """Ends all services; the stack is its owner's."""
        for part in self.parts.values():
            part.signal_stop()
        for part in self.parts.values():
            part.stop()
        self.api.close()

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.parts[name].kill()

    def restart(self, name: str) -> None:
        """Start it again and wait until it is ready."""
        self.parts[name].start()
        self.parts[name].wait_ready()


@contextmanager
def running_system(stack: TestStack, name: str = NAMESPACE) -> Iterator[System]:
    """In a folder of its own; the stack stays its owner's."""
    folder = Path(tempfile.mkdtemp(prefix="mailconverter-system-"))
    running = System(stack, Home(folder), name=name)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
