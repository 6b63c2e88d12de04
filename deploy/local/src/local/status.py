"""What runs: read from the data folder, so it needs no answer from any part."""

from __future__ import annotations

from typing import Any

from local import jsonfile
from local.home import Home
from local.processes import describe, is_alive


def read(home: Home) -> dict[str, Any]:
    """The status file; all parts `stopped` when the process that wrote it is gone."""
    state = jsonfile.read(home.state_file)
    state.setdefault("parts", [])
    state["running"] = is_alive(state) and any(part["state"] != "stopped" for part in state["parts"])
    if not state["running"]:
        state["url"] = None
        state["parts"] = [{**part, "pid": None, "state": "stopped"} for part in state["parts"]]
    return state


def as_lines(state: dict[str, Any], home: Home) -> list[str]:
    """A table for people."""
    if not state["running"]:
        return [f"Mail Converter is not running (data folder {home.path}); `mailconverter up` starts it"]
    head = f"Mail Converter runs at {state['url']}" if state.get("url") else "Mail Converter is starting"
    rows = [("part", "state", "pid", "port", "restarts", "last exit")]
    rows += [
        (p["name"], p["state"], str(p["pid"] or "-"), str(p["port"]), str(p["restarts"]), describe(p["last_exit"])) for p in state["parts"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        f"{head} (data folder {home.path})",
        *("  ".join(f"{cell:<{w}}" for cell, w in zip(r, widths, strict=True)).rstrip() for r in rows),
    ]
