"""What players do, as a plan says it: each act with its moment in virtual time, and what the rules will say of it.

Players stand by their number in the plan, from 1 in the order of their creation; so do trades, offers and adjustments.
`reason` is why the act will be refused, "" if it will not be: acts are carried out in the order of the plan, in which
every player's are in order, too.
"""

from typing import Final, Literal, NamedTuple

from msgspec import Struct

from app.contract.reasons import AdjustmentReason

OFFER_LASTS_S: Final = 86_400
"""Time until an offer expires; plans end theirs before."""

Lines = tuple[tuple[int, int], ...]
"""Items and their units."""


class Side(NamedTuple):
    """What one player gives."""

    player: int
    gold: int = 0
    items: Lines = ()


class Create(Struct, frozen=True, tag=True, gc=False):
    """A player comes into the game."""

    at_s: float
    player: int
    username: str
    player_class: str


class Trade(Struct, frozen=True, tag=True, gc=False):
    """Two players trade."""

    at_s: float
    number: int
    one: Side
    two: Side
    reason: str


class Adjust(Struct, frozen=True, tag=True, gc=False):
    """The game gives gold and units above 0, and takes those below."""

    at_s: float
    number: int
    player: int
    gold: int
    items: Lines
    why: AdjustmentReason
    reference: str
    reason: str


class MakeOffer(Struct, frozen=True, tag=True, gc=False):
    """The first player offers its side for that of the second."""

    at_s: float
    number: int
    one: Side
    two: Side
    reason: str


class EndOffer(Struct, frozen=True, tag=True, gc=False):
    """An offer is answered; accepted, it is the `number`-th trade, which can be refused: then the offer stays open."""

    at_s: float
    number: int
    offer: int
    answer: Literal["accept", "decline", "cancel"]
    one: Side
    two: Side
    reason: str


Act = Create | Trade | Adjust | MakeOffer | EndOffer


def players_of(act: Act) -> tuple[int, ...]:
    """The numbers of those who take part."""
    if isinstance(act, Create | Adjust):
        return (act.player,)
    return act.one.player, act.two.player
