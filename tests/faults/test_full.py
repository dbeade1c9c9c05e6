"""Full volumes: the game goes on, the lag is said, and what waited arrives once there is room again."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.settings import Settings, load_settings
from jobs.embedded.stack import Stack
from jobs.simulate.run import Order
from tests.conftest import wait_until
from tests.hdfs import set_space_quota
from tests.playing import exact, failed, play

pytestmark = pytest.mark.faults


def readiness(settings: Settings) -> dict[str, object]:
    answer: dict[str, object] = requests.get(
        f"http://127.0.0.1:{settings.streams_metrics_port}/readyz", timeout=5
    ).json()
    return answer


def test_a_full_hdfs_stops_no_trade_and_the_lake_catches_up_once_there_is_room(stack: Stack) -> None:
    settings = stack.settings()
    exact(settings)
    set_space_quota(settings, "/warehouse", "1k")
    try:
        outcome = play(settings, Order(players=20, trades=600, seed=11, rate=100))
        assert outcome.accepted == 600
        said = wait_until(lambda: (now := readiness(settings))["ready"] is False and now, 120)
        assert "quota" in str(said["detail"]).lower()
    finally:
        set_space_quota(settings, "/warehouse", None)
    assert failed(exact(settings)) == []
    wait_until(lambda: readiness(settings)["ready"], 60)


@pytest.fixture
def small_kafka(tmp_path: Path) -> Iterator[tuple[Stack, Path]]:
    """A stack whose broker has a volume of 64 MiB, and the volume."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small volume for Kafka")
    stack = Stack(tmp_path, load_settings({name: os.environ[name] for name in ("CACHE_FOLDER",) if name in os.environ}))
    volume, formatted = tmp_path / "data" / "kafka", tmp_path / "formatted"
    try:
        stack.up(lambda _name, _state: None)
        stack.down()
        shutil.move(volume, formatted)
        volume.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(volume)], check=True)
        shutil.copytree(formatted, volume, dirs_exist_ok=True)
        stack.up(lambda _name, _state: None)
        yield stack, volume
    finally:
        stack.down()
        subprocess.run(["umount", "-l", str(volume)], check=False)
        stack.reset()


def test_a_full_kafka_volume_stops_no_trade_and_what_waited_goes_on_once_there_is_room(
    small_kafka: tuple[Stack, Path],
) -> None:
    stack, volume = small_kafka
    settings = stack.settings()
    play(settings, Order(players=20, trades=100, seed=12))
    exact(settings)
    ballast = volume / "ballast"
    free = os.statvfs(volume).f_bavail * os.statvfs(volume).f_frsize
    ballast.write_bytes(bytes(free))
    outcome = play(settings, Order(players=20, trades=600, seed=13, rate=100))
    assert outcome.accepted == 600
    waiting = requests.get(f"{settings.engine_url}/readyz", timeout=5).json()["outbox_entries"]
    assert waiting > 0
    ballast.unlink()
    assert failed(exact(settings)) == []
