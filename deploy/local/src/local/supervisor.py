"""Watches the parts: starts again what ended, tells the status file, stops all in order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil

from local import jsonfile
from local.child import Child, rotate
from local.errors import StackError
from local.home import Home
from local.processes import describe
from local.progress import Progress

TICK_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
CALM_SECONDS = 60.0
"""After so long without a crash a part counts as healthy: the next crash is answered at once again."""
ROTATE_SECONDS = 10.0
PROBE_EVERY_SECONDS = 0.2


@dataclass
class Watched:
    """What the supervisor knows of a part. `state` is starting, running, restarting or stopped."""

    child: Child
    group: int
    """Groups stop one after the other, highest first."""
    state: str = "starting"
    restarts: int = 0
    pause: float = FIRST_PAUSE_SECONDS
    due: float = 0.0
    """Monotonic time of the next start (restarting) or probe (starting)."""
    since: float = field(default_factory=time.monotonic)
    probe: Future[bool] | None = None

    def as_json(self) -> dict[str, Any]:
        child = self.child
        pid = child.pid if self.state in {"starting", "running"} else None
        return {
            "name": child.name,
            "pid": pid,
            "port": child.port,
            "state": self.state,
            "restarts": self.restarts,
            "last_exit": child.last_exit,
            "log": str(child.log),
        }


class Supervisor:
    """Not thread-safe: `add`, `tick` and `stop` belong to one thread; only probes run beside it."""

    def __init__(self, home: Home, progress: Progress | None = None) -> None:
        self.home = home
        self.progress = progress or Progress()
        self.watched: dict[str, Watched] = {}
        self.facts: dict[str, Any] = {"pid": os.getpid(), "started": psutil.Process().create_time(), "home": str(home.path)}
        self._probes = ThreadPoolExecutor(max_workers=4, thread_name_prefix="watch")
        self._rotate_at = 0.0
        self._written: dict[str, Any] = {}

    def add(self, children: Iterable[Child], group: int) -> None:
        """Start the children and watch them from now on; `wait` returns when they are ready."""
        for child in children:
            self.watched[child.name] = Watched(child, group)
            child.start()
        self.publish()

    def wait(self, children: Iterable[Child]) -> None:
        """Until all are ready. Raises StackError when one ends instead, or its time is over."""
        waiting = {child.name: time.monotonic() for child in children}
        while waiting:
            self.tick()
            for name, begin in list(waiting.items()):
                watched = self.watched[name]
                seconds = time.monotonic() - begin
                if watched.state == "running":
                    self.progress.say(f"  {name:<12} on port {watched.child.port} after {seconds:.1f} s")
                    del waiting[name]
                elif watched.restarts and seconds > watched.child.start_again_seconds:
                    child = watched.child
                    message = f"{name} ended while it started (exit status {child.last_exit}): {child.reason()}; see {child.log}"
                    raise StackError(message)
                elif seconds > watched.child.ready_seconds:
                    message = f"{name} was not ready after {seconds:.0f} s: {watched.child.reason()}; see {watched.child.log}"
                    raise StackError(message)
            time.sleep(TICK_SECONDS / 2)

    def run(self) -> None:
        """Watch for ever; a signal's exception ends it."""
        while True:
            self.tick()
            time.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Look once at every part. Never blocks."""
        now = time.monotonic()
        for watched in self.watched.values():
            self._look(watched, now)
        if now >= self._rotate_at:
            self._rotate_at = now + ROTATE_SECONDS
            for watched in self.watched.values():
                rotate(watched.child.log)
        self.publish()

    def stop(self) -> None:
        """Stop the groups one after the other, the parts of a group side by side. Safe to call twice."""
        for group in sorted({w.group for w in self.watched.values()}, reverse=True):
            members = [w for w in self.watched.values() if w.group == group]
            for watched in members:
                watched.child.signal_stop()
            for watched in members:
                self._stop_one(watched)
            self.publish()
        self._probes.shutdown(wait=False, cancel_futures=True)

    def _stop_one(self, watched: Watched) -> None:
        child, ran = watched.child, watched.child.process is not None
        child.stop()
        watched.state = "stopped"
        if ran and child.last_exit not in child.clean_exits:
            self.progress.say(f"{child.name} had to be killed, or ended badly ({describe(child.last_exit)}); see {child.log}")

    def publish(self) -> None:
        """Write the status file when something changed."""
        state = {**self.facts, "parts": [w.as_json() for w in self.watched.values()]}
        if state != self._written:
            jsonfile.write(self.home.state_file, state, mode=0o600)
            self._written = state

    def _look(self, watched: Watched, now: float) -> None:
        if watched.state in {"starting", "running"} and (status := watched.child.poll()) is not None:
            self._ended(watched, status, now)
        elif watched.state == "restarting" and now >= watched.due:
            watched.state, watched.since, watched.due, watched.probe = "starting", now, now, None
            watched.child.start()
        elif watched.state == "starting":
            self._probe(watched, now)
        elif watched.state == "running" and now - watched.since > CALM_SECONDS:
            watched.pause = FIRST_PAUSE_SECONDS

    def _probe(self, watched: Watched, now: float) -> None:
        """At most one probe at a time, beside the watching thread: a hanging one delays no other part."""
        if watched.probe is None:
            if now >= watched.due:
                watched.probe = self._probes.submit(watched.child.is_ready)
        elif watched.probe.done():
            ready, watched.probe, watched.due = watched.probe.result(), None, now + PROBE_EVERY_SECONDS
            if ready:
                watched.state, watched.since = "running", now
                if watched.restarts:
                    self.progress.say(f"{watched.child.name} is back")

    def _ended(self, watched: Watched, status: int, now: float) -> None:
        """No part ends by itself while we run, so every end is followed by a start."""
        watched.child.kill()  # its process group too, and it is reaped
        watched.restarts += 1
        watched.state, watched.due = "restarting", now + watched.pause
        self.progress.say(f"{watched.child.name} ended ({describe(status)}); starting it again")
        watched.pause = min(watched.pause * 2, LONGEST_PAUSE_SECONDS)
