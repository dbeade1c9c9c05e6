"""Ends offers whose time is over, or of which a player was forgotten; what they held is free again.

The engine ends those that it comes upon itself.
"""

import logging
from typing import Final

from prometheus_client import Counter

from app.errors import Unavailable
from app.store import Store

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 100

EXPIRED: Final = Counter("haggle_offers_expired", "Offers whose time was over")


def expire_offers(store: Store) -> None:
    """Ends those that are to end; while Redis is away they stay due."""
    try:
        while ended := store.offers.expire(_AT_ONCE):
            EXPIRED.inc(ended)
            _log.info("offers have expired", extra={"context": {"offers": ended}})
        # some now, the others when it is called again: a full outbox takes none
        store.players.close_accounts(_AT_ONCE)
    except Unavailable as error:
        _log.warning("offers cannot end now", extra={"context": {"error": str(error)}})
