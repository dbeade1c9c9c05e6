"""Calls to the engine with a service key."""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import requests

from app.contract.economy import Economy, Item, PlayerClass
from app.errors import HaggleError
from app.settings import Settings

_log = logging.getLogger(__name__)
_TIMEOUT_S: Final = 10


def service_key(settings: Settings) -> str:
    """The first key of the widest scope that there is one of; empty if there is none."""
    kinds = ("service_keys", "trade_keys", "adjust_keys", "report_keys", "read_keys")
    keys = ",".join(getattr(settings, kind) for kind in kinds).split(",")
    return next((key.strip() for key in keys if key.strip()), "")


def headers(settings: Settings) -> dict[str, str]:
    """What a request carries to be the game server's."""
    key = service_key(settings)
    return {"Authorization": f"Bearer {key}"} if key else {}


def get(settings: Settings, path: str) -> Any:
    """The answer to a GET; raises HaggleError if there is none or it is a refusal."""
    return _call(settings, "GET", path)


def find(settings: Settings, path: str) -> Any | None:
    """The answer to a GET; None if there is no such thing. Raises HaggleError as `get` does."""
    response = _response(settings, "GET", path)
    return None if response.status_code == HTTPStatus.NOT_FOUND else _checked(response, "GET", path)


def economy(settings: Settings) -> Economy:
    """The economy that is in force in the realm."""
    items, classes = get(settings, "/v1/items"), get(settings, "/v1/classes")
    return Economy(
        items["catalog_version"],
        classes["max_capacity"],
        {item["item_id"]: Item(**item) for item in items["items"]},
        {each["name"]: PlayerClass(**{**each, "items": units(each["items"])}) for each in classes["classes"]},
    )


def units(lines: Iterable[Mapping[str, int]]) -> dict[int, int]:
    """Units by item_id, of lines of an answer."""
    return {line["item_id"]: line["quantity"] for line in lines}


def post(settings: Settings, path: str, body: object) -> Any:
    """The answer to a POST; raises HaggleError if there is none or it is a refusal."""
    return _call(settings, "POST", path, body)


def tell(settings: Settings, name: str, sequence: int, *, ok: bool = True, notes: Mapping[str, str]) -> None:
    """Tells the engine what a job has found up to an event: app/domain.py, `Finding`.

    The job has done its work without that, so a failure is only logged.
    """
    finding = {"at": datetime.now(UTC).isoformat(), "sequence": sequence, "ok": ok, "notes": dict(notes)}
    try:
        _call(settings, "PUT", f"/v1/findings/{name}", finding)
    except HaggleError as error:
        _log.warning("the engine could not be told", extra={"context": {"finding": name, "error": str(error)}})


def _call(settings: Settings, method: str, path: str, body: object = None) -> Any:
    return _checked(_response(settings, method, path, body), method, path)


def _response(settings: Settings, method: str, path: str, body: object = None) -> requests.Response:
    url = settings.engine_url + path
    try:
        return requests.request(method, url, json=body, headers=headers(settings), timeout=_TIMEOUT_S)
    except requests.RequestException as error:
        raise HaggleError(f"the engine at {settings.engine_url} does not answer {method} {path}: {error}") from error


def _checked(response: requests.Response, method: str, path: str) -> Any:
    if not response.ok:
        raise HaggleError(f"the engine refuses {method} {path}: {response.status_code} {response.text[:300]}")
    return response.json()
