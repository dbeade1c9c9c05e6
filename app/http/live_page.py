"""The files of the live page. They hold no data: the page asks /v1/live for those, with the key that it is given."""

from pathlib import Path
from typing import Final

from flask import Blueprint, Response, send_from_directory

_FOLDER: Final = Path(__file__).parents[1] / "live" / "page"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

page: Final = Blueprint("live_page", __name__)


@page.get("/live")
def index() -> Response:
    """The page."""
    return file("live.html")


@page.get("/live/<name>")
def file(name: str) -> Response:
    """A file that it needs."""
    response = send_from_directory(_FOLDER, name)
    response.headers.update(_HEADERS)
    return response
