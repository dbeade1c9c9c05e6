"""A headless Chromium, that of the machine, for tests of pages: they are skipped where there is none, but not in CI."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser, which all tests share; `looking_at` of tests/browser/looking.py opens a page in it."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        complaint = "no browser is on PATH; install one, such as with `sudo apt-get install chromium`"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(complaint)
    with sync_playwright() as playwright:
        # a container has no GPU, and little of /dev/shm
        chromium = playwright.chromium.launch(executable_path=path, args=["--disable-gpu", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()
