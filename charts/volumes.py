# ruff: noqa: INP001 - a script
"""Writes docs/volumes.md: what each volume of the chart needs, from measured bytes and the chart's own default values.

Run as `python charts/volumes.py`; tests/charts compares its result with what is committed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from app.settings import Settings
from app.store.layout import SWEEP_S

ROOT: Final = Path(__file__).parents[1]
CHART: Final = ROOT / "charts" / "haggle"
TEMPLATE: Final = ROOT / "charts" / "volumes.md.in"
PAGE: Final = ROOT / "docs" / "volumes.md"
_UNITS: Final = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "mb": 2**20, "gb": 2**30}
_DAY_S: Final = 86_400
_RATES: Final = (5, 50, 200, 1_000)

PLAYER_BYTES: Final = 305
RECORD_BYTES: Final = 45
ANSWER_BYTES: Final = 551
OFFER_BYTES: Final = 470
OUTBOX_BYTES: Final = 250
KAFKA_BYTES: Final = 721
TABLE_BYTES: Final = 14
EDIT_BYTES: Final = 200
IMAGE_BYTES: Final = 300
REPORT_BYTES: Final = 300_000
AOF_FACTOR: Final = 4
CATALOG_BYTES: Final = 400 * 2**20
EMPTY_REDIS_BYTES: Final = 2 * 2**20


_RECORD_S: Final = Settings().decided_keep_s + SWEEP_S
_ANSWER_S: Final = Settings().answer_full_s + 60
TRADE_BYTE_S: Final = _RECORD_S * RECORD_BYTES + _ANSWER_S * ANSWER_BYTES
"""Memory of Redis that each trade a second takes, for as long as the game goes on."""


def redis_rate(max_memory: str) -> float:
    """Trades a second that a memory bears for ever, with 10,000 players and the events that the outbox keeps."""
    fixed = 10_000 * PLAYER_BYTES + Settings().outbox_keep_events * OUTBOX_BYTES + EMPTY_REDIS_BYTES
    return (bytes_of(max_memory) - fixed) / TRADE_BYTE_S


def bytes_of(size: str) -> int:
    """The bytes of a size such as 4Gi or 256mb."""
    return int(size[:-2]) * _UNITS[size[-2:]]


def values_of(part: str, production: dict[str, Any] | None = None) -> dict[str, Any]:
    """The default values of a part, or of all parts with an empty name; `production` goes over them."""
    file = CHART / "charts" / part / "values.yaml" if part else CHART / "values.yaml"
    values: dict[str, Any] = yaml.safe_load(file.read_text())
    return _over(values, production or {})


def _over(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return values | {
        name: _over(values[name], value) if isinstance(value, dict) and name in values else value
        for name, value in more.items()
    }


@dataclass(frozen=True, slots=True)
class Share:
    """What each partition of the topic gets of a broker's volume."""

    retention_bytes: int
    segment_bytes: int


