"""Every volume of the chart holds what its server may write, and docs/volumes.md says so in the same numbers."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.local.servers import CATALOG_OPTIONS, KAFKA_RETENTION_HOURS, KAFKA_SMALL_LOGS
from tests.charts.conftest import CHART, Rendered

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "charts" / "volumes.py"))
MIB = 2**20
PRODUCTION = ("--values", str(CHART / "values-production.yaml"))
MOST_ARRIVING_BYTES_S = 25_000 * 1_000
"""More than a relay moves: 25,000 events a second of 1,000 bytes."""

bytes_of: Callable[[str], int] = SCRIPT["bytes_of"]


@pytest.fixture(scope="module", params=[(), PRODUCTION], ids=["defaults", "production"])
def rendered(request: pytest.FixtureRequest, render: Callable[..., Rendered]) -> Rendered:
    return render(*request.param)


def volume(rendered: Rendered, name: str) -> int:
    """Bytes of the volume of a StatefulSet, or of a claim."""
    sets = rendered.of_kind("StatefulSet")
    claim = (
        sets[name]["spec"]["volumeClaimTemplates"][0]
        if name in sets
        else rendered.of_kind("PersistentVolumeClaim")[name]
    )
    return bytes_of(claim["spec"]["resources"]["requests"]["storage"])


def configuration(rendered: Rendered, name: str, file: str, form: str) -> dict[str, str]:
    """Names and values in a file of a ConfigMap."""
    return dict(re.findall(form, rendered.of_kind("ConfigMap")[name]["data"][file], re.MULTILINE))


def kafka(rendered: Rendered) -> dict[str, str]:
    return configuration(rendered, "haggle-kafka", "server.properties", r"^([a-z.]+)=(.*)$")


def hdfs(rendered: Rendered) -> dict[str, str]:
    return configuration(rendered, "haggle-hdfs", "hdfs-site.xml", r"<name>(.*?)</name><value>(.*?)</value>")


def partitions(rendered: Rendered) -> int:
    (relay,) = [pod for pod in rendered.pods() if pod.component == "relay"]
    return int(next(item["value"] for item in relay.containers[0]["env"] if item["name"] == "KAFKA_PARTITIONS"))


def test_all_that_kafka_may_keep_fits_its_volume(rendered: Rendered) -> None:
    number = {name: int(value) for name, value in kafka(rendered).items() if value.lstrip("-").isdigit()}
    # each broker has a replica of every partition
    of_a_partition = (
        number["log.retention.bytes"] + number["log.segment.bytes"] + 2 * number["log.index.size.max.bytes"]
    )
    # a compacted log is its active segment, one to clean and one that is cleaned
    own = (
        3 * number["offsets.topic.num.partitions"] * 16 * MIB
        + 3 * number["transaction.state.log.num.partitions"] * 16 * MIB
    )
    own += number["metadata.max.retention.bytes"] + 2 * number["metadata.log.segment.bytes"]
    late_s = (number["log.retention.check.interval.ms"] + number["log.segment.delete.delay.ms"]) / 1_000
    total = partitions(rendered) * of_a_partition + own + late_s * MOST_ARRIVING_BYTES_S
    assert total <= volume(rendered, "haggle-kafka")
    assert total >= volume(rendered, "haggle-kafka") * 0.8  # and what is paid for is used


def test_kafka_shares_its_volume_as_the_page_says(rendered: Rendered) -> None:
    size = f"{volume(rendered, 'haggle-kafka') // MIB}Mi"
    share = SCRIPT["kafka_share"](size, partitions(rendered))
    seen = kafka(rendered)
    assert (int(seen["log.retention.bytes"]), int(seen["log.segment.bytes"])) == (
        share.retention_bytes,
        share.segment_bytes,
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            "kafka.retentionBytes=900000000",
            "kafka.retentionBytes is 900000000, but kafka.storage.size=4Gi has room for 5",
        ),
        ("global.kafka.partitions=2000", "too small for global.kafka.partitions=2000"),
        (
            "redis.maxMemory=1gb",
            "redis.storage.size is 2Gi, but the append-only file of redis.maxMemory=1gb needs 4 times",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(refusal: Callable[..., str], options: str, words: str) -> None:
    assert words in refusal("--set", options)


def test_a_partition_may_keep_less_and_one_partition_more(render: Callable[..., Rendered]) -> None:
    assert kafka(render("--set", "kafka.retentionBytes=1073741"))["log.retention.bytes"] == "1073741"
    alone = int(kafka(render("--set", "global.kafka.partitions=1"))["log.retention.bytes"])
    assert alone > 5 * int(kafka(render())["log.retention.bytes"])


def test_the_append_only_file_of_redis_fits_its_volume(rendered: Rendered) -> None:
    redis = configuration(rendered, "haggle-redis", "redis.conf", r"^([a-z-]+) (.*)$")
    assert redis["maxmemory-policy"] == "noeviction"
    assert redis["auto-aof-rewrite-percentage"] == "100"
    needed = max(bytes_of(redis["maxmemory"]), bytes_of(redis["auto-aof-rewrite-min-size"])) * SCRIPT["AOF_FACTOR"]
    assert needed <= volume(rendered, "haggle-redis")


def test_the_edits_and_images_of_the_name_node_fit_its_volume(rendered: Rendered) -> None:
    site = hdfs(rendered)
    (pod,) = [pod for pod in rendered.pods() if pod.component == "namenode"]
    heaps = [heap_mib(container) for container in pod.spec["containers"]]
    assert heaps[0] == heaps[1], "what merges holds what the NameNode holds"
    files = heaps[0] * 1_000  # a million for each GiB of heap, as docs/scaling.md says
    images = int(site["dfs.namenode.num.checkpoints.retained"]) + 1
    needed = (
        images * files * SCRIPT["IMAGE_BYTES"] + 3 * int(site["dfs.namenode.checkpoint.txns"]) * SCRIPT["EDIT_BYTES"]
    )
    reserved = int(site["dfs.namenode.resource.du.reserved"])
    assert site["dfs.namenode.num.extra.edits.retained"] == "0"
    assert needed + reserved <= volume(rendered, "haggle-namenode")
    assert 32 * MIB <= reserved <= volume(rendered, "haggle-namenode") / 10


def heap_mib(container: dict[str, Any]) -> int:
    options = " ".join(item.get("value", "") for item in container["env"])
    found = re.search(r"-Xmx(\d+)([mg])", options)
    assert found
    return int(found[1]) * {"m": 1, "g": 1024}[found[2]]


def test_the_script_that_merges_and_the_name_node_agree_on_when(render: Callable[..., Rendered]) -> None:
    rendered = render("--set", "hdfs.secondary.editsMax=1000000")
    (pod,) = [pod for pod in rendered.pods() if pod.component == "namenode"]
    assert hdfs(rendered)["dfs.namenode.checkpoint.txns"] == pod.containers[1]["command"][3] == "1000000"


def test_data_nodes_flush_what_they_close_and_leave_room_to_recover(rendered: Rendered) -> None:
    site = hdfs(rendered)
    assert site["dfs.datanode.synconclose"] == "true"
    assert 0.05 <= int(site["dfs.datanode.du.reserved"]) / volume(rendered, "haggle-datanode") <= 0.1


def test_the_catalog_fits_its_volume_and_ends_what_would_hold_it_up(rendered: Rendered) -> None:
    (pod,) = [pod for pod in rendered.pods() if pod.component == "catalog"]
    options = dict(re.findall(r"-c ([a-z_]+)=(\S+)", pod.containers[0]["command"][-1]))
    assert options | CATALOG_OPTIONS == options
    assert SCRIPT["CATALOG_BYTES"] <= volume(rendered, "haggle-catalog") / 2
    assert 3 * int(options["max_wal_size"].removesuffix("MB")) * MIB <= SCRIPT["CATALOG_BYTES"]


def test_the_reports_that_are_kept_fit_their_volume(rendered: Rendered) -> None:
    (pod,) = [pod for pod in rendered.pods() if pod.component == "report"]
    kept = {item["name"]: item.get("value") for item in pod.containers[0]["env"]}
    assert int(kept["REPORT_KEEP_MIB"]) * MIB == volume(rendered, "haggle-report") * 3 / 4
    assert int(kept["REPORT_KEEP"]) * SCRIPT["REPORT_BYTES"] <= int(kept["REPORT_KEEP_MIB"]) * MIB


def test_kafka_on_one_machine_has_the_chart_s_small_logs(render: Callable[..., Rendered]) -> None:
    chart = kafka(render())
    for line in KAFKA_SMALL_LOGS.splitlines():
        name, value = line.split("=")
        assert chart[name] == value, name
    assert chart["log.retention.hours"] == str(KAFKA_RETENTION_HOURS)


def test_the_page_is_up_to_date() -> None:
    for path, text in SCRIPT["generated_files"]().items():
        assert path.read_text() == text, f"{path} is stale: run `make generate`"


def test_the_default_memory_of_redis_bears_30_trades_a_second_for_ever() -> None:
    assert SCRIPT["redis_rate"](SCRIPT["values_of"]("redis")["maxMemory"]) >= 30
