"""Machine-made requests against the described API: what the server does is what /openapi.json says.

Schemathesis makes requests that fit the description and requests that do not, with the service key, and some with a
player's token or with no key. No answer is a 5xx; its status, content type and headers are described and its body fits
its schema; what does not fit the description is refused. Half of the fitting requests are aimed at players and offers
that there are, so that they come further than `not_found`.
"""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as rules
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from app.http.openapi import description
from app.http.operations import OPERATIONS, Access, Operation
from tests.conftest import SERVICE_KEY, Realm, Redis, client_of, settings_of

FITTING = [60, pytest.param(575, marks=pytest.mark.long)]
"""Requests of each operation that fit the description; the many are 10,000 with those that do not."""

UNFITTING = 60
"""Requests of each operation that do not."""

WITH_TOKEN = 30
WITHOUT_KEY = 5

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
PLAYERS = ["farmer", "banker", "hunter"]
Case = schemathesis.Case[Any]
TRADE = {"player_1": {"player_id": 1, "gold": 1}, "player_2": {"player_id": 2}}

described = schemathesis.openapi.from_dict(description())
WITH_INPUT = [operation for operation in OPERATIONS if operation.parameters or operation.body]
WITHOUT_INPUT = [operation for operation in OPERATIONS if operation not in WITH_INPUT]
WITH_ACCESS = [operation for operation in OPERATIONS if operation.access is not Access.ANYONE]


def each(operations: list[Operation]) -> pytest.MarkDecorator:
    names = [f"{operation.method.upper()} {operation.path}" for operation in operations]
    return pytest.mark.parametrize("operation", operations, ids=names)


def cases(operation: Operation, mode: GenerationMode = GenerationMode.POSITIVE) -> st.SearchStrategy[Case]:
    return described[operation.path][operation.method.upper()].as_strategy(generation_mode=mode)


def for_each(case: st.SearchStrategy[Case], number: int, try_one: Callable[[Case], None]) -> None:
    """Tries `number` cases, the same each time."""
    done = count()

    @rules(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=case)
    def run(case: Case) -> None:
        next(done)
        try_one(case)

    run()
    assert next(done) >= number


class World:
    """An engine with players 1 to 3, and who sends."""

    def __init__(self, server: Redis) -> None:
        self.settings = settings_of(server, PLAYER_RATE="0", OFFERS_MAX_OPEN="100000")
        self.client = client_of(self.settings)
        for player_class in PLAYERS:
            self.client.post("/v1/players", json={"player_class": player_class})
        self._offers = count()

    def send(self, case: Case, key: str | None = SERVICE_KEY) -> Any:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return case.call(app=self.client.application, headers=headers)

    def check(self, case: Case) -> None:
        case.validate_response(self.send(case), checks=CHECKS)

    def check_refusal(self, case: Case) -> None:
        case.validate_response(self.send(case), checks=[*CHECKS, checks.negative_data_rejection])

    def token(self, player_id: int) -> str:
        answer = self.client.post(f"/v1/players/{player_id}/tokens")
        return str((answer.json or {})["token"])

    def aimed(self, case: Case, one: int, two: int) -> Case:
        """The case with players and an offer that there are."""
        if "player_id" in case.path_parameters:
            case.path_parameters["player_id"] = one
        if "offer_id" in case.path_parameters:
            case.path_parameters["offer_id"] = self._offer()
        body: Any = case.body
        for trade in body.get("trades", [body]) if isinstance(body, dict) else []:
            for side, player_id in (("player_1", one), ("player_2", two)):
                if side in trade:
                    trade[side]["player_id"] = player_id
        return case

    def _offer(self) -> str:
        offer_id = f"offer-{next(self._offers)}"
        self.client.post("/v1/offers", json={**TRADE, "offer_id": offer_id})
        return offer_id


@pytest.fixture
def world(redis_server: Redis) -> World:
    return World(redis_server)


def aimed_cases(world: World, operation: Operation) -> st.SearchStrategy[Case]:
    ids = st.integers(1, len(PLAYERS))
    aimed = st.builds(world.aimed, cases(operation), ids, ids)
    return st.one_of(cases(operation), aimed)


@pytest.mark.parametrize("requests", FITTING)
@each(WITH_INPUT)
def test_answers_to_fitting_requests_are_as_described(world: World, operation: Operation, requests: int) -> None:
    for_each(aimed_cases(world, operation), requests, world.check)


@each(WITH_INPUT)
def test_unfitting_requests_are_refused_as_described(world: World, operation: Operation) -> None:
    # unknown parameters are ignored; an independent batch answers 200 and says which of its commands are invalid
    refuses_all = operation.body and not operation.path.endswith("/batch")
    check = world.check_refusal if refuses_all else world.check
    for_each(cases(operation, GenerationMode.NEGATIVE), UNFITTING, check)


@each(WITHOUT_INPUT)
def test_answers_to_requests_without_input_are_as_described(world: World, operation: Operation) -> None:
    for_each(cases(operation), 1, world.check)


@each(WITH_INPUT)
def test_a_player_gets_described_answers_and_cannot_move_what_is_others(world: World, operation: Operation) -> None:
    token = world.token(3)
    realm = Realm(world.settings)

    def try_one(case: Case) -> None:
        before = realm.states()
        response = world.send(case, token)
        case.validate_response(response, checks=CHECKS)
        after = realm.states()
        assert [after[player] for player in (1, 2)] == [before[player] for player in (1, 2)]

    for_each(aimed_cases(world, operation), WITH_TOKEN, try_one)


@each(WITH_ACCESS)
def test_without_a_valid_key_each_request_is_a_401(world: World, operation: Operation) -> None:
    def try_one(case: Case) -> None:
        assert [world.send(case, key).status_code for key in (None, "not-a-key-of-this-engine")] == [401, 401]

    for_each(cases(operation), WITHOUT_KEY, try_one)


FOUND = {
    "a player_id beyond 64 bits": ("get", f"/v1/players/{'9' * 30}", b"", 404),
    "an offer_id with a last newline": ("post", "/v1/offers", json.dumps({**TRADE, "offer_id": "a\n"}).encode(), 422),
    "a trade_id with a last newline": ("post", "/v1/trades", json.dumps({**TRADE, "trade_id": "a\n"}).encode(), 422),
    "a cursor that is no place of a trade": ("get", "/v1/players/1/trades?cursor=dA", b"", 422),
    "bytes in a batch that are no text": (
        "post", "/v1/trades/batch", b'{"mode": "independent", "trades": [1, {"trade_id": "\xff"}]}', 400,
    ),
    "a trade in a batch that is nested too deeply": (
        "post", "/v1/trades/batch", b'{"mode": "independent", "trades": [1, ' + b"[" * 9000 + b"]" * 9000 + b"]}", 400,
    ),
}  # fmt: skip
"""Requests that once were answered with a 5xx, or accepted."""


@pytest.mark.parametrize("found", FOUND)
def test_what_was_found_is_refused(world: World, found: str) -> None:
    method, path, body, status = FOUND[found]
    assert world.client.open(path, method=method, data=body).status_code == status
