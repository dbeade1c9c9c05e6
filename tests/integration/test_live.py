"""The live page over HTTP: who may look, what a snapshot holds, and that it works with any server down."""

import json
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from app.errors import Unavailable
from app.http.app import create_app
from app.live.snapshot import Snapshots
from app.settings import Settings
from app.store import Store
from tests.conftest import SERVICE_KEY, Redis, client_of, settings_of, wait_until
from tests.kafka import free_port
from tests.serving import served

FINDING = {"at": "2026-11-01T12:00:00Z", "sequence": 7, "ok": False, "notes": {"lake": "event 3 is missing"}}
AUDITS = {"Authorization": f"Bearer {SERVICE_KEY}"}
STREAM = {"Accept": "text/event-stream"}


def snapshot(client: FlaskClient, **headers: str) -> dict[str, Any]:
    answer = client.get("/v1/live", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json or {}


def trade(client: FlaskClient, gold: int = 1) -> Any:
    return client.post("/v1/trades", json={"player_1": {"player_id": 1, "gold": gold}, "player_2": {"player_id": 2}})


@pytest.fixture
def players(client: FlaskClient) -> FlaskClient:
    for player_class in ("farmer", "banker"):
        client.post("/v1/players", json={"player_class": player_class})
    return client


def test_a_snapshot_says_what_was_decided_what_waits_and_what_jobs_have_found(players: FlaskClient) -> None:
    trade(players)
    trade(players, 2**50)
    players.put("/v1/findings/audit", json=FINDING)
    found = snapshot(players)
    assert [(each["player_1"], each["gave_1"], each["reason"]) for each in found["trades"]] == [
        (1, f"{2**50:,} gold", "insufficient_gold"),
        (1, "1 gold", None),
    ]
    assert found["refused"] == {"insufficient_gold": 1}
    assert found["looked_at_percent"] == 100
    stages = {each["stage"]: each for each in found["stages"]}
    assert list(stages) == ["outbox", "kafka", "lake", "report"]
    # the catalog, two players, two trades: nobody publishes here
    assert (stages["outbox"]["events"], stages["outbox"]["bound_events"]) == (found["sequence"], 1_000_000)
    assert found["sequence"] == 5
    assert stages["lake"]["events"] is None
    assert "streams" in found["missing"]
    assert found["audit"] == FINDING
    assert found["report"] is None


def test_of_more_events_than_are_looked_at_the_counts_are_estimates_and_it_is_said(players: FlaskClient) -> None:
    services = players.application.extensions["haggle"]
    snapshots = Snapshots(services.settings, services.store)
    snapshots.make(None)
    for _ in range(400):
        trade(players)
    live = snapshots.make(None)
    assert 50 <= live.looked_at_percent < 100
    # once the second in which the last was decided is over
    wait_until(lambda: abs(sum(second.accepted for second in snapshots.curve()) - 400) <= 5)


def test_what_a_job_has_found_is_in_the_metrics(client: FlaskClient) -> None:
    assert 'haggle_finding_ok{finding="audit"}' not in client.get("/metrics").text
    assert client.put("/v1/findings/audit", json=FINDING).status_code == 200
    lines = client.get("/metrics").text.splitlines()
    assert 'haggle_finding_ok{finding="audit"} 0.0' in lines
    assert 'haggle_finding_sequence{finding="audit"} 7.0' in lines
    assert 'haggle_finding_timestamp_seconds{finding="audit"} 1.793534400e+09' in [
        line.replace("1.7935344e+09", "1.793534400e+09") for line in lines
    ]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("other", FINDING, 404),
        ("audit", {**FINDING, "more": 1}, 422),
        ("audit", {**FINDING, "notes": {"long": "x" * 301}}, 422),
        ("audit", {**FINDING, "notes": {str(number): "x" for number in range(11)}}, 422),
        ("audit", {**FINDING, "sequence": -1}, 422),
    ],
)
def test_a_finding_that_does_not_fit_is_refused(client: FlaskClient, path: str, body: Any, status: int) -> None:
    assert client.put(f"/v1/findings/{path}", json=body).status_code == status


def test_the_page_is_open_on_this_machine_alone_and_only_where_it_is_said(redis_server: Redis) -> None:
    def asked(settings: Settings, address: str, host: str = "localhost:8000", **headers: str) -> int:
        where = {"REMOTE_ADDR": address}
        client = create_app(settings).test_client()
        return client.get("/v1/live", environ_base=where, headers={"Host": host, **headers}).status_code

    closed, opened = settings_of(redis_server), settings_of(redis_server, LIVE_PAGE="open")
    assert asked(closed, "127.0.0.1") == 401
    assert asked(opened, "127.0.0.1") == asked(opened, "::1", "[::1]:8000") == 200
    assert asked(opened, "10.0.0.7") == 401
    # a proxy on this machine calls for others; a page elsewhere may let its name lead here
    assert asked(opened, "127.0.0.1", **{"X-Forwarded-For": "10.0.0.7"}) == 401
    assert asked(opened, "127.0.0.1", "evil.example:8000") == 401


