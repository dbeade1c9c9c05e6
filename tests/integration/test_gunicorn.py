"""The engine as it is served: gunicorn with its workers on a real socket."""

import http.client
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from app.settings import Settings
from tests.conftest import SERVICE_KEY, Realm
from tests.serving import served


@pytest.fixture
def engine(settings: Settings) -> Iterator[str]:
    with served(settings, ORIGINAL_ROUTES="open") as port:
        yield f"http://127.0.0.1:{port}"


def test_32_threads_on_hot_pairs_conserve_gold_and_items_and_leave_nothing_negative(engine: str, realm: Realm) -> None:
    for player_class in ("farmer", "banker", "warrior", "hunter"):
        requests.put(f"{engine}/create_player", json={"player_class": player_class}, timeout=5)
    before = totals(realm)
    statuses: list[int] = []

    def trade_a_lot(seed: int) -> None:
        draw = Random(seed)
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {SERVICE_KEY}"
            for _ in range(30):
                one, two = draw.sample(range(1, 5), 2)
                sides = [random_side(draw, player) for player in (one, two)]
                body = {"player_1": sides[0], "player_2": sides[1]}
                statuses.append(session.post(f"{engine}/v1/trades", json=body, timeout=20).status_code)

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(trade_a_lot, range(32)))
    assert len(statuses) == 32 * 30
    assert set(statuses) == {201, 409}
    assert totals(realm) == before
    assert len(realm.events()) == 5 + len(statuses)
    for state in realm.states().values():
        assert state["gold"] >= 0
        assert min(state["items"].values()) > 0
        assert state["units"] == sum(state["items"].values()) <= state["capacity"]


def random_side(draw: Random, player: int) -> dict[str, Any]:
    items = [{"item_id": draw.choice([5, 6, 7, 8, 17, 18, 19]), "quantity": draw.choice([1, 2, 60])}]
    return {"player_id": player, "gold": draw.choice([0, 1, 100, 5_000]), "items": draw.choice([[], items])}


def totals(realm: Realm) -> Counter[int]:
    """Gold, as item 0, and units of every item that all players hold together."""
    amounts: Counter[int] = Counter()
    for state in realm.states().values():
        amounts.update({0: state["gold"], **state["items"]})
    return amounts


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [("/trade", "", 413), ("/v1/trades", SERVICE_KEY, 413), ("/v1/trades", "", 401)],
)
def test_a_body_of_5_mb_gets_its_refusal_over_a_real_socket(engine: str, path: str, key: str, status: int) -> None:
    connection = http.client.HTTPConnection(engine.removeprefix("http://"), timeout=10)
    connection.request("POST", path, body=b"x" * 5_000_000, headers={"Authorization": f"Bearer {key}"} if key else {})
    assert connection.getresponse().status == status
    connection.close()


def test_head_and_body_of_an_answer_arrive_together_and_at_once(engine: str) -> None:
    address = urlsplit(engine)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=5) as connection:
        for _ in range(20):
            connection.sendall(b"GET /v1/items HTTP/1.1\r\nHost: haggle\r\n\r\n")
            received = connection.recv(1 << 20)
            length = re.search(rb"Content-Length: (\d+)", received)
            assert length
            assert len(received.partition(b"\r\n\r\n")[2]) == int(length[1])


def test_the_counts_of_all_workers_are_added_up(engine: str) -> None:
    barrier = threading.Barrier(16)

    def create(_: int) -> None:
        barrier.wait()
        requests.put(f"{engine}/create_player", timeout=5)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(create, range(16)))
    text = requests.get(f"{engine}/metrics", timeout=5).text
    assert re.search(r"^haggle_players_created_total 16.0$", text, re.MULTILINE)
    assert 'haggle_http_request_seconds_count{method="PUT",route="/create_player",status="200"} 16.0' in text


def test_what_redis_holds_is_told_once_whatever_number_of_workers_was_asked(engine: str) -> None:
    texts = [requests.get(f"{engine}/metrics", timeout=5).text for _ in range(8)]
    for name in ("haggle_redis_up", "haggle_sequence", "haggle_outbox_events"):
        assert len(re.findall(rf"^{name}\b", texts[-1], re.MULTILINE)) == 1, name


def test_the_docs_page_is_served_with_all_it_needs(engine: str) -> None:
    page = requests.get(f"{engine}/docs/", timeout=5)
    assert page.ok
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert not asset.startswith("http"), "the page must not need the network"
        assert requests.get(urljoin(f"{engine}/docs/", asset), timeout=5).ok, asset
