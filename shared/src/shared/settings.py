"""Settings of a service: environment variables `MAILCONVERTER_<SERVICE>__<NAME>`, read once into one frozen object.

A wrong value or a variable nobody knows stops the service at start with one clear line.
"""

from __future__ import annotations

import os
import sys
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "MAILCONVERTER_"
S = TypeVar("S", bound="BaseSettings")


class SharedSettings(BaseSettings):
    """What the one-shot commands need (`python -m shared.topics apply`, `python -m shared.archive init`)."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    kafka_bootstrap: str = Field(default="127.0.0.1:9092", description="Kafka's bootstrap servers, host:port, comma separated")
    namespace: str = Field(default="mailconverter", pattern=r"^[a-zA-Z0-9._-]{1,100}$", description="Prefix of topics and consumer groups")
    replication_factor: int = Field(default=1, ge=1, le=9, description="Copies of each topic; 3 on a cluster of three or more")
    archive_url: str = Field(default="", description="Where mails are kept: file:///folder, s3://bucket/prefix, gs://…, az://…")


class ServiceSettings(SharedSettings):
    """What every service needs. A service adds its own in its `settings.py`."""

    database_url: SecretStr = Field(description="postgresql+psycopg://role:password@host:port/database")
    service_token: SecretStr = Field(description="Secret that the services show each other", min_length=16)
    host: str = Field(default="127.0.0.1", description="Address the service listens on")
    port: int = Field(default=8000, ge=1, le=65535, description="Port the service listens on")
    instance: str = Field(default="", description="Name of this replica; a fixed one lets Kafka hand back its partitions at once")
    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")
    batch_records: int = Field(default=200, ge=1, le=1000, description="Most records handled in one transaction")
    session_timeout_ms: int = Field(default=6000, ge=1000, description="Kafka's session time-out: how soon a dead replica is noticed")
    max_tries: int = Field(default=3, ge=1, le=20, description="Tries of an event before it becomes a dead letter")
    brake_after: int = Field(default=50, ge=1, description="Dead letters in a row after which the consumer stops with an alarm")


def load_settings(model: type[S], service: str) -> S:
    """Read `MAILCONVERTER_<SERVICE>__*` into `model`; on a wrong or unknown variable print one line each and exit with 2."""
    prefix = f"{PREFIX}{service.upper()}__"
    known = {f"{prefix}{name.upper()}" for name in model.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(prefix) and name.upper() not in known)
    if unknown:
        names = ", ".join(sorted(known))
        _stop([f"{service}: unknown setting {name}; known are {names}" for name in unknown])
    try:
        return model(_env_prefix=prefix)
    except ValidationError as error:
        _stop(
            [
                f"{service}: setting {prefix}{'__'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            ]
        )
        raise  # never reached: _stop exits


def _stop(lines: list[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)
    sys.exit(2)