def kafka_share(size: str, partitions: int) -> Share:
    """As the chart computes it (kafka/templates/_volume.tpl)."""
    volume = bytes_of(size)
    of_a_partition = (volume - volume // 8 - max(volume // 16, 256 * 2**20)) // partitions
    segment = min(max(of_a_partition // 5, 2**20), 64 * 2**20)
    return Share(of_a_partition - segment, segment)


# ---------------------------------------------------------------- the page


def generated_files() -> dict[Path, str]:
    """The text of the page, by its path."""
    return {PAGE: _page()}


def _page() -> str:
    hdfs = values_of("hdfs")
    edits_max = hdfs["secondary"]["editsMax"]
    share = _default_share()
    numbers = {name: f"{value:,}" for name, value in globals().items() if name.endswith(("_BYTES", "_FACTOR"))}
    return TEMPLATE.read_text().format(
        **numbers,
        record_s=f"{_RECORD_S:,}",
        answer_s=f"{_ANSWER_S:,}",
        outbox_max=f"{Settings().outbox_max_events:,}",
        retention=_mib(share.retention_bytes),
        segment=_mib(share.segment_bytes),
        edits_max=f"{edits_max:,}",
        namenode=_mib(2 * 100_000 * IMAGE_BYTES + 3 * edits_max * EDIT_BYTES),
        reserved=hdfs["dataNode"]["storage"]["reservedPercent"],
        catalog=_mib(CATALOG_BYTES),
        redis_memory=values_of("redis")["maxMemory"],
        redis_rate=f"{redis_rate(values_of('redis')['maxMemory']):.0f}",
        figures=_figures(),
        lasting=_lasting(),
    )


def _default_share() -> Share:
    return kafka_share(values_of("kafka")["storage"]["size"], values_of("")["global"]["kafka"]["partitions"])


def _figures() -> str:
    rows = [
        (
            "a player in Redis",
            PLAYER_BYTES,
            "200,000 farmers, `username` of 15 characters, `external_id` of 20; 190 with neither",
        ),
        (
            "the record of a decision in Redis",
            RECORD_BYTES,
            "by `MEMORY USAGE` of their hashes: 44.1 of 200,000, 41.9 of 345,600",
        ),
        ("a whole answer in Redis", ANSWER_BYTES, "[performance](performance.md): a one-for-one trade"),
        (
            "an open offer in Redis, beside its record",
            OFFER_BYTES,
            "466: 20,000 offers of gold for an item by 1,000 players, by `used_memory`; one that has ended takes 288",
        ),
        (
            "an event that waits in the outbox",
            OUTBOX_BYTES,
            "217 by `MEMORY USAGE` of the stream, creations and trades mixed; rounded up",
        ),
        ("an event in Kafka", KAFKA_BYTES, "20,000 one-for-one trades and 1,000 players are 15,144,017 bytes of log"),
        ("an event in the table", TABLE_BYTES, "446,298 events are 6.0 MB once compacted"),
        ("an edit of the NameNode", EDIT_BYTES, "909 of the streams' commits are 112,169 bytes; rounded up"),
        ("a file in the NameNode's image", IMAGE_BYTES, "file, block and name; rounded up"),
        ("a report", REPORT_BYTES, "HTML and JSON, 300 points in its first figure: 264,878; rounded up"),
    ]
    return _grid(("what", "bytes", "how"), [(what, f"{size:,}", how) for what, size, how in rows])


def _lasting() -> str:
    redis, kafka, hdfs = values_of("redis"), values_of("kafka"), values_of("hdfs")
    share = _default_share()
    reserved = hdfs["dataNode"]["storage"]["reservedPercent"]
    blocks = bytes_of(hdfs["dataNode"]["storage"]["size"]) * hdfs["dataNodes"] * (100 - reserved) / 100
    rows: list[tuple[str, str, list[Any]]] = [
        ("Redis: memory of records and answers", redis["maxMemory"], [_mib(rate * TRADE_BYTE_S) for rate in _RATES]),
        (
            "Kafka: one realm's streams may be away",
            kafka["storage"]["size"],
            [share.retention_bytes / KAFKA_BYTES / rate for rate in _RATES],
        ),
        (
            "DataNode: the tables fit for",
            hdfs["dataNode"]["storage"]["size"],
            [blocks / TABLE_BYTES / rate for rate in _RATES],
        ),
        ("DataNode: a year of tables takes", "", [_gib(365 * _DAY_S * rate * TABLE_BYTES) for rate in _RATES]),
    ]
    cells = [
        (what, size, *(cell if isinstance(cell, str) else _duration(cell) for cell in row)) for what, size, row in rows
    ]
    return _grid(("", "default", *(f"{rate:,} trades/s" for rate in _RATES)), cells)


def _duration(seconds: float) -> str:
    for unit, length in (("years", 365 * _DAY_S), ("days", _DAY_S), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.{0 if seconds >= 10 * length else 1}f} {unit}"
    return f"{seconds:,.0f} s"


def _mib(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _gib(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"


def _grid(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def main() -> None:
    """Writes the page."""
    for path, text in generated_files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
