"""The Java parts: fetched by Maven into a cache that all checkouts share, checked against java.lock.

`fetch` does nothing once the cache holds what java.lock names. `write_lock` is
`make lock`. A line of java.lock is: module, SHA-256, size in bytes, path in the Maven repository.
"""

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

from app.errors import HaggleError
from app.settings import Settings

POMS: Final = Path(__file__).parent / "java"
LOCK: Final = POMS / "java.lock"
ABOUT: Final = {
    "trino": "Trino, which answers SQL; it is published whole, with 60 connectors of which 3 are kept",
    "hdfs": "Hadoop, whose HDFS keeps the table's files",
    "spark": "Iceberg, and how Spark reads Kafka and finds tables",
    "kafka": "Kafka, the log of events",
    "query": "the SQL prompt of `haggle query`",
}
"""What each module of a local stack is for."""
_TRINO_PLUGINS: Final = ("geospatial", "iceberg", "postgresql")
"""The connector of PostgreSQL does not start without the types of geospatial."""
_LISTED: Final = re.compile(r"^ +\S+:(\S+\.(?:jar|zip|tar\.gz))\b")


class Part(NamedTuple):
    """One file of a module."""

    module: str
    sha256: str
    size: int
    path: str


class JavaParts:
    """The cache of Java parts below `cache`."""

    def __init__(self, cache: Path) -> None:
        self.parts = [part for part in read_lock() if part.module in ABOUT]
        self._repository = cache / "maven"
        digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
        self._verified = cache / f"verified-{digest}"
        self.trino_home = cache / "-".join(("trino", digest, *_TRINO_PLUGINS))

    @property
    def is_complete(self) -> bool:
        """All files are there, were checked once, and Trino is unpacked."""
        return self._verified.exists() and self.trino_home.exists() and not list(self._missing())

    def jars(self, module: str) -> list[Path]:
        """The class path of a module."""
        return [self._repository / part.path for part in self.parts if part.module == module]

    def fetch(self) -> None:
        """Makes the cache complete; raises HaggleError with Maven's words, or naming a file that is not as locked."""
        if self.is_complete:
            return
        self._repository.mkdir(parents=True, exist_ok=True)
        with (self._repository.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests of two processes, or two checkouts, may begin at once
            if not self.is_complete:
                self._fetch()

    def _fetch(self) -> None:
        missing = list(self._missing())
        if missing:
            print(announcement(missing, self._repository), flush=True)
            with self._progress(missing):
                resolve(self._repository, ABOUT)
        self._verify()
        self._unpack_trino()

    def _missing(self) -> Iterable[Part]:
        return (part for part in self.parts if size_of(self._repository / part.path) != part.size)

    def _progress(self, missing: list[Part]) -> "_Watcher":
        return _Watcher(self._repository, missing)

    def _verify(self) -> None:
        for part in self.parts:
            path = self._repository / part.path
            if sha256_of(path) != part.sha256:
                path.unlink()
                raise HaggleError(f"{path} was not what java.lock says and was removed; run the command again")
        self._verified.touch()

    def _unpack_trino(self) -> None:
        """Unpacks the server and its plugins beside the final place and renames, so that half of it never counts."""
        if self.trino_home.exists():
            return
        print("Unpacking Trino …", flush=True)
        (archive,) = self.jars("trino")
        with tempfile.TemporaryDirectory(dir=self.trino_home.parent) as folder:
            # all of it: what a plugin shares with another is there once, the rest are hard links to it
            subprocess.run(["tar", "xzf", archive, "-C", folder], check=True)
            (home,) = Path(folder).iterdir()
            for plugin in (home / "plugin").iterdir():
                if plugin.name not in _TRINO_PLUGINS:
                    shutil.rmtree(plugin)
            home.rename(self.trino_home)


def announcement(missing: Iterable[Part], repository: Path) -> str:
    """What will be fetched, how much of it, and where to."""
    sizes = Counter[str]()
    for part in missing:
        sizes[part.module] += part.size
    lines = [f"  {size / 2**20:5,.0f} MiB  {ABOUT[module]}" for module, size in sizes.most_common()]
    total = f"{sizes.total() / 2**20:,.0f} MiB"
    return "\n".join([f"The servers' Java files are fetched, {total}, once per machine, into {repository}:", *lines])


class _Watcher:
    """A progress bar that follows the files that Maven writes."""

    def __init__(self, repository: Path, missing: list[Part]) -> None:
        self._repository = repository
        self._missing = missing
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._bar = Progress(
            TextColumn("{task.description:<44.44}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
        )

    def __enter__(self) -> None:
        self._bar.start()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._bar.stop()

    def _watch(self) -> None:
        task = self._bar.add_task("Maven starts", total=sum(part.size for part in self._missing))
        finished = False
        while not finished:
            finished = self._done.wait(0.2)
            fetched = [(part, self._fetched(part)) for part in self._missing]
            under_way = [part.path.rsplit("/", 1)[1] for part, size in fetched if 0 < size < part.size]
            self._bar.update(task, completed=sum(size for _, size in fetched))
            if under_way:
                self._bar.update(task, description=under_way[0])

    def _fetched(self, part: Part) -> int:
        path = self._repository / part.path
        # Maven writes NAME.<random>.tmp (or .part) beside the final file
        partial = [size_of(item) for item in path.parent.glob(f"{path.name}.*") if item.suffix != ".sha1"]
        return min(part.size, max(size_of(path), *partial, 0))


def resolve(repository: Path, modules: Iterable[str]) -> dict[str, list[Path]]:
    """Runs Maven: all files of the modules are in `repository` afterwards; returns them by module."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mvn", "-B", "-ntp", "--strict-checksums", "-f", str(POMS / "pom.xml"), "-pl", ",".join(modules)]
        command += [f"-Dmaven.repo.local={repository}", "dependency:list", "-DoutputAbsoluteArtifactFilename=true"]
        command += [f"-DoutputFile={folder}/${{project.artifactId}}", "-Dstyle.color=never"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            errors = [line for line in run.stdout.splitlines() if line.startswith("[ERROR]")][:5]
            raise HaggleError("Maven could not fetch the Java parts:\n  " + "\n  ".join(errors or [run.stderr[-500:]]))
        return {module: _listed(Path(folder) / module) for module in sorted(modules)}


def _listed(file: Path) -> list[Path]:
    plain = (re.sub(r"\x1b\[[0-9;]*m", "", line) for line in file.read_text().splitlines())
    return [Path(match.group(1)) for line in plain if (match := _LISTED.match(line))]


def write_lock(cache: Path) -> None:
    """Writes java.lock anew from what Maven resolves."""
    repository = cache / "maven"
    lines = [
        f"{module} {sha256_of(path)} {path.stat().st_size} {path.relative_to(repository)}\n"
        for module, paths in resolve(repository, (path.name for path in POMS.iterdir() if path.is_dir())).items()
        for path in paths
    ]
    LOCK.write_text("".join(lines))


def read_lock() -> list[Part]:
    """The files that java.lock names."""
    rows = (line.split() for line in LOCK.read_text().splitlines())
    return [Part(module, sha256, int(size), path) for module, sha256, size, path in rows]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_of(path: Path) -> int:
    """A file's size in bytes; -1 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


if __name__ == "__main__":
    write_lock(Path(Settings().cache_folder).expanduser())
