"""The server of reports: the newest first, every file of the shelf, and nothing else."""

from datetime import UTC, datetime
from pathlib import Path

from flask.testing import FlaskClient

from jobs.report.serve import create_app
from jobs.report.shelf import shelf_name, tidy


def client_of(shelf: Path) -> FlaskClient:
    return create_app(shelf).test_client()


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
