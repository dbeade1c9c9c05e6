"""What `haggle top` counts between two looks."""

import pytest

from jobs.cli.top import _Usage


def test_processor_time_is_told_in_percent_of_a_core_since_the_look_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([100.0, 102.0, 104.0])
    monkeypatch.setattr("jobs.cli.top.time.monotonic", lambda: next(now))
    usage = _Usage()
    assert usage.percents({"redis": 5.0, "kafka": 8.0}) == {}
    # one that has started anew has used less than before
    assert usage.percents({"redis": 6.0, "kafka": 0.5, "trino": 3.0}) == {"redis": 50.0}
