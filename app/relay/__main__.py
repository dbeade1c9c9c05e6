"""The composition root of the relay: `python -m app.relay`, one process per realm."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from kafka.errors import ProducerFencedError

from app.health import serve
from app.logs import configure_logs
from app.relay.expiry import expire_offers
from app.relay.lag import show_lag
from app.relay.loop import BrokenSequence, Relay
from app.relay.retention import Retention
from app.settings import load_settings
from app.store import Store
from app.store.client import connect
from app.store.outbox import Outbox

_log = logging.getLogger(__name__)
_EXPIRY_INTERVAL_S = 1.0
_LAG_INTERVAL_S = 0.5
_RETENTION_INTERVAL_S = 1.0


def main() -> None:
    """Runs until a signal; exits with 1 where going on would lose or double events."""
    settings = load_settings(os.environ)
    configure_logs(settings.log_level)
    client = connect(settings)
    outbox, store = Outbox(client, settings.realm, settings.outbox_keep_events), Store(client, settings)
    relay, retention = Relay(settings, outbox), Retention(client, store, settings)
    serve(relay.readiness, settings.listen_host, settings.relay_metrics_port)
    _repeat("expire-offers", _EXPIRY_INTERVAL_S, lambda: expire_offers(store))
    _repeat("show-lag", _LAG_INTERVAL_S, lambda: show_lag(relay.position, outbox, settings.realm))
    _repeat("retention", _RETENTION_INTERVAL_S, retention.go_on)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: relay.stop())
    try:
        relay.run()
    except ProducerFencedError:
        _log.error("another relay of this realm has taken over")
        sys.exit(1)
    except BrokenSequence as error:
        _log.error("relay refuses to go on", extra={"context": {"error": str(error)}})
        sys.exit(1)


def _repeat(name: str, interval_s: float, work: Callable[[], None]) -> None:
    """Does the work beside the relay, for as long as the process runs."""

    def loop() -> None:
        while True:
            work()
            time.sleep(interval_s)

    threading.Thread(target=loop, name=name, daemon=True).start()


if __name__ == "__main__":
    main()
