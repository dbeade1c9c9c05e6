"""Full volumes: the game goes on, the lag is said, and what waited arrives once there is room again."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.contract.metrics import Stage
from app.lag import read_lag
from app.settings import Settings
from jobs.local.stack import Stack
from jobs.simulate.run import Order
from tests.conftest import wait_until
from tests.hdfs import set_space_quota
from tests.playing import assert_exact, play

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
TRADES = 600
ROOM_BYTES = 32 * 2**20


def readiness(settings: Settings) -> dict[str, Any]:
    """What the streams say of themselves; nothing while they start."""
    try:
        answer: dict[str, Any] = requests.get(
            f"http://127.0.0.1:{settings.streams_metrics_port}/readyz", timeout=5
        ).json()
    except requests.RequestException:
        return {"ready": False, "detail": ""}
    return answer


def waiting(settings: Settings, stage: Stage) -> int:
    """Events that `haggle status` says to wait at a stage."""
    (found,) = [lag.events for lag in read_lag(settings).stages if lag.stage == stage]
    return found or 0


def test_a_full_hdfs_stops_no_trade_and_the_lake_catches_up_once_there_is_room(
    stack: Stack, settings: Settings, seed: int
) -> None:
    play(settings, Order(players=20, trades=10, seed=seed))
    assert_exact(settings)
    set_space_quota(settings, "/warehouse", "1k")
    try:
        outcome = play(settings, Order(players=20, trades=TRADES, seed=seed, rate=100))
        assert outcome.accepted == TRADES
        wait_until(lambda: "quota" in str(readiness(settings)["detail"]).lower(), 120)
        assert not readiness(settings)["ready"]
        wait_until(lambda: waiting(settings, Stage.KAFKA) >= TRADES, 60)
    finally:
        set_space_quota(settings, "/warehouse", None)
    assert_exact(settings)
    wait_until(lambda: readiness(settings)["ready"], 60)


@pytest.fixture
def small_volume(stack: Stack, settings: Settings) -> Iterator[Path]:
    """Kafka's data on a volume of its own with little room; all is as before in the end."""
    data, aside = stack.home / "data" / "kafka", stack.home / "kafka-aside"
    stack.stop("kafka")
    data.rename(aside)
    data.mkdir()
    size = ROOM_BYTES + sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", data], check=False)
    try:
        if mounted.returncode:
            pytest.skip("only root may mount a small volume for Kafka")
        shutil.copytree(aside, data, dirs_exist_ok=True)
        stack.start("kafka")
        yield data
        stack.stop("kafka")
        shutil.rmtree(aside)
        shutil.copytree(data, aside)
    finally:
        stack.stop("kafka")
        subprocess.run(["umount", "--quiet", "--lazy", data], check=False)
        data.rmdir()
        aside.rename(data)
        stack.start("kafka")


def fill(file: Path) -> None:
    """Takes all the room that the file's volume has left."""
    with file.open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space left"):
        while True:
            ballast.write(bytes(2**20))


def test_a_full_kafka_volume_stops_no_trade_and_what_waited_goes_on_once_there_is_room(
    small_volume: Path, stack: Stack, settings: Settings, seed: int
) -> None:
    play(settings, Order(players=20, trades=100, seed=seed))
    assert_exact(settings)
    fill(small_volume / "ballast")
    try:
        outcome = play(settings, Order(players=20, trades=TRADES, seed=seed, rate=100))
        assert outcome.accepted == TRADES
        # a file of the log may have had room for some in its last block
        assert waiting(settings, Stage.OUTBOX) >= TRADES // 2
    finally:
        (small_volume / "ballast").unlink()
    assert_exact(settings)
