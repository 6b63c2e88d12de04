"""Are the locks what the pyproject.toml files ask for? Works offline: it reads the installed packages' own metadata.

For every lock: all that its packages need, directly or not, is pinned with hashes; a service's lock holds nothing else and no
version of its own; none names a registry's host. A finding is one line on stderr, with exit status 1; `make lock` repairs most of them.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("fetcher", "rules", "tickets", "notifier", "console")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)([^\n]*\n(?:[ \t]+--hash=sha256:[0-9a-f]{64}[ \\]*\n?)+)", re.MULTILINE)

Lock = dict[str, tuple[str, bool]]


def read(lock: Path) -> Lock:
    """Name → (version, pinned for this platform too)."""
    pins = PIN.findall(lock.read_text() + "\n")
    return {canonicalize_name(name): (version, " ; " not in rest.split("\n", 1)[0]) for name, version, rest in pins}


def table(path: Path) -> dict[str, object]:
    return tomllib.loads(path.read_text())


def group(name: str) -> list[str]:
    """A dependency group of the root, with the groups it includes (PEP 735)."""
    groups = table(ROOT / "pyproject.toml")["dependency-groups"]
    assert isinstance(groups, dict)  # noqa: S101 - for the type checker
    return [line for entry in groups[name] for line in ([entry] if isinstance(entry, str) else group(entry["include-group"]))]


def wanted(pyproject: Path, *, extras: bool) -> list[str]:
    project = table(pyproject)["project"]
    assert isinstance(project, dict)  # noqa: S101 - for the type checker
    more = [line for lines in project.get("optional-dependencies", {}).values() for line in lines] if extras else []
    return [*project["dependencies"], *more]


def needs_of(requirement: Requirement) -> list[str]:
    """What a requirement brings along here, with its extras. Members of the workspace are read from their pyproject.toml."""
    name = canonicalize_name(requirement.name)
    if name.startswith("mailconverter-"):
        short = name.removeprefix("mailconverter-")
        folder = {"shared": ROOT / "shared", "local": ROOT / "deploy/local"}.get(short, ROOT / "services" / short)
        project = table(folder / "pyproject.toml")["project"]
        assert isinstance(project, dict)  # noqa: S101 - for the type checker
        optional = project.get("optional-dependencies", {})
        return [*project["dependencies"], *(line for extra in requirement.extras for line in optional[extra])]
    environments = [{"extra": extra} for extra in ("", *requirement.extras)]
    found = [Requirement(line) for line in distribution(name).requires or []]
    return [str(line) for line in found if line.marker is None or any(line.marker.evaluate(e) for e in environments)]


def closure(lines: list[str]) -> dict[str, list[Requirement]]:
    """Every package the lines lead to here, with the requirements laid on it."""
    found: dict[str, list[Requirement]] = {}
    seen: set[str] = set()
    todo = list(lines)
    while todo:
        line = todo.pop()
        requirement = Requirement(line)
        if line in seen or (requirement.marker and "extra" not in str(requirement.marker) and not requirement.marker.evaluate()):
            continue
        seen.add(line)
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
        todo += needs_of(requirement)
    return {name: laid for name, laid in found.items() if not name.startswith("mailconverter-")}


def missing(lock: Lock, needed: dict[str, list[Requirement]]) -> list[str]:
    lines = [f"{name} is not in it" for name in sorted(needed.keys() - lock.keys())]
    for name in sorted(needed.keys() & lock.keys()):
        version = lock[name][0]
        lines += [f"{name} {version} is not {r.specifier}" for r in needed[name] if not r.specifier.contains(version, prereleases=True)]
    return lines


def check_service(service: str, development: Lock, build: list[str]) -> list[str]:
    lock = read(ROOT / "services" / service / "requirements.lock")
    needed = closure([*wanted(ROOT / "services" / service / "pyproject.toml", extras=False), *build])
    foreign = [
        f"{name} is in it, but {service} does not need it" for name, (_, here) in sorted(lock.items()) if here and name not in needed
    ]
    differs = [
        f"{name} {v} differs from the development lock" for name, (v, _) in sorted(lock.items()) if development.get(name, ("",))[0] != v
    ]
    return missing(lock, needed) + foreign + differs


def check_names(lock: Path) -> list[str]:
    return ["names a registry, write it with `make lock`"] if re.search(r"://|--(extra-)?index|--find-links", lock.read_text()) else []


def main() -> int:
    pyprojects = sorted(
        [*ROOT.glob("shared/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml"), *ROOT.glob("deploy/local/pyproject.toml")]
    )
    development = read(ROOT / "requirements.lock")
    everything = [line for path in pyprojects for line in wanted(path, extras=True)]
    found = {"requirements.lock": missing(development, closure([*everything, *group("dev")])) + check_names(ROOT / "requirements.lock")}
    for service in SERVICES:
        path = ROOT / "services" / service / "requirements.lock"
        found[f"services/{service}/requirements.lock"] = check_service(service, development, group("build")) + check_names(path)
    found["uv-requirements.txt"] = check_names(ROOT / "uv-requirements.txt")
    lines = [f"{lock}: {line}" for lock, lines in found.items() for line in lines]
    print(*(lines or [f"{len(found)} locks are current"]), sep="\n", file=sys.stderr if lines else sys.stdout)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
