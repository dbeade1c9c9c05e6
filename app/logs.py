"""JSON log lines on standard error, one formatter for app, gunicorn, relay and jobs.

Messages are constants; what varies goes into `extra={"context": {...}}`.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec


class JsonFormatter(logging.Formatter):
    """Renders a record as one JSON object: time, level, logger, message, context, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "context", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure_logs(level: str) -> None:
    """Makes the root logger write JSON lines of at least `level`; called once by each composition root."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("py4j", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # it calls each attempt to connect an error; its callers say in one line what failed
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
