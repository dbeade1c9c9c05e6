"""What SQL says stands out: the rows of sql/detection, whose columns these fields are.

Times are seconds since 1970 (`…_at_s`), prices relative to the item's usual price or to that of the day.
"""

from datetime import datetime
from typing import NamedTuple


class Repeat(NamedTuple):
    """A trade that repeats the one `before` it, between the same two: repeats.sql."""

    sequence: int
    occurred_at: datetime
    player_1_id: int
    player_2_id: int
    before: int
    before_at: datetime
    after_s: float


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


class Position(NamedTuple):
    """What a player bought of an item and sold dearer: positions.sql. Shares are of all units sold on those days."""

    item_id: int
    player_id: int
    bought: int
    sold: int
    bought_to_usual: float
    sold_to_usual: float
    bought_to_day: float
    sold_to_day: float
    paid: float
    got: float
    bought_at_s: float
    sold_at_s: float
    bought_share: float
    sold_share: float
    trades: int
    supplier: int
    supplied_share: float


class Rhythm(NamedTuple):
    """How even a player's pauses are within eight days; what follows within `within_s` is one action: rhythm.sql.

    `since` counts four days each from 1970 on.
    """

    player_id: int
    since: int
    within_s: int
    pauses: int
    median_s: float
    longest_even: int
    near_median_share: float
    active_hours: int
