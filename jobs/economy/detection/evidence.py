"""What SQL says stands out: the rows of sql/detection, whose columns these fields are.

Times are seconds since 1970 (`…_at_s`), prices relative to the item's usual price or to that of the day.
"""

from datetime import datetime
from typing import NamedTuple


class Repeat(NamedTuple):
    """A trade that nearly repeats the one `before` it, between the same two: repeats.sql.

    `is_same`: to the last coin; `is_gift`: nothing was to come back.
    """

    sequence: int
    occurred_at: datetime
    player_1_id: int
    player_2_id: int
    before: int
    after_s: float
    is_same: bool
    is_gift: bool


class Pass(NamedTuple):
    """A lot that was bought (event `bought`) and whose buyer's next trade in the item sold it: passes.sql."""

    bought: int
    sold: int
    bought_at: datetime
    sold_at: datetime
    item_id: int
    quantity: int
    sold_quantity: int
    paid: int
    got: int
    seller: int
    player_id: int
    buyer: int


class Dealings(NamedTuple):
    """What one player's trades with a partner are of all that it trades: dealings.sql."""

    player_id: int
    partner: int
    trades: int
    value: float
    all_trades: int
    all_value: float


class Turn(NamedTuple):
    """A purchase of an item (`units` above 0) or a sale (below), at a price relative to the usual one: turns.sql."""

    sequence: int
    occurred_at: datetime
    item_id: int
    player_id: int
    partner: int
    units: int
    to_usual: float

    @property
    def at_s(self) -> float:
        """When it was."""
        return self.occurred_at.timestamp()


class Rhythm(NamedTuple):
    """How even a player's pauses are within eight days; what follows within `within_s` is one action: rhythm.sql.

    `since` counts four days each from 1970 on; `item_id` is 0 for all it does, -1 for what it asks for,
    and else it is of its sales of that item alone. `longest_h`: hours without a pause of more than one.
    """

    player_id: int
    since: int
    within_s: int
    item_id: int
    pauses: int
    median_s: float
    longest_even: int
    near_median_share: float
    longest_h: float
    active_hours: int


class Reactions(NamedTuple):
    """How many offers a player accepted, how many `at_once`, and how fast those: reactions.sql."""

    player_id: int
    accepted: int
    at_once: int
    after_s: float
