"""When the relay refuses to go on: what would leave a gap or a duplicate."""

import pytest

from app.adapters.redis import OutboxEntry
from app.entrypoints.relay import BrokenSequence, check_contiguous, position_of


def entries(*sequences: int) -> list[OutboxEntry]:
    return [OutboxEntry(sequence, b"{}") for sequence in sequences]


def test_it_goes_on_after_what_kafka_has() -> None:
    assert position_of(published=7, newest=9, waiting=entries(8, 9)) == 7
    assert position_of(published=0, newest=0, waiting=[]) == 0


def test_an_empty_topic_whose_retention_is_over_starts_where_the_outbox_does() -> None:
    assert position_of(published=0, newest=9, waiting=entries(8, 9)) == 7


def test_it_refuses_when_redis_has_forgotten_what_kafka_holds() -> None:
    with pytest.raises(BrokenSequence, match="Redis has lost data"):
        position_of(published=9, newest=3, waiting=[])


@pytest.mark.parametrize("sequences", [(9, 10), (8, 10), (8, 8), (7, 8)])
def test_it_refuses_an_outbox_with_a_gap_or_a_repeat(sequences: tuple[int, ...]) -> None:
    with pytest.raises(BrokenSequence):
        check_contiguous(entries(*sequences), 7)


def test_a_gapless_outbox_is_fine() -> None:
    check_contiguous(entries(8, 9, 10), 7)
