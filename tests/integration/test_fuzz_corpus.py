"""Nasty bytes on both original routes: none is a 5xx, and nothing changes unless the answer is a 200.

The seeds are the files of tests/corpus: whole bodies, in which @1 and @2 stand for the fields of the players' states as
they are now. Each is sent as it is, and then thousands of seeded mutations of them. What is found becomes a seed.
"""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.http.openapi import description
from tests.conftest import Realm

CORPUS = Path(__file__).parents[1] / "corpus"
MUTATIONS = 3_000
SEED = 8
ROUTES = {"create_player": ("put", "/create_player"), "trade": ("post", "/trade")}
TOKENS = [
    b"0", b"-0", b"-1", b"1e400", b"1E+2", b"0.5", b"9007199254740991", b"9007199254740992", b"18446744073709551616",
    b"null", b"true", b"NaN", b"[]", b"{}", b'"', b"\\", b"\\u0000", b"\\ud800", b"\x00", b"\xff", b"\xc0\xaf",
    b"\xef\xbb\xbf", b",", b":", b"{", b"}", b"[", b"]", b'"gold_traded":', b'"version":', b'"player_id":', b"@1",
    b"@2",
]  # fmt: skip


class World:
    """Two players, what they hold together, and what was stored before the last request."""

    def __init__(self, client: FlaskClient, realm: Realm, name: str) -> None:
        self._client = client
        self._realm = realm
        self._method, self._path = ROUTES[name]
        self._described = description()["paths"][self._path][self._method]["responses"]
        for player_class in ("farmer", "banker"):
            client.post("/v1/players", json={"player_class": player_class})
        self._texts = [b"", b""]
        self._stored = self._store()
        self.statuses: Counter[int] = Counter()

    def send(self, body: bytes) -> bytes:
        """Sends a body, checks the answer and what it changed, and returns it."""
        before = self._stored
        for number, text in enumerate(self._texts, start=1):
            body = body.replace(b"@%d" % number, text)
        answer = self._client.open(self._path, method=self._method, data=body)
        self.statuses[answer.status_code] += 1
        self._check_answer(answer)
        self._stored = self._store()
        if answer.status_code != 200:
            assert self._stored == before, body
        elif self._path == "/create_player":
            assert self._stored["sequence"] == before["sequence"] + 1
            assert self._stored["players"] == before["players"]
        else:
            assert self._stored["sequence"] == before["sequence"] + 1
            assert self._stored["count"] == before["count"]
            assert totals(self._stored["players"]) == totals(before["players"])
        return bytes(answer.data)

    def _check_answer(self, answer: TestResponse) -> None:
        kinds = self._described[str(answer.status_code)]["content"]
        assert answer.status_code < 500
        assert answer.content_type.split(";")[0] in kinds
        assert answer.is_json == (answer.mimetype != "text/plain")

    def _store(self) -> dict[str, Any]:
        """What is stored of players 1 and 2, and the counts of events and players."""
        players = [self._realm.state(number) for number in (1, 2)]
        shown = [self._client.get(f"/v1/players/{number}").data for number in (1, 2)]
        self._texts = [text[1:-1] for text in shown]
        keys = self._realm.keys
        sequence, count = (int(text) for text in self._realm.redis.mget(keys.sequence, keys.player_count))
        return {"players": players, "sequence": sequence, "count": count}


def totals(players: list[dict[str, Any]]) -> Counter[int]:
    """Gold, as item 0, and units of every item that the players hold together; checks each of them."""
    amounts: Counter[int] = Counter()
    for player in players:
        assert player["gold"] >= 0
        assert min(player["items"].values()) > 0
        assert player["units"] == sum(player["items"].values()) <= player["capacity"]
        amounts.update({0: player["gold"], **player["items"]})
    return amounts


def mutated(draw: Random, seeds: list[bytes]) -> bytes:
    """A seed with one to four changes."""
    body = draw.choice(seeds)
    for _ in range(draw.randint(1, 4)):
        start = draw.randint(0, len(body))
        end = min(len(body), start + draw.choice([0, 1, 1, 5, 40]))
        other = draw.choice(seeds)
        cut = draw.randint(0, len(other))
        put = draw.choice(
            [draw.choice(TOKENS), bytes([draw.randrange(256)]), other[cut : cut + 40], body[start:end] * 2]
        )
        body = body[:start] + put + body[end:]
    return body


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def seeds(route: str) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted((CORPUS / route).iterdir())}


def test_each_seed_is_answered_as_described(
    client: FlaskClient, realm: Realm, route: str, seeds: dict[str, bytes]
) -> None:
    world = World(client, realm, route)
    for name, body in seeds.items():
        accepted = world.statuses[200]
        answer = world.send(body)
        if name.startswith("valid-"):
            assert world.statuses[200] > accepted, name
            assert b"fail_reason" not in answer, name
    assert sum(world.statuses.values()) == len(seeds) > 30


def test_mutated_seeds_are_answered_as_described(
    client: FlaskClient, realm: Realm, route: str, seeds: dict[str, bytes]
) -> None:
    world = World(client, realm, route)
    draw = Random(SEED)
    for _ in range(MUTATIONS):
        world.send(mutated(draw, list(seeds.values())))
    assert world.statuses[200] > 20
    assert world.statuses[400] > 500
    assert world.statuses[422] > 500
