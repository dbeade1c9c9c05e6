"""The catalog of a realm: published by engines, in force in Redis, whatever file an engine has."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.contract.events import CatalogPublished, PlayerCreated, TradeAccepted, decode_event
from app.economy import load_economy
from app.settings import Settings
from app.store import Store
from app.store.functions import Functions
from tests.conftest import Realm, Redis, client_of, settings_of
from tests.unit.test_economy import GOOD

NEXT = GOOD.replace("version = 1", "version = 2").replace("value = 3", "value = 4").replace('"Fuel"', '"Helium"')
WITHOUT_FUEL = """\
version = {version}
max_capacity = 20
items = [{{ id = 1, name = "Ore", level = 1, value = 3 }}]
classes = [{{ name = "miner", weight = 1, gold = 50, items = {{ 1 = 5 }} }}]
"""


class Game:
    """A realm whose engines have files of their own."""

    def __init__(self, server: Redis, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self.settings = settings_of(server)
        self.realm = Realm(self.settings)

    def file(self, text: str) -> Settings:
        """The settings of an engine with this file."""
        path = self._folder / f"{hash(text)}.toml"
        path.write_text(text)
        return replace(self.settings, economy_file=str(path))

    def engine(self, text: str) -> Any:
        return client_of(self.file(text))

    def events(self) -> list[Any]:
        return [decode_event(raw) for raw in self.realm.events()]


@pytest.fixture
def game(redis_server: Redis, tmp_path: Path) -> Game:
    return Game(redis_server, tmp_path)


def create(engine: FlaskClient, player_class: str = "miner") -> dict[str, Any]:
    answer = engine.post("/v1/players", json={"player_class": player_class})
    assert answer.status_code == 201, answer.json
    return dict(answer.json or {})


def trade(engine: FlaskClient, item: int, key: str = "") -> Any:
    body = {
        "player_1": {"player_id": 1, "items": [{"item_id": item, "quantity": 1}]},
        "player_2": {"player_id": 2, "gold": 1},
    }
    return engine.post("/v1/trades", json=body, headers={"Idempotency-Key": key} if key else {})


def test_the_first_event_of_a_realm_publishes_its_catalog(game: Game) -> None:
    create(game.engine(GOOD))
    published, created = game.events()
    assert isinstance(published, CatalogPublished)
    assert isinstance(created, PlayerCreated)
    assert (published.sequence, published.catalog_version, published.max_capacity) == (1, 1, 25)
    assert [(item.item_id, item.name, item.value) for item in published.catalog_items] == [
        (1, "Ore", 3),
        (7, "Fuel", 10),
    ]
    assert [each.name for each in published.catalog_classes] == ["miner"]
    assert (created.max_capacity, created.state.item_value) == (25, 165)


def test_a_new_version_holds_for_all_engines_from_one_event_on(game: Game) -> None:
    old = game.engine(GOOD)
    create(old), create(old)
    assert trade(old, 1).status_code == 201
    new = game.engine(NEXT)
    assert new.get("/readyz").status_code == 200
    # the old engine shows and decides by the new one too
    again = trade(old, 1)
    names = {item["name"] for item in again.json["player_1"]["inventory"]["items"]}
    assert names == {"Ore", "Helium"}
    assert old.get("/v1/items").json["catalog_version"] == 2
    kinds = [type(event).__name__ for event in game.events()]
    assert kinds == ["CatalogPublished", *["PlayerCreated"] * 2, "TradeAccepted", "CatalogPublished", "TradeAccepted"]
    first, second = (event for event in game.events() if isinstance(event, TradeAccepted))
    assert [event.player_1.items[0].value for event in (first, second)] == [3, 4]
    # 5 ore and 15 fuel, of which one and two ore are given away
    assert [event.player_1.state.item_value for event in (first, second)] == [4 * 3 + 150, 3 * 4 + 150]


def test_what_was_decided_keeps_its_values_as_long_as_it_is_known(game: Game) -> None:
    engine = game.engine(GOOD)
    create(engine), create(engine)
    before = trade(engine, 1, "k").json["trade"]
    game.engine(NEXT).get("/readyz")
    assert trade(engine, 1, "k").json["trade"] == before


def test_without_its_whole_answer_a_trade_of_an_earlier_catalog_has_no_values(game: Game) -> None:
    engine = game.engine(GOOD)
    create(engine), create(engine)
    trade(engine, 1, "k")
    game.engine(NEXT).get("/readyz")
    for key in game.realm.redis.scan_iter(f"{{{game.settings.realm}}}:answers:*"):
        game.realm.redis.delete(key)
    assert trade(engine, 1, "k").json["trade"]["player_1"]["items"] == [{"item_id": 1, "quantity": 1, "value": None}]


def test_an_item_that_players_hold_cannot_vanish_and_one_that_nobody_holds_can(game: Game) -> None:
    create(game.engine(GOOD))
    refused = game.engine(WITHOUT_FUEL.format(version=2)).get("/readyz")
    assert (refused.status_code, refused.json["reason"]) == (503, "catalog_refused")
    assert "lacks items that players hold: 7" in refused.json["detail"]
    assert len(game.events()) == 2
    # once it is used up, it may go
    fuel = {"player_id": 1, "items": [{"item_id": 7, "quantity": -15}], "reason": "consumption"}
    assert game.engine(GOOD).post("/v1/adjustments", json=fuel).status_code == 201
    assert game.engine(WITHOUT_FUEL.format(version=2)).get("/readyz").status_code == 200
    gone = game.engine(WITHOUT_FUEL.format(version=2)).post(
        "/v1/adjustments", json={"player_id": 1, "items": [{"item_id": 7, "quantity": 1}], "reason": "loot"}
    )
    assert gone.json["reason"] == "unknown_item"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("value = 3", "value = 5"), "holds version 1, which was published with other content"),
        (NEXT.replace("value = 4", "value = 5"), "holds version 2, which was published with other content"),
        (GOOD.replace("version = 1", "version = 3"), ""),
        (GOOD, "holds version 1, and version 2 is in force, which does not go back"),
    ],
)
def test_a_version_that_goes_back_or_has_other_content_is_refused_in_a_sentence(
    game: Game, text: str, said: str
) -> None:
    game.engine(GOOD).get("/readyz")
    game.engine(NEXT).get("/readyz")
    before = len(game.events())
    engine = game.engine(text)
    for answer in (engine.get("/readyz"), engine.post("/v1/players", json={})):
        if said:
            assert (answer.status_code, answer.json["reason"]) == (503, "catalog_refused")
            assert said in answer.json["detail"]
        else:
            assert answer.status_code in (200, 201)
    assert len(game.events()) == before + (0 if said else 2)


def test_a_version_that_was_left_out_is_refused(game: Game) -> None:
    game.engine(NEXT).get("/readyz")
    assert "version 2 is in force, which does not go back" in game.engine(GOOD).get("/readyz").json["detail"]


def test_a_worker_that_starts_anew_with_its_engines_older_file_plays_the_newer_catalog(game: Game) -> None:
    game.engine(GOOD).get("/readyz")
    game.engine(NEXT).get("/readyz")
    store = Store(game.realm.redis, game.file(GOOD), load_economy(game.file(GOOD)), is_new=False)
    assert not store.is_full()
    assert store.economy.version == 2


def ore(giver: int, taker: int) -> dict[str, Any]:
    lines = [{"item_id": 1, "quantity": 1}]
    return {"player_1": {"player_id": giver, "items": lines}, "player_2": {"player_id": taker, "gold": 0}}


def test_a_large_batch_is_not_decided_by_two_catalogs(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, newer = game.engine(GOOD), game.engine(NEXT)
    create(engine), create(engine)
    call = Functions.call
    seen: list[str] = []

    def publish_before_the_commit(self: Functions, function: str, *arguments: Any) -> Any:
        if function == "commit" and not seen:
            seen.append(function)
            newer.get("/readyz")
        return call(self, function, *arguments)

    monkeypatch.setattr(Functions, "call", publish_before_the_commit)
    # room for one more unit
    taken = {"player_id": 2, "items": [{"item_id": 7, "quantity": -5}], "reason": "decay"}
    engine.post("/v1/adjustments", json=taken)
    there, back = (ore(giver, taker) for giver, taker in ((1, 2), (2, 1)))
    body = {"mode": "all_or_nothing", "trades": [there, back] * 70}
    results = engine.post("/v1/trades/batch", json=body).json["results"]
    assert seen
    assert {result["status"] for result in results} == {"accepted"}
    published = [event.sequence for event in game.events() if isinstance(event, CatalogPublished)][-1]
    assert min(result["sequence"] for result in results) > published
    values = {
        line.value for event in game.events() if isinstance(event, TradeAccepted) for line in event.player_1.items
    }
    assert values == {4}


# ---------------------------------------------------------------- the engine as it is started


def publish(settings: Settings) -> subprocess.CompletedProcess[str]:
    own = {"REDIS_URL": settings.redis_url, "REALM": settings.realm, "ECONOMY_FILE": settings.economy_file}
    command = [sys.executable, "-m", "app.publish"]
    return subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, timeout=30, check=False)


def test_an_engine_with_a_bad_file_or_an_older_version_does_not_start(game: Game) -> None:
    assert publish(game.file(NEXT)).returncode == 0
    refused = publish(game.file(GOOD))
    assert (refused.returncode, "version 2 is in force" in refused.stderr) == (1, True)
    bad = publish(game.file(GOOD.replace("id = 7", "id = 1")))
    assert (bad.returncode, "the id 1 stands before" in bad.stderr) == (1, True)
    away = replace(game.file(NEXT), redis_url="redis://127.0.0.1:1/0")
    assert publish(away).returncode == 2
