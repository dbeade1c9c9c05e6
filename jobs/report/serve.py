"""Serves the shelf of reports over HTTP, read only: `/` leads to the newest, and every report stays under its own name.

It asks for one of the keys it was given, those that may read: as a bearer, or of a browser as the password of HTTP
Basic.
Health needs none, and nothing does with AUTHENTICATION=off. Run as `gunicorn 'jobs.report.serve:create_app()'`.
"""

import os
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Flask, Response, redirect, request, send_from_directory
from werkzeug import Response as AnyResponse

from app.auth import ServiceKeys
from app.errors import SettingsError
from app.settings import Settings, load_settings
from jobs.report.shelf import NEWEST

_HEADERS: Final = {
    # a report brings all it needs, and runs nothing
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # `newest` is another report soon, and none is for the caches of proxies
    "Cache-Control": "private, no-cache",
}
_HOW_TO_ASK: Final = "Send a key that may read: as `Authorization: Bearer <key>`, or as the password of any user.\n"


def create_app(given: Settings | None = None) -> Flask:
    """The server of the shelf REPORT_SHELF; raises SettingsError if it should ask for keys and knows none."""
    settings = given or load_settings(os.environ)
    folder = Path(settings.report_shelf).absolute()
    keys = ServiceKeys(settings)
    if settings.authentication == "on" and not keys:
        raise SettingsError(["READ_KEYS is missing; set it, or AUTHENTICATION=off on a machine of your own"])
    app = Flask(__name__, static_folder=None)

    @app.before_request
    def ask_for_key() -> Response | None:
        """Lets nobody look who has no key."""
        if settings.authentication == "off" or request.endpoint in {"live", "ready"} or keys.caller(_key_given()):
            return None
        how = {"WWW-Authenticate": 'Basic realm="haggle", charset="UTF-8"'}
        return Response(_HOW_TO_ASK, HTTPStatus.UNAUTHORIZED, how, mimetype="text/plain")

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    @app.get("/")
    def newest() -> AnyResponse:
        """To the newest report, once there is one."""
        if (folder / NEWEST / "report.html").exists():
            return redirect(f"/{NEWEST}/report.html")
        return Response(
            "There is no report yet; the next one comes when the CronJob runs.\n", 404, mimetype="text/plain"
        )

    @app.get("/<path:name>")
    def file(name: str) -> Response:
        """A file of the shelf."""
        return send_from_directory(folder, name)

    @app.get("/livez")
    def live() -> str:
        return "ok\n"

    @app.get("/readyz")
    def ready() -> Response:
        """Whether the shelf can be read."""
        is_readable = os.access(folder, os.R_OK | os.X_OK)
        return Response("ok\n" if is_readable else f"{folder} cannot be read\n", 200 if is_readable else 503)

    return app


def _key_given() -> str:
    """The bearer, or the password; nothing if there is neither."""
    shown = request.authorization
    if shown is None:
        return ""
    return (shown.token if shown.type == "bearer" else shown.password) or ""
