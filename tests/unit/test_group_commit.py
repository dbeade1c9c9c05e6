"""Group commit: who shares a call, in which order, and who shares its failure."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from app.contract.reasons import Problem
from app.errors import Unavailable
from app.store.group_commit import GroupCommit
from tests.conftest import wait_until


class Calls:
    """A call that waits until it is let go, and doubles each request; 13 is a defect, 14 finds nobody there."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.go = threading.Event()

    def __call__(self, requests: Sequence[int]) -> list[int]:
        self.seen.append(list(requests))
        assert self.go.wait(20)
        if 13 in requests:
            raise ValueError("a defect")
        if 14 in requests:
            raise Unavailable(Problem.STORE_UNAVAILABLE, "nobody there")
        return [2 * request for request in requests]


def is_waiting(group: GroupCommit[int, int], number: int) -> bool:
    return len(group._waiting) == number  # noqa: SLF001


def test_what_comes_while_a_call_is_under_way_shares_the_next_ones_in_order() -> None:
    calls = Calls()
    group = GroupCommit(calls, limit=3)
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(group.carry_out, 0)]
        wait_until(lambda: calls.seen)
        for number in range(1, 6):
            results.append(pool.submit(group.carry_out, number))
            wait_until(partial(is_waiting, group, number))
        calls.go.set()
        assert [result.result() for result in results] == [0, 2, 4, 6, 8, 10]
    assert calls.seen == [[0], [1, 2, 3], [4, 5]]


def test_a_request_without_company_does_not_wait() -> None:
    calls = Calls()
    calls.go.set()
    group = GroupCommit(calls, limit=3)
    assert [group.carry_out(number) for number in (1, 2)] == [2, 4]
    assert calls.seen == [[1], [2]]


@pytest.mark.parametrize(("bad", "error", "others"), [(13, ValueError, 4), (14, Unavailable, None)])
def test_a_failed_call_fails_its_requests_and_without_redis_those_behind_it(
    bad: int, error: type[Exception], others: int | None
) -> None:
    calls = Calls()
    group = GroupCommit(calls, limit=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(group.carry_out, bad)
        wait_until(lambda: calls.seen)
        behind = pool.submit(group.carry_out, 2)
        wait_until(partial(is_waiting, group, 1))
        calls.go.set()
        with pytest.raises(error):
            first.result()
        if others is None:
            with pytest.raises(error):
                behind.result()
        else:
            assert behind.result() == others
    assert group.carry_out(5) == 10
