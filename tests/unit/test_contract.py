"""One source of truth: what is derived from the contract has not drifted from it."""

import re
from pathlib import Path

import pytest
from pyspark.sql import types as t

from app.contract.economy import CLASSES, ITEMS, MAX_CAPACITY
from app.contract.events import decode_event
from app.contract.reasons import OfferOutcome, Rejection
from app.generate import ROOT, generated_files
from jobs.streams.schema import event_schema, supported_types

LUA = (ROOT / "app/lua/haggle.lua").read_text()


@pytest.mark.parametrize("path", generated_files(), ids=str)
def test_a_generated_file_is_as_committed(path: Path) -> None:
    assert (ROOT / path).read_text() == generated_files()[path], "run `make generate`"


def test_the_lua_function_gives_exactly_the_reasons_of_the_contract_in_their_order() -> None:
    trade = LUA[LUA.index("local function general_rejection") : LUA.index("local function add_units")]
    offer = LUA[LUA.index("local function offer_rejection") : LUA.index("local function write_offer")]
    own = [reason for reason in re.findall(r"return '(\w+)'", offer) if f"'{reason}'" not in trade]
    assert "'batch_refused'" in LUA
    assert ["batch_refused", *re.findall(r"return '(\w+)'", trade), *own] == [str(reason) for reason in Rejection]


def test_the_lua_library_writes_the_event_types_and_outcomes_of_the_contract() -> None:
    written = set(re.findall(r"(?:exchange_body\(|pack\(\{)'(\w+)'", LUA))
    assert written == set(supported_types())
    ends = {str(outcome) for outcome in OfferOutcome}
    assert "ARGV  3 offer_id, 4 declined | cancelled" in LUA
    assert set(re.findall(r"close\(realm, .*?, '(\w+)'\)", LUA)) | {"declined", "cancelled"} == ends


def test_every_class_starts_with_899_units_of_999_and_the_weights_are_out_of_20() -> None:
    assert sum(player_class.weight for player_class in CLASSES.values()) == 20
    for player_class in CLASSES.values():
        assert sum(player_class.items.values()) == MAX_CAPACITY - 100
        assert set(player_class.items) <= set(ITEMS)


def test_sparks_schema_has_the_fields_of_all_event_types_with_the_contracts_types() -> None:
    schema = event_schema()
    kinds = {item.name: item.dataType for item in schema}
    assert kinds["sequence"] == t.LongType()
    assert kinds["occurred_at"] == t.TimestampType()
    side = kinds["player_1"]
    assert isinstance(side, t.StructType)
    assert side.fieldNames() == ["player_id", "gold", "item_value", "items", "state"]
    assert {"username", "reason", "trade_id", "state", "max_capacity"} <= set(kinds)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"event_type": "trade_undone"}'])
def test_the_validator_refuses_what_is_not_an_event(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_event(raw)
