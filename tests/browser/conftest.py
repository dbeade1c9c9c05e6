"""A headless Chromium, that of the machine, for tests of pages: they are skipped where there is none, but not in CI."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.looking import NO_BROWSER, chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser, which all tests share; `looking_at` of tests/browser/looking.py opens a page in it."""
    with chromium() as found:
        if found is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_BROWSER)
        yield found
