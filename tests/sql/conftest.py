"""A table of events for golden tests, beside the lake of the shared stack."""

import uuid

import pytest

from jobs.lake.trino import Lake
from jobs.local.stack import Stack
from tests.conftest import GOLDEN
from tests.sql.events import Events


@pytest.fixture(scope="session")
def golden(stack: Stack) -> Events:
    """One schema for all tests, since making one takes longer than most tests."""
    return Events(Lake(stack.settings()), f"{GOLDEN}.golden_{uuid.uuid4().hex[:12]}")


@pytest.fixture
def events(golden: Events) -> Events:
    """The table, empty, with its views."""
    golden.clear()
    return golden
