"""Apache Kafka as one KRaft node on loopback."""

from __future__ import annotations

import asyncio
import base64
import logging
import signal
import subprocess
import uuid
from functools import cached_property
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from local.child import Child, last_line
from local.errors import StackError
from local.home import Home
from local.jars import class_path
from local.java import java
from local.ports import LOOPBACK
from local.processes import Launch
from local.progress import Progress

HEAP_MB = 384
PROBE_MS = 2500
FORMAT_SECONDS = 60

# Where the usual single-node settings are not enough: small internal topics, an empty group starts at once, and a broker that was
# killed is let in again after 6 s instead of 9. Less than that a busy machine takes for a dead broker, and all partitions are elected anew.
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "1000",
}

# Kafka's reasons for not starting are only in its log, and it logs nothing without a configuration.
LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.kafka.name = kafka
logger.kafka.level = info
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %c %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
"""

# While Kafka starts, the client of the probe would report each refused connection.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())


class Kafka(Child):
    """Bootstrap servers: `bootstrap`. Its data survives a SIGKILL."""

    clean_exits = frozenset({0, 143, -signal.SIGTERM})
    stop_seconds = 20.0

    def __init__(self, home: Home, progress: Progress | None = None) -> None:
        super().__init__("kafka", home)
        self.folder = home.path / "kafka"
        self.server_log = home.logs / "kafka-server.log"
        self._progress = progress

    @property
    def port(self) -> int:
        return self.home.ports.get("kafka")

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @cached_property
    def class_path(self) -> str:
        """Checked once per run: that takes a moment, and a restart after a crash should not."""
        return class_path("kafka", self._progress)

    def launch(self) -> Launch:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(LOG4J.format(log=self.server_log))
        properties = self._write_properties()
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(properties)
        return Launch(self._java("kafka.Kafka", str(properties)), self.log, cwd=self.folder)

    def probe(self) -> bool:
        return asyncio.run(self._answers())

    def reason(self) -> str:
        return last_line(self.server_log, "Exception: ")

    async def _answers(self) -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=PROBE_MS)
        try:
            async with asyncio.timeout(PROBE_MS / 1000):
                await admin.start()
                return bool((await admin.describe_cluster())["brokers"])
        except (KafkaError, TimeoutError):
            return False
        finally:
            await admin.close()

    def _write_properties(self) -> Path:
        controller = f"{LOOPBACK}:{self.home.ports.get('kafka-controller')}"
        settings = SETTINGS | {
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.folder / "data"),
        }
        path = self.folder / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return path

    def _format(self, properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        argv = self._java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties))
        done = subprocess.run(argv, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=FORMAT_SECONDS, check=False)
        if done.returncode:
            text = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
            message = f"Kafka could not set up its folder {self.folder}: {text[-1] if text else f'exit status {done.returncode}'}"
            raise StackError(message)

    def _java(self, *main: str) -> list[str]:
        properties = {"log4j2.configurationFile": str(self.folder / "log4j2.properties")}
        return java(HEAP_MB, self.class_path, list(main), properties)
