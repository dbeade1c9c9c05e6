"""How tests look at a page: as a phone or a desktop shows it, light or dark, and as it is printed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Literal, NamedTuple

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests import ROOT

SCREENSHOTS = ROOT / "build" / "screenshots"
NO_BROWSER = "no browser is on PATH; install one, such as with `sudo apt-get install chromium`"
Colour = tuple[int, int, int]
_NAMES = ("chromium", "chromium-browser", "google-chrome")


class Look(NamedTuple):
    """What a page is looked at with."""

    device: str
    width: int
    height: int
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        return f"{self.device}-{self.scheme}"


PHONE = Look("phone", 390, 844, "light")
DESKTOP = Look("desktop", 1280, 900, "light")
LOOKS = [look._replace(scheme=scheme) for look in (PHONE, DESKTOP) for scheme in ("light", "dark")]


class Seen(NamedTuple):
    """An open page, what it has asked for, and what its console said."""

    page: Page
    requests: list[str]
    complaints: list[str]


@contextmanager
def chromium() -> Iterator[Browser | None]:
    """The machine's own browser, without a window; None if it has none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        yield None
        return
    with sync_playwright() as playwright:
        # a container has no GPU, and little of /dev/shm
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextmanager
def looking_at(browser: Browser, look: Look, url: str, *, is_print: bool = False, **options: Any) -> Iterator[Seen]:
    """Opens a page; `options` are those of playwright's `new_context`."""
    size: Any = {"width": look.width, "height": look.height}
    mobile = look.device == "phone"
    context = browser.new_context(viewport=size, color_scheme=look.scheme, is_mobile=mobile, **options)
    page = context.new_page()
    seen = Seen(page, [], [])
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text))
    if is_print:
        page.emulate_media(media="print")
    page.goto(url)
    yield seen
    context.close()


def screenshot(page: Page, name: str) -> Image.Image:
    """The whole page, which people find in build/screenshots too."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return Image.open(BytesIO(page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True))).convert("RGB")


def faults_of_accessibility(page: Page) -> list[str]:
    """What axe finds with all its rules, best practice too, after opening all that can be opened."""
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


def is_wider_than_shown(page: Page) -> bool:
    """Whether one must scroll sideways to see all of a page; what scrolls within it does not count."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def contrast(one: Colour, other: Colour) -> float:
    """The contrast of two colours as WCAG 2 defines it: 1 to 21, and text needs 4.5."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    shares = [value / 255 for value in colour]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
