"""The report and the index of reports, as a browser shows and prints them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pypdfium2
import pytest
from playwright.sync_api import Browser
from werkzeug.serving import make_server

from app.settings import load_settings
from jobs.report.questions import QUESTIONS
from jobs.report.render import write_index, write_report
from jobs.report.serve import create_app
from jobs.report.shelf import shelf_name, tidy
from tests.browser.looking import (
    DESKTOP,
    LOOKS,
    PHONE,
    SCREENSHOTS,
    Colour,
    Look,
    contrast,
    faults_of_accessibility,
    is_wider_than_shown,
    looking_at,
    screenshot,
)
from tests.reports import busy_report

LEAST_TEXT_PX = 9
READ_KEY = "a-key-that-only-reads"
EACH_LOOK = pytest.mark.parametrize("look", LOOKS, ids=str)
EACH_PAGE = pytest.mark.parametrize("page_name", ["report", "index"])
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
TEXTS = """
[...document.querySelectorAll("main svg")].map(svg => ({
  name: svg.closest("section").id,
  texts: [...svg.querySelectorAll("text")].map(text => {
    const scale = text.getScreenCTM(), box = text.getBoundingClientRect(), frame = svg.getBoundingClientRect()
    const style = getComputedStyle(text)
    return {
      words: text.textContent.trim(),
      px: parseFloat(style.fontSize) * Math.hypot(scale.a, scale.b),
      fill: style.fill,
      isUpright: Math.abs(scale.b) < 1e-6,
      outside: Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom),
    }
  }),
}))
"""
"""Of each figure, its text: how large it is, and by how many pixels it stands outside."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A shelf with two reports, by page."""
    shelf = tmp_path_factory.mktemp("shelf")
    before, newest = (shelf / shelf_name(datetime(2026, 8, day, tzinfo=UTC)) for day in (24, 25))
    write_report(busy_report(20), before, before)
    page, _ = write_report(busy_report(24), newest, before)
    write_index(shelf, tidy(shelf, keep=2, keep_bytes=10**9, keep_days=30))
    return {"report": page, "index": shelf / "index.html"}


@EACH_PAGE
@EACH_LOOK
def test_a_page_is_accessible_fits_its_screen_and_asks_for_nothing_else(
    browser: Browser, pages: dict[str, Path], look: Look, page_name: str
) -> None:
    url = pages[page_name].as_uri()
    with looking_at(browser, look, url) as seen:
        screenshot(seen.page, f"{page_name}-{look}")
        assert not is_wider_than_shown(seen.page)
        assert faults_of_accessibility(seen.page) == []
        # with all tables and all SQL open
        assert not is_wider_than_shown(seen.page)
        assert (seen.requests, seen.complaints) == ([url], [])


