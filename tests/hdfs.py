"""The stack's file system, as an operator's hands reach it: Hadoop's own command, on the class path of the servers."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from app.settings import Settings
from jobs.local.java import JavaParts


def hadoop(settings: Settings, tool: str, *arguments: str) -> str:
    """What a command of Hadoop prints; `tool` is its class."""
    jars = JavaParts(Path(settings.cache_folder).expanduser()).jars("hdfs")
    command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", tool, "-fs", settings.hdfs_url, *arguments]
    with TemporaryDirectory() as configuration:
        # without one the shell does not start
        (Path(configuration) / "core-site.xml").write_text("<configuration/>")
        environment = {**os.environ, "CLASSPATH": ":".join([configuration, *map(str, jars)])}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


def listed(settings: Settings, folder: str) -> list[str]:
    """The names in a folder."""
    lines = hadoop(settings, "org.apache.hadoop.fs.FsShell", "-ls", "-C", folder).splitlines()
    return [line.rsplit("/", 1)[-1] for line in lines]


def remove(settings: Settings, folder: str) -> None:
    """Removes all that is in a folder."""
    hadoop(settings, "org.apache.hadoop.fs.FsShell", "-rm", "-r", "-f", "-skipTrash", f"{folder}/*")


def copy(settings: Settings, source: str, target: str) -> None:
    """Copies a folder; the folder that the copy stands in is made."""
    parent = target.rsplit("/", 1)[0]
    hadoop(settings, "org.apache.hadoop.fs.FsShell", "-mkdir", "-p", parent)
    hadoop(settings, "org.apache.hadoop.fs.FsShell", "-cp", "-f", source, parent)


def set_space_quota(settings: Settings, folder: str, size: str | None) -> None:
    """Lets a folder hold so much, such as 1m; None for any size."""
    arguments = ("-clrSpaceQuota", folder) if size is None else ("-setSpaceQuota", size, folder)
    hadoop(settings, "org.apache.hadoop.hdfs.tools.DFSAdmin", *arguments)
