"""One source of truth: what is derived from the contract has not drifted from it."""

import re
import runpy

import pytest

from app.contract.events import EVENT_TYPES, decode_event
from app.contract.reasons import OfferOutcome, Rejection
from app.contract.tables import EVENTS, FORMER_TABLES, VIEWS, View, event_columns
from jobs.streams.schema import event_ddl, supported_types
from tests import ROOT
from tests.economy import CLASSES, ECONOMY, ITEMS

LUA = {path.stem: path.read_text() for path in sorted((ROOT / "app/store/lua").glob("*.lua"))}


@pytest.mark.parametrize("script", ["docs/generate.py", "sql/generate.py"])
def test_what_is_generated_is_as_committed(script: str) -> None:
    files = runpy.run_path(str(ROOT / script))["generated_files"]()
    assert files
    for path, text in files.items():
        assert path.read_text() == text, f"{path} is stale: run `make generate`"


def test_every_view_is_in_sql_and_no_other() -> None:
    assert {path.stem for path in (ROOT / "sql/views").glob("*.sql")} == {view.name for view in VIEWS}


def test_the_lua_functions_give_exactly_the_reasons_of_the_contract_in_their_order() -> None:
    trade, adjustment, offer = re.split(r"local function (?:adjustment|offer)_rejection", LUA["rules"])
    own = [reason for reason in re.findall(r"return '(\w+)'", offer) if f"'{reason}'" not in trade]
    assert "'batch_refused'" in LUA["batches"]
    assert ["batch_refused", *re.findall(r"return '(\w+)'", trade), *own] == [str(reason) for reason in Rejection]
    places = [list(Rejection).index(Rejection(reason)) for reason in re.findall(r"return '(\w+)'", adjustment)]
    assert places == sorted(places)


def test_the_lua_library_writes_the_event_types_and_outcomes_of_the_contract() -> None:
    verbs = "published|created|renamed|forgotten|adjusted|accepted|rejected|made|closed"
    written = set(re.findall(rf"'(\w+_(?:{verbs}))'", "".join(LUA.values())))
    assert written - {"account_closed"} == set(supported_types())
    ends = {str(outcome) for outcome in OfferOutcome}
    assert "ARGV  4 offer_id, 5 declined | cancelled" in LUA["offers"]
    closes = re.findall(r"close\(realm, .*?, '(\w+)'\)", LUA["offers"] + LUA["accounts"])
    assert set(closes) | {"declined", "cancelled"} == ends


def test_every_class_starts_with_899_units_of_999_and_the_weights_are_out_of_20() -> None:
    assert sum(player_class.weight for player_class in CLASSES.values()) == 20
    for player_class in CLASSES.values():
        assert sum(player_class.items.values()) == ECONOMY.max_capacity - 100
        assert set(player_class.items) <= set(ITEMS)


def test_the_table_has_the_fields_of_all_event_types_nested_as_the_events_are() -> None:
    spark = {column.name: column.type.spark for column in event_columns()}
    assert next(iter(spark)) == "event_type"
    assert (spark["sequence"], spark["occurred_at"], spark["reason"]) == ("bigint", "timestamp", "string")
    assert spark["player_1"] == spark["player_2"]
    assert spark["player_1"] == (
        "struct<player_id: bigint, gold: bigint, item_value: bigint, "
        "items: array<struct<item_id: bigint, quantity: bigint, value: bigint>>, "
        f"state: {spark['state']}>"
    )
    fields = {name for event_type in EVENT_TYPES for name in event_type.__struct_fields__}
    assert set(spark) == fields | {"event_type"}
    assert {column.name for column in EVENTS.columns} > set(spark)
    assert all(column.nullable for column in event_columns()), "a dead letter has none of them"


def test_sparks_schema_of_an_event_is_the_events_part_of_the_table() -> None:
    assert event_ddl() == ", ".join(f"{column.name} {column.type.spark}" for column in event_columns())


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_gives_its_columns_alone_and_in_their_order_in_every_branch(view: View) -> None:
    for select in view.query().split("\nunion all\n"):
        (columns,) = re.findall(r"select\n(.*)\nfrom lake\.haggle\.events\n", select, flags=re.DOTALL)
        given = [line.strip().removesuffix(",").rsplit(" as ")[-1] for line in columns.split(",\n")]
        assert given == [column.name for column in view.columns]


@pytest.mark.parametrize("name", FORMER_TABLES)
def test_every_table_that_there_was_is_a_view_under_its_name(name: str) -> None:
    assert name in {view.name for view in VIEWS}


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"event_type": "trade_undone"}'])
def test_the_validator_refuses_what_is_not_an_event(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_event(raw)