@EACH_LOOK
def test_the_text_of_a_figure_is_within_it_large_enough_and_in_contrast_to_the_page(
    browser: Browser, pages: dict[str, Path], look: Look
) -> None:
    with looking_at(browser, look, pages["report"].as_uri()) as seen:
        figures = seen.page.evaluate(TEXTS)
        behind = colour(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert [figure["name"] for figure in figures] == [question.name for question in QUESTIONS]
    for figure in figures:
        assert figure["texts"], figure["name"]
        for text in figure["texts"]:
            assert text["px"] >= LEAST_TEXT_PX, (figure["name"], text)
            assert text["outside"] <= 1, (figure["name"], text)
            assert contrast(colour(text["fill"]), behind) >= 4.5, (figure["name"], text)


def test_page_and_figures_have_other_colours_in_the_dark(browser: Browser, pages: dict[str, Path]) -> None:
    seen: dict[str, tuple[Any, set[Colour]]] = {}
    for look in (DESKTOP, DESKTOP._replace(scheme="dark")):
        with looking_at(browser, look, pages["report"].as_uri()) as page:
            figure = page.page.locator("#q_most_traded_item svg")
            inks = figure.evaluate("svg => getComputedStyle(svg.querySelector('path[style*=\"--ink\"]')).fill")
            place = figure.bounding_box()
            assert place
            picture = screenshot(page.page, f"report-{look}")
            left, top = round(place["x"]), round(place["y"])
            drawn = picture.crop((left, top, left + round(place["width"]), top + round(place["height"])))
            common = sorted(drawn.getcolors(2**24) or [], reverse=True)[:2]
            seen[look.scheme] = (colour(inks), {found for _, found in common})  # type: ignore[misc]
    (light_ink, light), (dark_ink, dark) = seen["light"], seen["dark"]
    # most of the picture is the page behind it and the bars in front
    assert light == {WHITE, light_ink}
    assert dark_ink in dark
    assert not light & dark
    assert max(map(sum, dark - {dark_ink})) < 3 * 64


@pytest.mark.parametrize("scheme", ["light", "dark"])
@EACH_PAGE
def test_a_page_is_printed_black_on_white_whatever_the_screen_shows(
    browser: Browser, pages: dict[str, Path], page_name: str, scheme: Any
) -> None:
    look = Look("paper", 700, 1000, scheme)
    with looking_at(browser, look, pages[page_name].as_uri(), is_print=True) as seen:
        picture = screenshot(seen.page, f"{page_name}-print-{scheme}")
        assert max(picture.getcolors(2**24) or [])[1] == WHITE
        written = seen.page.evaluate("getComputedStyle(document.querySelector('h1')).color")
        assert colour(written) == BLACK
        assert not is_wider_than_shown(seen.page)
        assert faults_of_accessibility(seen.page) == []


def test_on_paper_each_figure_stands_on_one_page_with_its_answer_and_says_where_the_rows_are(
    browser: Browser, pages: dict[str, Path]
) -> None:
    with looking_at(browser, DESKTOP, pages["report"].as_uri()) as seen:
        figures = seen.page.evaluate(TEXTS)
        answers = seen.page.locator("section:has(svg) .answer").all_inner_texts()
        rows = {each.name: seen.page.locator(f"#{each.name} tbody tr").count() for each in QUESTIONS}
        paper = seen.page.pdf(path=SCREENSHOTS / "report.pdf", format="A4")
    document = pypdfium2.PdfDocument(paper)
    sheets = [packed(sheet.get_textpage().get_text_range()) for sheet in document]
    for number, sheet in enumerate(document):
        sheet.render(scale=2).to_pil().save(SCREENSHOTS / f"report-paper-{number + 1}.png")
    assert 1 < len(sheets) <= len(QUESTIONS)
    for figure, answer in zip(figures, answers, strict=True):
        (sheet,) = [sheet for sheet in sheets if f"{figure['name']}.csv" in sheet]
        assert packed(answer).lower() in sheet.lower()
        # of what is turned, the letters come out in the order of their places
        for text in figure["texts"]:
            assert not text["isUpright"] or packed(text["words"]) in sheet, figure["name"]
        # a few rows are printed, and of many how many there are
        assert rows[figure["name"]] <= 6 or f"Table:{rows[figure['name']]}" in sheet or "thefirst50shown" in sheet
    assert not any("selectrealm" in sheet for sheet in sheets), "SQL is printed"


@pytest.fixture
def served(pages: dict[str, Path]) -> Iterator[str]:
    """The shelf as it is served, with all its headers."""
    settings = load_settings({"REPORT_SHELF": str(pages["index"].parent), "READ_KEYS": READ_KEY})
    server = make_server("127.0.0.1", 0, create_app(settings))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.mark.parametrize("look", [PHONE, DESKTOP], ids=str)
def test_a_page_looks_served_as_it_looks_as_a_file_and_leads_to_all_others(
    browser: Browser, pages: dict[str, Path], served: str, look: Look
) -> None:
    with looking_at(browser, look, pages["report"].as_uri()) as seen:
        as_file = screenshot(seen.page, f"report-{look}")
    login: Any = {"username": "anybody", "password": READ_KEY}
    with looking_at(browser, look, f"{served}/", http_credentials=login) as seen:
        assert seen.page.url == f"{served}/newest/report.html"
        assert screenshot(seen.page, f"report-served-{look}").tobytes() == as_file.tobytes()
        seen.page.get_by_text("All reports").click()
        seen.page.get_by_role("link", name="2026-08-24 00:00").click()
        assert seen.page.url == f"{served}/2026-08-24T000000Z/report.html"
        assert seen.complaints == []
        assert set(seen.requests) == {
            f"{served}/",
            f"{served}/newest/report.html",
            f"{served}/index.html",
            f"{served}/2026-08-24T000000Z/report.html",
        }


def colour(text: str) -> Colour:
    """What a browser calls rgb(1, 2, 3)."""
    red, green, blue = (int(number) for number in re.findall(r"\d+", text)[:3])
    return red, green, blue


def packed(text: str) -> str:
    """Without spaces, which a printed line breaks at."""
    return re.sub(r"\s", "", text)
