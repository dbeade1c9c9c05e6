"""What the tests of faults share: seeds, from which all that is drawn follows, and a stack without a timer of its own.

`--faults-seed` is the first seed and `--faults-rounds` how many: each test runs once with each.
"""

from collections.abc import Iterator

import pytest

from app.settings import Settings
from jobs.lake.trino import Lake
from jobs.local.stack import Stack


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        first = first_seed(metafunc.config)
        metafunc.parametrize("seed", range(first, first + metafunc.config.getoption("--faults-rounds")))


def first_seed(config: pytest.Config) -> int:
    seed: int = config.getoption("--faults-seed")
    return seed


@pytest.fixture(scope="session")
def settings(stack: Stack) -> Settings:
    return stack.settings()


@pytest.fixture(scope="session")
def lake(settings: Settings) -> Lake:
    return Lake(settings)


@pytest.fixture(scope="module")
def without_the_timer(stack: Stack) -> Iterator[None]:
    """No maintenance but a test's own, which would rewrite what a test has in its hands."""
    stack.stop("maintenance")
    yield
    stack.start("maintenance")