def test_a_key_that_may_only_read_may_look_and_a_player_may_not(redis_server: Redis) -> None:
    settings = settings_of(redis_server, READ_KEYS="a-key-that-may-read-only")
    client = client_of(settings)
    client.post("/v1/players", json={"player_class": "farmer"})
    token = (client.post("/v1/players/1/tokens").json or {})["token"]
    assert snapshot(client, Authorization="Bearer a-key-that-may-read-only")["sequence"] == 2
    assert client.get("/v1/live", headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_the_files_of_the_page_need_no_key_and_may_reach_nobody_else(settings: Settings) -> None:
    stranger = create_app(settings).test_client()
    page = stranger.get("/live")
    assert page.status_code == 200
    for name in ("live.js", "live.css", "uPlot-1.6.32.iife.min.js", "uPlot-1.6.32.min.css"):
        assert f"/live/{name}" in page.text
        file = stranger.get(f"/live/{name}")
        assert file.status_code == 200
        assert "default-src 'none'" in file.headers["Content-Security-Policy"]
    assert stranger.get("/live/../app.py").status_code == 404


def test_while_redis_is_away_the_page_shows_what_was_last(
    players: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = players.application.extensions["haggle"]
    trade(players)
    viewer = services.hub.watch(lambda: False)

    def away(_store: Store) -> Any:
        raise Unavailable("store_unavailable", "Redis does not answer")  # type: ignore[arg-type]

    try:
        assert "redis" not in json.loads(next(viewer)[6:])["missing"]
        monkeypatch.setattr(Store, "backlog", away)
        wait_until(lambda: "redis" in (found := json.loads(next(viewer)[6:]))["missing"] and len(found["trades"]) == 1)
    finally:
        viewer.close()


# ---------------------------------------------------------------- on a real socket


@pytest.fixture
def engine(settings: Settings) -> Iterator[str]:
    # where the streams would be nobody listens
    with served(settings, LIVE_PAGE="open", STREAMS_METRICS_PORT=str(free_port()), ENGINE_DRAIN_S="20") as port:
        yield f"http://127.0.0.1:{port}"


def events(answer: requests.Response) -> Generator[dict[str, Any]]:
    for line in answer.iter_lines(chunk_size=1):
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def test_a_trade_is_in_the_stream_soon_after_it_was_answered(engine: str) -> None:
    with requests.Session() as game, requests.get(f"{engine}/v1/live", headers=STREAM, stream=True, timeout=20) as page:
        game.headers.update(AUDITS)
        for player_class in ("farmer", "banker"):
            game.post(f"{engine}/v1/players", json={"player_class": player_class}, timeout=20)
        assert page.headers["Content-Type"].startswith("text/event-stream")
        snapshots = events(page)
        assert len(next(snapshots)["seconds"]) == 300
        body = {"player_1": {"player_id": 1, "gold": 3}, "player_2": {"player_id": 2}}
        sequence = game.post(f"{engine}/v1/trades", json=body, timeout=20).json()["trade"]["sequence"]
        following = [next(snapshots) for _ in range(3)]
        assert any(each["trades"] and each["trades"][0]["sequence"] == sequence for each in following)
        assert len(following[0]["seconds"]) == 5


def test_those_who_look_hold_up_neither_trades_nor_a_stop(settings: Settings) -> None:
    with ExitStack() as stack:
        with served(settings, LIVE_PAGE="open", ENGINE_DRAIN_S="20") as port:
            pages = [
                stack.enter_context(
                    requests.get(f"http://127.0.0.1:{port}/v1/live", headers=STREAM, stream=True, timeout=20)
                )
                for _ in range(50)
            ]
            streams = [events(page) for page in pages]
            assert {next(stream)["realm"] for stream in streams} == {settings.realm}
            assert requests.get(f"http://127.0.0.1:{port}/v1/items", timeout=5).status_code == 200
            metrics = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
            assert "haggle_live_viewers 50.0" in metrics
            started = time.monotonic()
        assert time.monotonic() - started < 8


def test_who_leaves_gives_the_place_back(settings: Settings) -> None:
    with served(settings, LIVE_PAGE="open", LIVE_VIEWERS="1", ENGINE_WORKERS="1") as port:
        url = f"http://127.0.0.1:{port}/v1/live"
        with requests.get(url, headers=STREAM, stream=True, timeout=20) as page:
            next(stream := events(page))
            refused = requests.get(url, headers=STREAM, timeout=20)
            assert (refused.status_code, refused.json()["reason"]) == (429, "rate_limited")
            stream.close()

        def is_let_in() -> bool:
            with requests.get(url, headers=STREAM, stream=True, timeout=20) as again:
                return again.status_code == 200

        wait_until(is_let_in)
