"""The live page in a browser: a trade is on it within a second, it is accessible, and it asks for a key."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from app.settings import Settings
from tests.browser.looking import (
    DESKTOP,
    LOOKS,
    Look,
    faults_of_accessibility,
    is_wider_than_shown,
    looking_at,
    screenshot,
)
from tests.conftest import SERVICE_KEY
from tests.kafka import free_port
from tests.serving import served

SILENT = {"STREAMS_METRICS_PORT": str(free_port())}
"""Nobody listens where the streams would be."""


class Game:
    """Two players that trade over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {SERVICE_KEY}"
        for player_class in ("farmer", "banker"):
            self._post("/v1/players", {"player_class": player_class})

    def trade(self, gold: int = 1) -> int:
        """Gives gold for nothing; returns the trade's sequence number."""
        body = {"player_1": {"player_id": 1, "gold": gold}, "player_2": {"player_id": 2}}
        return int(self._post("/v1/trades", body)["trade"]["sequence"])

    def sell(self) -> None:
        """Something for every panel: a sale, a refusal, an offer, what jobs have found."""
        goods = {"player_id": 1, "items": [{"item_id": 6, "quantity": 1}]}
        self._post("/v1/trades", {"player_1": goods, "player_2": {"player_id": 2, "gold": 9}})
        self._post("/v1/trades", {"player_1": {"player_id": 1, "gold": 2**50}, "player_2": {"player_id": 2}})
        self._post("/v1/offers", {"player_1": goods, "player_2": {"player_id": 2, "gold": 9}})
        for name in ("audit", "report"):
            finding = {"at": "2026-11-01T12:00:00Z", "sequence": 5, "notes": {"most valuable inventory": "player 1"}}
            self._session.put(f"{self.url}/v1/findings/{name}", json=finding, timeout=20)

    def _post(self, path: str, body: object) -> dict[str, dict[str, int]]:
        answer: dict[str, dict[str, int]] = self._session.post(self.url + path, json=body, timeout=20).json()
        return answer


@pytest.fixture
def game(settings: Settings) -> Iterator[Game]:
    with served(settings, LIVE_PAGE="open", **SILENT) as port:
        yield Game(f"http://127.0.0.1:{port}")


def newest(page: Page) -> str:
    return page.locator("#trades tr:first-child td:first-child").inner_text()


def test_a_trade_made_over_http_is_on_the_page_within_a_second(browser: Browser, game: Game) -> None:
    game.trade()
    with looking_at(browser, DESKTOP, f"{game.url}/live") as seen:
        expect(seen.page.locator("#trades tr")).to_have_count(1)
        took_s = []
        for _ in range(5):
            sequence = f"{game.trade():,}"
            answered = time.monotonic()
            seen.page.wait_for_function(
                "sequence => document.querySelector('#trades td').textContent === sequence", arg=sequence, polling=20
            )
            took_s.append(time.monotonic() - answered)
        assert statistics.median(took_s) <= 1, took_s
        assert seen.complaints == []
        assert {url.removeprefix(game.url) for url in seen.requests} == {
            "/live", "/live/live.css", "/live/live.js", "/live/uPlot-1.6.32.min.css", "/live/uPlot-1.6.32.iife.min.js",
            "/v1/live",
        }  # fmt: skip


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_page_is_accessible_and_fits_its_screen(browser: Browser, game: Game, look: Look) -> None:
    game.sell()
    with looking_at(browser, look, f"{game.url}/live") as seen:
        expect(seen.page.locator("#trades tr")).to_have_count(2)
        expect(seen.page.locator("#prices")).to_contain_text("Milk")
        expect(seen.page.locator("#offers")).to_contain_text("made")
        expect(seen.page.locator("#refused")).to_contain_text("insufficient gold")
        expect(seen.page.locator("#holders")).to_contain_text("player 1")
        expect(seen.page.locator("#missing")).to_contain_text("streams do not answer")
        screenshot(seen.page, f"live-{look}")
        assert faults_of_accessibility(seen.page) == []
        assert not is_wider_than_shown(seen.page)


def test_where_it_is_not_open_the_page_asks_for_a_key_and_says_that_one_is_wrong(
    browser: Browser, settings: Settings
) -> None:
    with served(settings, **SILENT) as port:
        game = Game(f"http://127.0.0.1:{port}")
        game.trade()
        with looking_at(browser, DESKTOP, f"{game.url}/live") as seen:
            page = seen.page
            expect(page.get_by_label("needs a service key")).to_be_visible()
            assert faults_of_accessibility(page) == []
            page.get_by_label("needs a service key").fill("a-key-that-nobody-knows")
            page.get_by_role("button").click()
            expect(page.locator("#key-problem")).to_contain_text("Not this one")
            page.get_by_label("needs a service key").fill(SERVICE_KEY)
            page.get_by_role("button").click()
            expect(page.locator("#trades tr")).to_have_count(1)
            expect(page.locator("#key-form")).to_be_hidden()


def test_a_page_whose_engine_went_away_says_so_and_shows_how_it_was(browser: Browser, settings: Settings) -> None:
    with ExitStack() as stack:
        with served(settings, LIVE_PAGE="open", **SILENT) as port:
            game = Game(f"http://127.0.0.1:{port}")
            sequence = f"{game.trade():,}"
            page = stack.enter_context(looking_at(browser, DESKTOP, f"{game.url}/live")).page
            expect(page.locator("#state")).to_contain_text("live")
        expect(page.locator("#state")).to_contain_text("does not answer; this is how it was", timeout=20_000)
        assert newest(page) == sequence
