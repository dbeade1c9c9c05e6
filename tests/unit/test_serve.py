"""The server of reports: for whom has a key, the newest first, every file of the shelf, and nothing else."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.auth import Authenticator
from app.errors import SettingsError
from app.settings import load_settings
from jobs.report.serve import create_app
from jobs.report.shelf import shelf_name, tidy

READ_KEY = "a-key-that-only-reads"
KEYS = {"SERVICE_KEYS": "a-service-key-of-all-scopes", "READ_KEYS": f"{READ_KEY}, another-key-that-reads"}
KEYS |= {"TRADE_KEYS": "a-key-that-may-trade", "TOKEN_KEYS": "a-token-key-that-is-long-enough-to-sign"}


def client_of(shelf: Path, **given: str) -> FlaskClient:
    given = given or {"AUTHENTICATION": "off"}
    return create_app(load_settings({"REPORT_SHELF": str(shelf), **given})).test_client()


def shelf_in(folder: Path) -> Path:
    """A shelf with a report of a day."""
    name = shelf_name(datetime(2026, 11, 1, tzinfo=UTC))
    (folder / name).mkdir()
    (folder / name / "report.html").write_text("a report")
    tidy(folder, keep=10, keep_bytes=10**6, keep_days=30)
    return folder


@pytest.mark.parametrize("key", [READ_KEY, "another-key-that-reads", KEYS["SERVICE_KEYS"], KEYS["TRADE_KEYS"]])
def test_a_key_of_the_engine_of_any_scope_opens_the_reports_as_bearer_and_as_a_browsers_password(
    tmp_path: Path, key: str
) -> None:
    client = client_of(shelf_in(tmp_path), **KEYS)
    bearer: dict[str, Any] = {"headers": {"Authorization": f"Bearer {key}"}}
    for shown in (bearer, {"auth": ("anybody", key)}, {"auth": ("", key)}):
        assert client.get("/", follow_redirects=True, **shown).text == "a report"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer nobodys-key-at-all", "Basic", "Basic %%%", f"Digest {READ_KEY}", f"Bearer {READ_KEY}x"],
)
def test_without_a_valid_key_nothing_is_served_and_a_browser_asks_for_one(tmp_path: Path, header: str) -> None:
    client = client_of(shelf_in(tmp_path), **KEYS)
    for path in ("/", "/newest/report.html", "/2026-11-01T000000Z/report.html", "/nothing"):
        answer = client.get(path, headers={"Authorization": header} if header else {})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="haggle"')
        assert "report" not in answer.text
    for login in ((READ_KEY, ""), ("anybody", "nobodys-key-at-all")):
        assert client.get("/", auth=login).status_code == 401


def test_a_players_token_does_not_open_the_reports(tmp_path: Path) -> None:
    token, _ = Authenticator(load_settings(KEYS)).token(7)
    client = client_of(shelf_in(tmp_path), **KEYS)
    assert client.get("/", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert client.get("/", auth=("player", token)).status_code == 401


def test_it_does_not_start_without_a_key_or_with_one_that_is_easily_guessed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="READ_KEYS is missing"):
        client_of(tmp_path, AUTHENTICATION="on")
    with pytest.raises(SettingsError, match="READ_KEYS has a key of fewer than 16"):
        client_of(tmp_path, READ_KEYS="short")


def test_every_answer_says_that_a_page_brings_all_it_needs_and_is_for_no_cache(tmp_path: Path) -> None:
    client = client_of(shelf_in(tmp_path), **KEYS)
    opened = client.get("/newest/report.html", auth=("", READ_KEY))
    for answer in (opened, client.get("/"), client.get("/livez"), client.get("/nothing", auth=("", READ_KEY))):
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "private, no-cache"


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


def test_it_is_ready_while_the_shelf_can_be_read_and_alive_anyway_whoever_asks(tmp_path: Path) -> None:
    assert client_of(tmp_path, **KEYS).get("/readyz").status_code == 200
    gone = client_of(tmp_path / "gone", **KEYS)
    assert (gone.get("/readyz").status_code, gone.get("/livez").status_code) == (503, 200)


def test_nothing_outside_the_shelf_is_served(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "shelf").mkdir()
    client = client_of(tmp_path / "shelf")
    for path in ("/../secret", "/%2e%2e/secret", "/..%2fsecret", "//etc/passwd"):
        assert client.get(path).status_code == 404
