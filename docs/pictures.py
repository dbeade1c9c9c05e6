# ruff: noqa: INP001 - a script
"""Takes the pictures of docs/pictures, which the README shows: of a game that is played on real servers.

Run as `make pictures`. The servers run in a folder of their own, which is removed at the end.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page

from app.settings import load_settings
from jobs.local.stack import Stack
from tests.browser.looking import NO_BROWSER, chromium

_FOLDER: Final = Path(__file__).parent / "pictures"
_HOME: Final = Path(".haggle-pictures")
_GAME: Final = ("simulate", "--trades", "10000", "--offers", "300", "--rate", "150")
_PLAYERS_S: Final = 300
"""Longest time, in seconds, until the first trade: the players are created before."""
_PLAYED_S: Final = 30
"""Seconds of trades after which the live page has something to show, and the game still goes on."""
_WIDTH_PX, _HEIGHT_PX = 1280, 900
_COLOURS: Final = 128


def main() -> None:
    """Starts the servers, plays, and takes a picture of the live page meanwhile, and of the report in the end."""
    _FOLDER.mkdir(exist_ok=True)
    with chromium() as browser:
        if browser is None:
            sys.exit(NO_BROWSER)
        try:
            _haggle("up")
            _take_all(browser)
        finally:
            _haggle("reset", "--yes")


def _take_all(browser: Browser) -> None:
    with subprocess.Popen(_command(*_GAME)) as game, _opened(browser, _engine_url() + "/live") as page:
        page.wait_for_selector("#trades tr", timeout=1_000 * _PLAYERS_S)
        time.sleep(_PLAYED_S)
        _take(page, "live")
    if game.returncode:
        sys.exit("the game did not end well, so there is nothing to show")
    _haggle("audit")
    report = _HOME.absolute() / "report"
    _haggle("report", "--folder", str(report))
    with _opened(browser, (report / "report.html").as_uri()) as page:
        _take(page, "report")


def _engine_url() -> str:
    return Stack(_HOME, load_settings(os.environ)).settings().engine_url


def _haggle(*words: str) -> None:
    subprocess.run(_command(*words), check=True)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "jobs.cli", "--home", str(_HOME), *words]


@contextmanager
def _opened(browser: Browser, url: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": _WIDTH_PX, "height": _HEIGHT_PX})
    page.goto(url)
    yield page
    page.close()


def _take(page: Page, name: str) -> None:
    """Few colours make a small file, and a page has few."""
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(_COLOURS)
    picture.save(_FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
