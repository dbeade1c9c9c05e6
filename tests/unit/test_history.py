"""The generated past of the benchmarks is one that the engine could have written, and the relay published."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from app.contract.events import Side, TradeAccepted, decode_event
from app.store.layout import as_time
from tests.bench.history import plan_events
from tests.history import Replay
from tests.model import ModelSide


@pytest.fixture(scope="module")
def past() -> list[bytes]:
    return list(plan_events(20, 3_000, seed=4))


def test_the_model_of_the_rules_decides_every_generated_trade_alike_and_comes_to_the_same_states(
    past: list[bytes],
) -> None:
    events = [decode_event(raw) for raw in past]
    trades = [event for event in events if isinstance(event, TradeAccepted)]
    assert len(trades) == 3_000
    replay = Replay({trade.trade_id: (sent(trade.player_1), sent(trade.player_2)) for trade in trades})
    for event in events:
        replay.apply(event)
    assert all(earlier.occurred_at < later.occurred_at for earlier, later in pairwise(events))


def sent(side: Side) -> ModelSide:
    return ModelSide(side.player_id, side.gold, [(line.item_id, line.quantity) for line in side.items])


def test_a_generated_event_is_written_as_the_relay_writes_it(past: list[bytes]) -> None:
    for raw in past[18:22]:
        fields: dict[str, Any] = json.loads(raw)
        event = msgspec.structs.replace(decode_event(raw), occurred_at=as_time(fields["occurred_at"]))
        assert msgspec.json.encode(event) == raw


def test_the_same_arguments_give_the_same_past() -> None:
    first, second, other = (list(plan_events(5, 20, seed)) for seed in (7, 7, 8))
    assert first == second
    assert first != other
