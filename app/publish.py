"""Offers the engine's economy to its realm: `python -m app.publish`; gunicorn runs it before the first worker starts.

Exits with 0 if the realm has it or took it, with 1 and a sentence if the file is bad or the realm refuses it, and with
2 while Redis does not answer or is full: then each worker offers it with its first command.
"""

import logging
import os
import sys
from typing import Final

from app.economy import NOT_NOW, load_economy
from app.errors import CatalogRefused, HaggleError, Unavailable
from app.logs import configure_logs
from app.settings import load_settings
from app.store import Store
from app.store.client import connect

_REFUSED: Final = 1

_log = logging.getLogger(__name__)


def main() -> None:
    """Offers it once."""
    settings = load_settings(os.environ)
    configure_logs(settings.log_level)
    try:
        if Store(connect(settings), settings, load_economy(settings)).is_full():
            sys.exit(NOT_NOW)
    except CatalogRefused as error:
        _log.error("the realm refuses this economy", extra={"context": {"error": error.detail}})
        sys.exit(_REFUSED)
    except Unavailable as error:
        _log.warning("the economy is offered later", extra={"context": {"error": error.detail}})
        sys.exit(NOT_NOW)
    except HaggleError as error:
        _log.error("there is no economy to play", extra={"context": {"error": str(error)}})
        sys.exit(_REFUSED)


if __name__ == "__main__":
    main()
