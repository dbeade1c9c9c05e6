"""The folder of reports: how many are kept, by number and by bytes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.report.shelf import shelf_name, tidy

START = datetime(2026, 2, 27, 23, 59, 58, tzinfo=UTC)
SIZE = 1_000


def make(shelf: Path, number: int) -> str:
    """The name of a report that is made now."""
    folder = shelf / shelf_name(START + timedelta(seconds=number))
    folder.mkdir()
    (folder / "report.html").write_bytes(bytes(SIZE))
    return folder.name


def kept(shelf: Path) -> list[str]:
    return sorted(path.name for path in shelf.iterdir() if path.name != "newest")


@pytest.mark.parametrize(("keep", "keep_bytes", "left"), [(3, 100 * SIZE, 3), (100, 4 * SIZE, 4), (5, SIZE // 2, 1)])
def test_the_shelf_keeps_the_newest_reports_by_number_and_by_bytes(
    tmp_path: Path, keep: int, keep_bytes: int, left: int
) -> None:
    names = []
    for number in range(10):
        names.append(make(tmp_path, number))
        tidy(tmp_path, keep, keep_bytes, 30)
        assert (tmp_path / "newest").resolve().name == names[-1]
    assert kept(tmp_path) == names[-left:]


def test_what_is_not_a_report_stays(tmp_path: Path) -> None:
    (tmp_path / "2026-notes").mkdir()
    (tmp_path / "2026-02-27-235958").mkdir()
    tidy_names = [make(tmp_path, number) for number in range(3)]
    tidy(tmp_path, 1, SIZE, 30)
    assert kept(tmp_path) == ["2026-02-27-235958", tidy_names[-1], "2026-notes"]


def test_no_report_is_kept_beyond_the_day_by_which_players_are_forgotten(tmp_path: Path) -> None:
    names = [make(tmp_path, day * 86_400) for day in range(5)]
    tidy(tmp_path, 100, 100 * SIZE, 3)
    assert kept(tmp_path) == names[1:]
