"""What was answered with 2xx is on disk: a killed Redis comes back with it."""

from pathlib import Path

from tests.conftest import Realm, Redis, client_of, settings_of


def test_an_answered_trade_survives_kill_9_of_redis(tmp_path: Path) -> None:
    server = Redis(tmp_path)
    try:
        settings = settings_of(server)
        client = client_of(settings)
        for _ in range(2):
            client.put("/create_player")
        body = {"trade_id": "t", "player_1": {"player_id": 1, "gold": 7}, "player_2": {"player_id": 2}}
        assert client.post("/v1/trades", json=body).status_code == 201
        before = Realm(settings).snapshot()
        server.kill()
        assert client.post("/v1/trades", json=body).status_code == 503
        server.start()
        assert Realm(settings).snapshot() == before
        repeated = client.post("/v1/trades", json=body)
        assert repeated.headers["Idempotent-Replayed"] == "true"
        assert Realm(settings).snapshot() == before
    finally:
        server.kill()
