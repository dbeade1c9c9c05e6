"""Redis as the store of players, trades, batches, offers and the outbox of events of one realm."""

from contextlib import suppress

from redis import Redis

from app.contract.economy import Economy
from app.contract.events import Event
from app.errors import StoreFull, Unavailable
from app.settings import Settings
from app.store.adjustments import Adjustments
from app.store.batches import Batches
from app.store.catalog import Catalog
from app.store.client import store_errors
from app.store.findings import Findings
from app.store.functions import Functions, FunctionsOfOneConnection
from app.store.keys import Keys
from app.store.memory import Memory, read_memory
from app.store.offers import Offers
from app.store.outbox import Backlog, read_backlog, read_newest
from app.store.players import Players
from app.store.tokens import Tokens
from app.store.trades import Trades


class Store:
    """The stores of one realm. Their methods raise Unavailable when Redis cannot serve them."""

    def __init__(
        self, client: Redis, settings: Settings, economy: Economy | None = None, *, is_new: bool = True
    ) -> None:
        """`economy` is what an engine offers its realm (catalog.py); who shows no items, as the relay, has none."""
        self._client = client
        self._keys = Keys(settings.realm)
        self._decided_keep_s = settings.decided_keep_s
        call = Functions(client, settings).call
        self.catalog = Catalog(call, economy, is_new=is_new) if economy else None
        self._functions = Functions(client, settings, self.catalog)
        functions_of_groups = [FunctionsOfOneConnection(client, settings, self.catalog) for _ in range(2)]
        self.players = Players(client, self._keys, self._functions)
        self.trades = Trades(self._functions, functions_of_groups[0])
        self.adjustments = Adjustments(self._functions, functions_of_groups[1])
        self.batches = Batches(self._functions)
        self.tokens = Tokens(client, self._keys, settings.token_ttl_s)
        self.findings = Findings(client, self._keys)
        self.offers = Offers(self._functions, settings.offers_max_open)

    @property
    def economy(self) -> Economy:
        """The economy that is in force, as an engine's store knows it."""
        assert self.catalog, "only an engine's store knows it"
        return self.catalog.economy

    def economy_in_force(self) -> Economy:
        """The economy that is in force now; before Redis has ever answered, the one that is offered."""
        with suppress(Unavailable):
            self._functions.call("takes_commands")
        return self.economy

    def is_full(self) -> bool:
        """Whether Redis has no room for commands; raises Unavailable while it is away or read-only."""
        try:
            self._functions.call("takes_commands")
        except StoreFull:
            return True
        return False

    def forget_old(self, answers_s: float, most_keys: int) -> int:
        """Removes records and whole answers that are kept no longer; returns how many keys that was."""
        removed: int = self._functions.call("forget_old", self._decided_keep_s, answers_s, most_keys)
        return removed

    def memory(self) -> Memory | None:
        """What the relay has seen of Redis' memory; None before the first time."""
        with store_errors():
            return read_memory(self._client, self._keys)

    def backlog(self) -> Backlog:
        """How far Kafka is behind."""
        with store_errors():
            return read_backlog(self._client, self._keys, None)

    def newest_events(self, after: int, until: int, most: int) -> list[Event]:
        """The newest events above `after` and up to `until`, `most` or a few more, in their order, without names."""
        with store_errors():
            return read_newest(self._client, self._keys, after, until, most)
