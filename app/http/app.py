"""The composition root of the engine (`create_app`): builds what it needs, and makes routes of the operations."""

import os
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request
from flask_swagger_ui import get_swaggerui_blueprint
from werkzeug.exceptions import HTTPException

from app.auth import Authenticator
from app.economy import load_economy
from app.errors import RequestError
from app.http import metrics, openapi, responses
from app.http.guard import Guard
from app.http.live_page import page
from app.http.operations import OPERATIONS
from app.http.routes import Services, view
from app.live.hub import Hub
from app.logs import configure_logs
from app.settings import Settings, load_settings
from app.store import Store
from app.store.client import connect
from app.store.rates import Rates


class _Engine(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: Flask would ask of every function of every request whether it is a coroutine, and none is."""
        return func


def create_app(settings: Settings | None = None, *, is_new: bool = True) -> Flask:
    """The engine, with settings from the environment unless given.

    `is_new` unless this process follows another one of the same engine, which the realm has taken (store/catalog.py).
    """
    settings = settings or load_settings(os.environ)
    configure_logs(settings.log_level)
    client, authenticator = connect(settings), Authenticator(settings)
    store = Store(client, settings, load_economy(settings), is_new=is_new)
    guard = Guard(settings, authenticator, Rates(client, settings.realm), store.tokens)
    services = Services(settings, store, authenticator, guard, Hub(settings, store))
    app = _Engine(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.request_max_bytes
    app.extensions["haggle"] = services
    for operation in OPERATIONS:
        name = f"{operation.method} {operation.path}".replace(".", "_")
        app.add_url_rule(operation.rule, name, view(operation, services), methods=[operation.method])
    _describe(app)
    app.register_blueprint(page)
    app.register_error_handler(RequestError, responses.render_request_error)
    app.register_error_handler(HTTPException, responses.render_http_error)
    app.register_error_handler(Exception, responses.render_defect)
    app.before_request(_start_clock)
    app.before_request(guard.before)
    app.after_request(guard.after)
    app.after_request(_count_request)
    return app


def _describe(app: Flask) -> None:
    """The description of the operations, for programs and to read."""
    app.add_url_rule("/openapi.json", "openapi", lambda: responses.json(200, openapi.description()))
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json", {"app_name": "Haggle engine"}))


def _start_clock() -> None:
    g.started_at = time.perf_counter()


def _count_request(response: Response) -> Response:
    rule = request.url_rule
    route, method = (rule.rule, request.method) if rule else ("none", "none")
    metrics.requests(route, method, response.status_code).observe(time.perf_counter() - g.started_at)
    return response
