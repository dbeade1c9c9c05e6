"""Says whether all streaming queries run: exit code 0 if so (`python -m jobs.streams.ready`), for readiness probes.

It asks the Spark web UI of the same machine, where each query has its metrics once it has started.
"""

import json
import os
import sys
from urllib.request import urlopen

from app.contract.tables import TABLES
from app.settings import load_settings


def main() -> None:
    """Exits with 1, naming what is missing, unless every query runs."""
    port = load_settings(os.environ).spark_ui_port
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics/json/", timeout=5) as answer:
            gauges = json.load(answer)["gauges"]
    except OSError as error:
        sys.exit(f"the Spark UI on port {port} does not answer: {error}")
    missing = [table.name for table in TABLES if not any(f".spark.streaming.{table.name}." in name for name in gauges)]
    if missing:
        sys.exit(f"no stream runs into {', '.join(missing)}")


if __name__ == "__main__":
    main()
