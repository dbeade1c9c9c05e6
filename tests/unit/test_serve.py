"""The server of reports: the newest first, every file of the shelf, and nothing else."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.auth import Authenticator
from app.errors import SettingsError
from app.settings import load_settings
from jobs.report.serve import create_app
from jobs.report.shelf import shelf_name, tidy

KEY = "a-key-that-may-read-only"
TOKEN_KEY = "a-token-key-of-the-tests-that-is-long-enough"


def client_of(shelf: Path, **more: str) -> FlaskClient:
    settings = {"AUTHENTICATION": "off", "REPORT_SHELF": str(shelf), **more}
    return create_app(load_settings(settings)).test_client()


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (f"Bearer {KEY}", 404),
        (basic(KEY), 404),
        (basic("another"), 401),
        ("Bearer another", 401),
        ("Bearer", 401),
        (basic(""), 401),
        ("Basic x", 401),
        ("", 401),
    ],
)
def test_nobody_looks_without_a_key_of_the_engine(tmp_path: Path, shown: str, status: int) -> None:
    client = client_of(tmp_path, AUTHENTICATION="on", READ_KEYS=KEY)
    for path in ("/", "/newest/report.html"):
        answer = client.get(path, headers={"Authorization": shown})
        assert answer.status_code == status
        # a browser asks for a password
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert client.get("/livez").status_code == client.get("/readyz").status_code == 200


def test_a_players_token_is_no_key(tmp_path: Path) -> None:
    keys = {"AUTHENTICATION": "on", "SERVICE_KEYS": KEY, "TOKEN_KEYS": TOKEN_KEY}
    token, _ = Authenticator(load_settings(keys)).token(1)
    answer = client_of(tmp_path, **keys).get("/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_a_server_that_should_ask_for_keys_and_knows_none_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="READ_KEYS"):
        client_of(tmp_path, AUTHENTICATION="on")


def test_a_page_may_run_nothing_and_reach_nobody(tmp_path: Path) -> None:
    headers = client_of(tmp_path).get("/").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "private, no-cache"


def test_the_root_leads_to_the_newest_report_which_stays_under_its_own_name_too(tmp_path: Path) -> None:
    for day in (1, 2):
        name = shelf_name(datetime(2026, 11, day, tzinfo=UTC))
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.html").write_text(f"day {day}")
        tidy(tmp_path, keep=10, keep_bytes=10**6, keep_days=30)
    client = client_of(tmp_path)
    assert client.get("/", follow_redirects=True).text == "day 2"
    assert client.get("/2026-11-01T000000Z/report.html").text == "day 1"


def test_without_a_report_it_is_said_that_there_is_none(tmp_path: Path) -> None:
    answer = client_of(tmp_path).get("/")
    assert answer.status_code == 404
    assert "no report yet" in answer.text


def test_it_is_ready_while_the_shelf_can_be_read_and_alive_anyway(tmp_path: Path) -> None:
    assert client_of(tmp_path).get("/readyz").status_code == 200
    gone = client_of(tmp_path / "gone")
    assert (gone.get("/readyz").status_code, gone.get("/livez").status_code) == (503, 200)


def test_nothing_outside_the_shelf_is_served(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "shelf").mkdir()
    client = client_of(tmp_path / "shelf")
    for path in ("/../secret", "/%2e%2e/secret", "/..%2fsecret", "//etc/passwd"):
        assert client.get(path).status_code == 404
