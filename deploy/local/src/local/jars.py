"""Java programs by committed lock: every jar is checked against the lock's SHA-256 each time it is used.

The lock files are written by `python -m local.jars lock` (jgo resolves Maven coordinates) and read here; jgo itself neither reads
versions from its locks nor checks them. The cache lies outside checkout and data folder, so a fresh clone starts quickly.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

from jgo.env import LockedDependency, LockFile
from jgo.maven import MavenContext, PythonResolver
from jgo.parse import Endpoint

from local.errors import StackError
from local.progress import Progress

# `!` pins a coordinate: without it, joining two of them let a BOM choose Kafka's 3.9 client, and Kafka died of it.
PROGRAMS = {
    "kafka": "org.apache.kafka:kafka_2.13:4.3.1!+org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
    "greenmail": "com.icegreen:greenmail-standalone:2.1.8!",
}
TIMEOUT_SECONDS = 30


def cache_folder() -> Path:
    """`MAILCONVERTER_CACHE`, else `mailconverter` in the user's cache folder."""
    if chosen := os.environ.get("MAILCONVERTER_CACHE"):
        return Path(chosen).expanduser().absolute() / "jars"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mailconverter" / "jars"


def class_path(program: str, progress: Progress | None = None) -> str:
    """The jars of a program, downloaded where missing, all checked, joined for `java -cp`.

    Raises StackError when the cache cannot be written, the registry does not answer, or a download is not what the lock says.
    """
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return os.pathsep.join(str(path) for path in _jars(program, cache, progress or Progress()))
    except OSError as error:
        if error.errno is None:  # jgo's HTTP client raises OSErrors of its own, without an errno
            message = f"{program} cannot be downloaded ({type(error).__name__}): check network and proxy settings, then start again"
        else:
            message = f"the download cache {cache} cannot be written ({error.strerror}): choose another with MAILCONVERTER_CACHE=/a/folder"
        raise StackError(message) from error


def _jars(program: str, cache: Path, progress: Progress) -> Iterator[Path]:
    with as_file(files("local") / "locks" / f"{program}.lock.toml") as lock:
        wanted = LockFile.load(lock).dependencies
    for number, jar in enumerate(wanted, 1):
        path = cache / f"{jar.artifactId}-{jar.version}.{jar.packaging}"
        if path.exists() and _sha256(path) != jar.sha256:
            progress.say(f"{path.name} in the cache is not what the lock says: deleted, downloading it again")
            path.unlink()
        if not path.exists():
            progress.step(f"downloading {program}, file {number} of {len(wanted)}")
            _download(jar, path, progress)
        yield path
    progress.done()


def _download(jar: LockedDependency, path: Path, progress: Progress) -> None:
    """Into a folder of its own, checked there and moved: two processes may fill one cache, and neither meets half a file."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as folder:
        resolver = PythonResolver(progress_callback=progress.file)
        context = MavenContext(repo_cache=Path(folder), local_repos=[], resolver=resolver, timeout=TIMEOUT_SECONDS)
        component = context.project(jar.groupId, jar.artifactId).at_version(jar.version)
        try:
            fresh = component.artifact(classifier=jar.classifier or "", packaging=jar.packaging).resolve()
        except RuntimeError as error:
            message = f"{path.name} cannot be downloaded from Maven Central: {error}"
            raise StackError(message) from error
        if _sha256(fresh) != jar.sha256:
            message = f"{path.name} as downloaded is not what the lock says (SHA-256 differs): nothing was started; try again later"
            raise StackError(message)
        shutil.move(fresh, path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lock(program: str, path: Path) -> None:
    """Resolve a program's coordinates anew and write its lock."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), local_repos=[], resolver=PythonResolver(), timeout=TIMEOUT_SECONDS)
        asked = [context.create_dependency(replace(c, scope="compile")) for c in Endpoint.parse(PROGRAMS[program]).coordinates]
        direct, transitive = context.resolver.resolve(asked)
        every = [*direct, *(d for d in transitive if d.scope in {"compile", "runtime"})]
        LockFile(dependencies=[LockedDependency.from_dependency(d) for d in every]).save(path)


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: python -m local.jars lock")
    for name in PROGRAMS:
        write_lock(name, Path(__file__).parent / "locks" / f"{name}.lock.toml")
