"""A topic that is deleted: filled again from the outbox, and if the outbox no longer has all, a loss that is exact.

The last of these tests lose events for good, and run at the end of all for this.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
from kafka.admin import KafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from app.settings import SETTINGS, Settings
from app.store.client import connect
from app.store.outbox import Outbox
from jobs.lake.audit import audit, read_head
from jobs.lake.moment import newest_sequence
from jobs.lake.trino import Lake
from jobs.local.stack import Stack
from jobs.simulate.run import Order
from tests.conftest import wait_until
from tests.playing import TIMEOUT_S, assert_exact, exact, made_good, play, traffic

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
KEPT = 300


def delete_topic(settings: Settings) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers.split(","))) as admin:
        admin.delete_topics([settings.kafka_topic])


def counted(settings: Settings, name: str) -> int:
    """A counter of the streams, over all its labels."""
    text = requests.get(f"http://127.0.0.1:{settings.streams_metrics_port}/metrics", timeout=5).text
    families = text_string_to_metric_families(text)
    return int(sum(sample.value for family in families for sample in family.samples if sample.name == name))


def test_a_topic_deleted_under_load_is_filled_again_and_what_had_landed_is_dropped_and_counted(
    settings: Settings, lake: Lake, seed: int
) -> None:
    with traffic(settings, seed=seed):
        for _ in range(2):
            landed = newest_sequence(lake, settings.realm, 0)
            kept = Outbox(connect(settings), settings.realm).first_after(0) or 1
            dropped = counted(settings, "haggle_lake_refilled_events_total")
            delete_topic(settings)
            made_good(settings)
            assert_exact(settings)
            dropped = counted(settings, "haggle_lake_refilled_events_total") - dropped
            assert dropped > landed - kept
    assert_exact(settings, full=True)


@contextmanager
def short_relay(stack: Stack, settings: Settings, log: Path) -> Iterator[None]:
    """In the place of the stack's relay, one that keeps few of the published events."""
    own = {item.name.upper(): str(getattr(settings, item.name)) for item in SETTINGS}
    stack.stop("relay")
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.relay"],
            env={**os.environ, **own, "OUTBOX_KEEP_EVENTS": str(KEPT)},
            stdout=file,
            stderr=file,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
        stack.start("relay")


def haggle(stack: Stack, *words: str) -> None:
    command = [sys.executable, "-m", "jobs.cli", "--home", str(stack.home), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_what_is_lost_beyond_the_buffer_is_named_exactly_and_once_accepted_the_audit_is_exact_about_the_rest(
    stack: Stack, settings: Settings, lake: Lake, tmp_path: Path, seed: int
) -> None:
    play(settings, Order(players=20, trades=50, seed=seed))
    assert_exact(settings)
    first = read_head(settings).sequence + 1
    stack.stop("streams")
    with short_relay(stack, settings, tmp_path / "relay.log"):
        play(settings, Order(players=20, trades=3 * KEPT, offers=20, seed=seed))
        wait_until(lambda: read_head(settings).outbox_events == 0, TIMEOUT_S, pause_s=0.1)
        kept = wait_until(lambda: first_kept(settings, read_head(settings).sequence), TIMEOUT_S, pause_s=0.1)
        delete_topic(settings)
        stack.start("streams")
        missing = f"{first:,}-{kept - 1:,} ({kept - first:,})"
        found = {check.name: check.seen for check in exact(settings) if not check.ok}
        assert found["events"] == f"events {missing} are missing"
        assert counted(settings, "haggle_lake_skipped_sequences_total") == kept - first
    haggle(stack, "accept-loss", str(first), str(kept - 1), "--reason", "the topic was deleted while the streams stood")
    with traffic(settings, seed=seed):
        assert_exact(settings)
        made_good(settings)
    assert_exact(settings, full=True)
    (events,) = [check.seen for check in audit(settings) if check.name == "events"]
    assert f"{first:,}-{kept - 1:,}" in events


def first_kept(settings: Settings, newest: int) -> int | None:
    """The first event that the outbox still has; None while it has more than the relay is to keep."""
    first = Outbox(connect(settings), settings.realm).first_after(0) or newest + 1
    # an entry holds the events of a whole call, and is kept or forgotten whole
    return first if first > newest - 2 * KEPT else None
