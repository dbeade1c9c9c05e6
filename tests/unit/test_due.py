"""What maintenance finds to do: tiers that grow in log steps, days that are over, tags, and ages of checkpoints."""

import itertools
from datetime import UTC, date, datetime, timedelta

from jobs.lake import due
from jobs.lake.due import Day, Tier

MIB = 2**20
SIZES = due.limits(128 * MIB)
TODAY = date(2026, 11, 25)


def day_of(sizes: list[int], day: date = TODAY) -> Day:
    tiers = [Tier()] * (len(SIZES) + 1)
    for size in sizes:
        place = due.tier_of(size, SIZES)
        tiers[place] = Tier(tiers[place].files + 1, tiers[place].size_bytes + size)
    return Day(day, tiers)


def test_each_tier_is_eight_times_the_one_before_and_the_last_ends_where_a_file_is_full() -> None:
    assert SIZES[-1] == 96 * MIB
    assert all(above // below == due.FAN_IN for below, above in itertools.pairwise(SIZES))
    assert SIZES[0] <= 32 * 1024


def test_seven_small_files_are_left_alone_and_eight_are_merged() -> None:
    assert due.merge_below(day_of([15_000] * 7), SIZES) is None
    assert due.merge_below(day_of([15_000] * 8), SIZES) == SIZES[0]


def test_files_of_a_higher_tier_are_left_alone_by_a_merge_of_small_ones() -> None:
    below = due.merge_below(day_of([15_000] * 300 + [MIB] * 3), SIZES)
    assert below is not None
    assert below < MIB


def test_a_merge_that_makes_a_higher_tier_due_merges_both_at_once() -> None:
    # the small ones make the eighth file of a MiB or so
    below = due.merge_below(day_of([15_000] * 40 + [MIB // 2] * 7), SIZES)
    assert below is not None
    assert below > MIB // 2


def test_full_files_are_never_merged() -> None:
    assert due.merge_below(day_of([100 * MIB] * 50), SIZES) is None


def test_over_a_day_each_byte_is_rewritten_about_once_for_each_tier() -> None:
    files: list[int] = []
    came = rewritten = most = 0
    for _ in range(144):  # every ten minutes
        files += [16_000] * 600
        came += 16_000 * 600
        most = max(most, len(files))
        below = due.merge_below(day_of(files), SIZES)
        if below is not None:
            merged = [size for size in files if size < below]
            files = [size for size in files if size >= below] + [sum(merged)]
            rewritten += sum(merged)
    assert most < 600 + len(SIZES) * due.FAN_IN
    assert rewritten / came < len(SIZES)


def test_a_day_is_over_once_it_has_settled_after_midnight_utc() -> None:
    day = date(2026, 11, 24)
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    assert not due.is_over(day, midnight + timedelta(minutes=59), 3_600)
    assert due.is_over(day, midnight + timedelta(minutes=60), 3_600)


def test_a_day_is_compact_when_it_has_hardly_more_files_than_its_size_asks_for() -> None:
    assert due.is_compact(day_of([100 * MIB, 90 * MIB, 10]), 128 * MIB)
    assert due.is_compact(day_of([10] * 5), 128 * MIB)
    assert not due.is_compact(day_of([10] * 6), 128 * MIB)


def test_days_without_a_tag_get_one_unless_it_would_have_gone_by_now() -> None:
    days = [TODAY - timedelta(days=age) for age in (1, 2, 3, 31)]
    tags = {"day-2026-11-23", "somebody's"}
    assert [*due.days_to_tag(days, tags, TODAY, 30)] == [date(2026, 11, 22), date(2026, 11, 24)]


def test_old_checkpoints_go_but_never_the_newest() -> None:
    changed = {"a": 0.0, "b": 50.0, "c": 100.0}
    assert due.old_checkpoints(changed, now=1_000, keep_s=100) == ["a", "b"]
    assert due.old_checkpoints(changed, now=1_000, keep_s=960) == ["a"]
    assert due.old_checkpoints({"a": 0.0}, now=1_000, keep_s=100) == []
    assert due.old_checkpoints({}, now=1_000, keep_s=100) == []
