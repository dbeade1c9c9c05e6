"""What Redis keeps of what was decided: little, for a day, and not more however long a game goes on.

Time is that of the tests: the Lua functions read it from a key.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from app.domain import NewPlayer, Side, Trade
from app.errors import Unavailable
from app.relay.retention import Retention
from app.settings import Settings
from app.store import Store, functions
from app.store.functions import MOST_PER_CALL
from app.store.keys import OF_FUNCTIONS, Keys
from app.store.outbox import Outbox
from tests.conftest import Realm, Redis, client_of, die_before, settings_of

DAY_S = 86_400
START_S = 1_795_000_000
RECORD_BYTES = 64
"""Most that is kept of a trade for a day."""


class Game:
    """A realm whose time passes when the test says so, and what its Redis takes of memory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = client_of(settings)
        self.store: Store = self.client.application.extensions["haggle"].store
        self.redis: Any = Realm(settings).redis
        self.outbox = Outbox(self.redis, settings.realm, keep_events=1_000)
        self._clock = f"{Keys(settings.realm).sequence}:clock"
        self._names = count()
        self.now_s = START_S
        self.pass_s(0)
        self.retention = Retention(self.redis, self.store, settings, clock=lambda: self.now_s)
        for _ in range(2):
            self.store.players.create(NewPlayer("farmer"))

    def pass_s(self, seconds: int) -> None:
        self.now_s += seconds
        self.redis.set(self._clock, self.now_s)

    def trades(self, number: int = MOST_PER_CALL) -> list[Trade]:
        """Trades of one gold for one, which nobody is ever short of."""
        return [Trade(f"trade-{next(self._names)}", Side(1, 1, {}), Side(2, 1, {})) for _ in range(number)]

    def play(self, seconds: int, trades_per_s: float) -> None:
        """As many calls of trades as make the rate; the relay publishes and forgets meanwhile."""
        pause_s = round(MOST_PER_CALL / trades_per_s)
        for _ in range(seconds // pause_s):
            self.store.trades.decide_each(self.trades())
            self.pass_s(pause_s)
            self.outbox.advance(self.outbox.newest(), "topic", 1)
            self.retention.go_on()

    def used_bytes(self) -> int:
        used: int = self.redis.info("memory")["used_memory"]
        return used

    def generations(self) -> set[bytes]:
        """The generations that records stand in."""
        return {key.split(b":")[-2] for key in self.keys("DECIDED_PREFIX")}

    def keys(self, prefix: str) -> list[Any]:
        name = dict(zip(OF_FUNCTIONS, Keys(self.settings.realm).of_functions, strict=True))[prefix]
        return list(self.redis.scan_iter(f"{name}*", count=1_000))


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A server whose memory nobody else takes."""
    server = Redis(tmp_path_factory.mktemp("retention"))
    yield server
    server.kill()


@pytest.fixture
def game(own_server: Redis, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Game]:
    """A game whose records begin in as many shards as the test says."""
    source = functions.LIBRARY.replace(functions.NAME, "clocked")
    assert source.count("redis.call('TIME')") == 1
    clock = functions.with_values("{redis.call('GET', keys[SEQUENCE_KEY] .. ':clock'), '0'}")
    shards = "FIRST_SHARDS, MOST_SHARDS = "
    assert source.count(f"{shards}16384") == 1
    source = source.replace(f"{shards}16384", f"{shards}{getattr(request, 'param', 16384)}")
    monkeypatch.setattr(functions, "LIBRARY", source.replace("redis.call('TIME')", clock))
    monkeypatch.setattr(functions, "NAME", "clocked")
    game = Game(settings_of(own_server))
    yield game
    game.redis.config_set("maxmemory", 0)
    game.redis.flushall()


def body_of(trade: Trade) -> dict[str, Any]:
    return {
        "player_1": {"player_id": 1, "gold": trade.player_1.gold},
        "player_2": {"player_id": 2, "gold": trade.player_2.gold},
        "trade_id": trade.trade_id,
    }


# ---------------------------------------------------------------- how long


def test_a_repeat_gets_the_answer_of_then_for_minutes_and_the_decision_for_a_day(game: Game) -> None:
    accepted, refused = game.trades(2)
    refused = Trade(refused.trade_id, Side(1, 1_000_000, {}), Side(2, 1, {}))
    first = [game.client.post("/v1/trades", json=body_of(trade)) for trade in (accepted, refused)]
    game.store.trades.decide_each(game.trades(3))
    game.pass_s(game.settings.answer_full_s - 1)
    game.retention.go_on()
    again = game.client.post("/v1/trades", json=body_of(accepted))
    assert (again.data, again.headers["Idempotent-Replayed"]) == (first[0].data, "true")
    game.pass_s(120)
    game.retention.go_on()
    late = game.client.post("/v1/trades", json=body_of(accepted))
    assert (late.status_code, late.headers["Idempotent-Replayed"]) == (201, "true")
    then, now = first[0].json or {}, late.json or {}
    assert (then["players_as_of"], now["players_as_of"]) == ("trade", "now")
    assert now["trade"]["sequence"] == then["trade"]["sequence"]
    assert now["trade"]["occurred_at"] == then["trade"]["occurred_at"]
    assert now["trade"]["player_1"] == then["trade"]["player_1"]
    assert now["player_1"]["version"] == then["player_1"]["version"] + 3
    late_refused = game.client.post("/v1/trades", json=body_of(refused))
    assert (late_refused.status_code, (late_refused.json or {})["reason"]) == (409, "insufficient_gold")
    known = game.client.get(f"/v1/trades/{accepted.trade_id}").json or {}
    assert (known["trade"]["sequence"], "player_1" in known["trade"]) == (then["trade"]["sequence"], False)
    other = {**body_of(accepted), "player_2": {"player_id": 2, "gold": 2}}
    assert game.client.post("/v1/trades", json=other).status_code == 422


@pytest.mark.parametrize("trades_per_s", [0.1, 1])
def test_no_name_has_two_effects_within_a_day(game: Game, trades_per_s: float) -> None:
    game.play(6 * 3_600, trades_per_s)
    trades = game.trades(20)
    game.store.trades.decide_each(trades)
    game.play(DAY_S - 3_600, trades_per_s)
    assert {result.status for result in game.store.trades.decide_each(trades)} == {"recalled"}


def test_a_large_batch_is_known_for_a_day(game: Game) -> None:
    trades = game.trades(300)
    assert {result.status for result in game.store.batches.decide(trades)} == {"decided"}
    game.play(DAY_S - 3_600, 1)
    assert {result.status for result in game.store.batches.decide(trades)} == {"replayed"}
    assert {result.status for result in game.store.trades.decide_each(trades[:100])} == {"recalled"}


@pytest.mark.parametrize("game", [4], indirect=True)
def test_a_name_has_one_effect_while_its_record_waits_to_be_moved_and_after(game: Game) -> None:
    trades = [game.trades() for _ in range(5)]
    for part in trades:
        game.store.trades.decide_each(part)
    assert {result.status for part in trades for result in game.store.trades.decide_each(part)} == {"replayed"}
    assert len(game.generations()) > 2
    game.retention.go_on()
    assert len(game.generations()) == 1
    assert {result.status for part in trades for result in game.store.trades.decide_each(part)} == {"replayed"}


def test_what_a_batch_left_whose_engine_died_is_finished_by_the_sweep(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    trades = game.trades(300)
    with monkeypatch.context() as dying:
        die_before("finish_batch", dying)
        game.store.batches.decide(trades)
    game.pass_s(2 * 3_600)
    for _ in range(40):
        game.retention.go_on()
    stored = [value for key in game.keys("DECIDED_PREFIX") for value in game.redis.hvals(key)]
    assert [len(value) for value in stored] == [23] * 300
    assert game.keys("ANSWERS_PREFIX") == []
    assert {result.status for result in game.store.batches.decide(trades)} == {"replayed"}


def test_the_sweep_leaves_an_open_batch_alone(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = functions.Functions.decide

    def sweep_before_the_commit(self: Any, called: str, *arguments: Any) -> Any:
        if called == "commit":
            game.pass_s(2 * 3_600)
            for _ in range(40):
                game.retention.go_on()
        reply = decide(self, called, *arguments)
        assert reply[0] != b"aborted"
        return reply

    monkeypatch.setattr(functions.Functions, "decide", sweep_before_the_commit)
    assert {result.status for result in game.store.batches.decide(game.trades(300))} == {"decided"}


# ---------------------------------------------------------------- how much


@pytest.mark.long
def test_memory_is_flat_over_days_at_the_bound_and_no_command_is_refused(game: Game) -> None:
    """As much memory as the rate needs by docs/volumes.md: records of 25 hours, whole answers, and the outbox."""
    rate = 1
    base = game.used_bytes()
    bound = base + rate * (25 * 3_600 * RECORD_BYTES + (game.settings.answer_full_s + 60) * 600) + 2_000 * 250
    game.redis.config_set("maxmemory", bound)
    used = []
    for _ in range(12):
        game.play(DAY_S // 4, rate)
        used.append(game.used_bytes() - base)
    # of the second and the third day
    assert max(used[8:]) < 1.1 * max(used[4:8])
    assert max(used) < 0.95 * (bound - base)


@pytest.mark.long
def test_a_record_takes_64_bytes_at_the_most_and_is_looked_for_twice_at_the_most(game: Game) -> None:
    # so many that there must be a second generation, into which the first one moves
    game.play(4 * 3_600, 30)
    shards = game.keys("DECIDED_PREFIX")
    records = sum(game.redis.hlen(key) for key in shards)
    assert records > 400_000
    assert sum(game.redis.memory_usage(key, samples=0) for key in shards) / records < RECORD_BYTES
    (retained,) = game.keys("RETAINED_KEY")
    generations = msgspec.msgpack.decode(game.redis.get(retained))[3]
    assert (generations[-1][:2], len(generations)) == ([2, 32_768], 1)
    assert game.generations() == {b"2"}


def test_what_is_too_old_leaves_no_key_behind(game: Game) -> None:
    game.play(DAY_S, 1)
    for _ in range(5):
        game.pass_s(DAY_S // 2)
        game.store.trades.decide_each(game.trades(1))
        for _ in range(40):
            game.retention.go_on()
    assert len(game.keys("DECIDED_PREFIX")) <= 4
    assert len(game.keys("ANSWERS_PREFIX")) <= 1


def test_near_the_bound_whole_answers_go_first_and_it_is_said_when_redis_will_be_full(game: Game) -> None:
    game.redis.config_set("maxmemory", game.used_bytes() + 5_000_000)
    said: list[float] = []
    for _ in range(120):
        game.store.trades.decide_each(game.trades())
        game.outbox.advance(game.outbox.newest(), "topic", 1)
        game.pass_s(5)
        game.retention.go_on()
        said.append((game.client.get("/readyz").json or {})["redis_full_in_s"])
    assert said[-1] is None or said[-1] > 0
    assert min(value for value in said if value) < 3_600
    # 120 calls are 15,360 whole answers of 400 bytes: more than there is room for
    assert len(game.keys("ANSWERS_PREFIX")) < 10
    assert game.store.trades.decide_each(game.trades(1))[0].status == "decided"


# ---------------------------------------------------------------- what a player may cause


@pytest.fixture
def player(game: Game) -> FlaskClient:
    """A player's client, with as many requests as it likes."""
    client = client_of(replace(game.settings, player_rate=0, player_rate_bytes=0))
    token = (game.client.post("/v1/players/1/tokens").json or {})["token"]
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


UNKNOWN = [{"item_id": 10**15 + number, "quantity": 10**15} for number in range(100)]


@pytest.mark.parametrize("items", [[], UNKNOWN], ids=["small", "100 unknown items"])
def test_refused_offers_of_a_player_at_its_full_rate_for_ten_minutes_take_less_than_5_mb(
    game: Game, player: FlaskClient, items: list[dict[str, int]]
) -> None:
    offer = {"player_1": {"player_id": 1, "gold": 10**12, "items": items}, "player_2": {"player_id": 2}}
    a_minute = min(game.settings.player_rate, game.settings.player_rate_bytes // len(msgspec.json.encode(offer)))
    before = game.used_bytes()
    for number in range(10 * a_minute):
        assert player.post("/v1/offers", json={**offer, "offer_id": f"o{number}"}).status_code == 409
    assert game.used_bytes() - before < 5_000_000
    others = {"player_1": {"player_id": 2, "gold": 1}, "player_2": {"player_id": 1}}
    assert game.client.post("/v1/offers", json=others).status_code == 201


def test_offers_that_a_player_makes_and_takes_back_are_kept_for_minutes_only(game: Game, player: FlaskClient) -> None:
    offer = {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2}}
    made = (player.post("/v1/offers", json=offer).json or {})["offer"]["offer_id"]
    assert player.post(f"/v1/offers/{made}/cancel").status_code == 200
    (key,) = game.keys("OFFER_PREFIX")
    assert 0 < game.redis.ttl(key) <= game.settings.answer_full_s


def test_redis_that_is_full_refuses_commands_and_still_forgets(game: Game) -> None:
    game.store.trades.decide_each(game.trades())
    game.pass_s(2 * game.settings.answer_full_s)
    game.redis.config_set("maxmemory", 1)
    with pytest.raises(Unavailable):
        game.store.trades.decide_each(game.trades(1))
    game.retention.go_on()
    assert game.keys("ANSWERS_PREFIX") == []


def test_redis_that_is_full_takes_what_kafka_has_acknowledged_and_makes_room(game: Game) -> None:
    outbox = Outbox(game.redis, game.settings.realm)
    game.store.trades.decide_each(game.trades())
    assert outbox.first_after(0) is not None
    game.redis.config_set("maxmemory", 1)
    outbox.advance(outbox.newest(), "topic", 1)
    assert outbox.first_after(0) is None
    assert outbox.published().sequence == outbox.newest()


# ---------------------------------------------------------------- shards


def test_nobody_outside_knows_which_names_share_a_shard(own_server: Redis) -> None:
    def shards(settings: Settings) -> list[bytes]:
        store = client_of(settings).application.extensions["haggle"].store
        for _ in range(2):
            store.players.create(NewPlayer("farmer"))
        store.trades.decide_each([Trade(f"name-{number}", Side(1, 1, {}), Side(2, 1, {})) for number in range(50)])
        found = Realm(settings).redis.scan_iter(f"{{{settings.realm}}}:decided:*", count=1_000)
        return sorted(key.split(b":")[-1] for key in found)

    first = settings_of(own_server)
    before = shards(first)
    Realm(first).redis.flushall()
    own_server.kill()
    own_server.start()
    assert shards(first) != before
