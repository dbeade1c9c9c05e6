"""The keys of a realm. All carry its hash tag, so that a realm lives on one shard."""

from typing import Final, NamedTuple

NAMES_IN_SHARD: Final = 64
"""Players whose names stand in one hash, which Redis packs into a string."""

OF_FUNCTIONS: Final = {
    "SEQUENCE_KEY": "sequence",
    "OUTBOX_KEY": "outbox",
    "PUBLISHED_KEY": "published",
    "PLAYER_PREFIX": "player:",
    "RETAINED_KEY": "retained",
    "DECIDED_PREFIX": "decided:",
    "ANSWERS_PREFIX": "answers:",
    "BATCH_PREFIX": "batch:",
    "OFFER_PREFIX": "offer:",
    "OPEN_OFFERS_PREFIX": "offers:",
    "OFFER_EXPIRY_KEY": "offer_expiry",
    "PLAYER_COUNT_KEY": "players",
    "NAMES_PREFIX": "names:",
    "EXTERNAL_PREFIX": "external:",
    "CATALOG_KEY": "catalog",
    "CATALOG_TAG_KEY": "catalog_tag",
    "CATALOGS_KEY": "catalogs",
    "SUPPLY_KEY": "supply",
    "CLOSING_KEY": "closing",
    "FORGOTTEN_AT_KEY": "forgotten_at",
}
"""The KEYS of every Lua function, in their order, by the names that Lua has for them; an id follows a prefix."""


class Keys(NamedTuple):
    """The keys of a realm that Python uses itself, and those that it hands to Lua."""

    realm: str

    def _key(self, name: str) -> str:
        return f"{{{self.realm}}}:{name}"

    @property
    def sequence(self) -> str:
        """Counts events."""
        return self._key(OF_FUNCTIONS["SEQUENCE_KEY"])

    @property
    def outbox(self) -> str:
        """Stream of events: those that wait for Kafka, and the newest of those that it holds."""
        return self._key(OF_FUNCTIONS["OUTBOX_KEY"])

    @property
    def published(self) -> str:
        """Newest sequence number that Kafka has acknowledged; it never goes back."""
        return self._key(OF_FUNCTIONS["PUBLISHED_KEY"])

    @property
    def topic(self) -> str:
        """Hash of the topic that `published` was acknowledged in: its id, and how many partitions it had."""
        return self._key("topic")

    @property
    def rates(self) -> str:
        """Prefix of what the rate limiter counts."""
        return self._key("rates")

    def revoked(self, player_id: int) -> str:
        """Until when tokens of a player were issued that are no longer good."""
        return self._key(f"revoked:{player_id}")

    @property
    def player_count(self) -> str:
        """Counts players; the newest player's id."""
        return self._key(OF_FUNCTIONS["PLAYER_COUNT_KEY"])

    def player(self, player_id: int | str) -> str:
        """One player, packed."""
        return self._key(f"{OF_FUNCTIONS['PLAYER_PREFIX']}{player_id}")

    def names(self, player_id: int) -> str:
        """Hash of the names of some players, by player_id (lua/players.lua)."""
        return self._key(f"{OF_FUNCTIONS['NAMES_PREFIX']}{player_id // NAMES_IN_SHARD}")

    @property
    def forgotten_at(self) -> str:
        """When a player was forgotten last, in seconds since 1970."""
        return self._key(OF_FUNCTIONS["FORGOTTEN_AT_KEY"])

    @property
    def rewritten_at(self) -> str:
        """When Redis' append-only file was last made anew because of that."""
        return self._key("rewritten_at")

    def finding(self, name: str) -> str:
        """What a job found in the lake last."""
        return self._key(f"finding:{name}")

    @property
    def memory(self) -> str:
        """Hash of what the relay has seen of Redis' memory."""
        return self._key("memory")

    @property
    def of_functions(self) -> tuple[str, ...]:
        """The KEYS of every Lua function."""
        return tuple(self._key(name) for name in OF_FUNCTIONS.values())
