"""Checks what must be on the machine before anything starts; each problem is one sentence and the command that helps.

Standard library only: the Makefile runs this file with the system's Python before there is a virtual environment
(`python3 jobs/local/preflight.py`), and `haggle up` calls it again.
"""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PYTHON_LEAST = (3, 11)
JAVA_VERSIONS = (17, 21)
CACHE_GIB = 4
DATA_GIB = 1
_INSTALL = "sudo apt-get install"


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Iterable[str]:
    """Python is new enough and can make virtual environments."""
    if version < PYTHON_LEAST:
        found = ".".join(map(str, version))
        yield f"Python 3.11 or newer is needed, but python3 is {found}: {_INSTALL} python3 python3-venv"
    try:
        import ensurepip  # noqa: F401, PLC0415
    except ImportError:
        yield f"Python cannot make virtual environments: {_INSTALL} python3-venv"


def check_java() -> Iterable[str]:
    """`java` is a version that Spark, Kafka and Hadoop run on."""
    wanted = " or ".join(map(str, JAVA_VERSIONS))
    help_text = f"{_INSTALL} openjdk-17-jre-headless"
    if shutil.which("java") is None:
        yield f"Java {wanted} is needed, but there is no java on the PATH: {help_text}"
        return
    answer = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(?:1\.)?(\d+)', answer)
    if not match or int(match.group(1)) not in JAVA_VERSIONS:
        found = match.group(1) if match else "of an unknown version"
        yield f"Java {wanted} is needed, but java on the PATH is {found}: {help_text}"


def check_maven(*, needed: bool) -> Iterable[str]:
    """Maven is there, if something has still to be fetched."""
    if needed and shutil.which("mvn") is None:
        yield f"Maven is needed to fetch the Java parts, but there is no mvn on the PATH: {_INSTALL} maven"


def check_disk(folder: Path, least_gib: float, what: str) -> Iterable[str]:
    """The file system of `folder` has room."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free_gib = shutil.disk_usage(existing).free / 2**30
    if free_gib < least_gib:
        yield f"{what} needs {least_gib:g} GiB, but the disk of {folder} has {free_gib:.1f} GiB free: make room there"


def check_ports(ports: Mapping[str, int]) -> Iterable[str]:
    """Nobody listens on the ports, by the name of what wants them."""
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                yield f"port {port}, which {name} wants, is taken: see who listens with `ss -ltnp sport = :{port}`"


def main() -> None:
    """What the Makefile runs before it makes the virtual environment."""
    problems = [*check_python(), *check_java(), *check_maven(needed=True)]
    problems += check_disk(Path.home(), CACHE_GIB, "The cache of downloads")
    for problem in problems:
        print(f"haggle: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
