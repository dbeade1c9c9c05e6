"""Serves the shelf of reports over HTTP, read only: `/` leads to the newest, and every report stays under its own name.

Run as `gunicorn 'jobs.report.serve:create_app()'`.
"""

import os
from pathlib import Path

from flask import Flask, Response, redirect, send_from_directory
from werkzeug import Response as AnyResponse

from app.settings import load_settings
from jobs.report.shelf import NEWEST


def create_app(shelf: Path | None = None) -> Flask:
    """The server of a shelf, by default that of REPORT_SHELF."""
    folder = (shelf or Path(load_settings(os.environ).report_shelf)).absolute()
    app = Flask(__name__, static_folder=None)

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
