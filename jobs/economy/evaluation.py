"""How well suspects were found: what was flagged beside the truth of a log.

A player is *found* if it is labelled and flagged, whatever the cheat that it is flagged for: a reviewer looks at all
that it did. It is *wrongly flagged* if nobody labelled it. Intervals are Wilson's at 95 %: E. B. Wilson, Probable
inference, the law of succession, and statistical inference, JASA 22 (1927).
"""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from jobs.economy.log import Cheat, Innocent, Label
from jobs.economy.suspect import Suspect

_Z: Final = 1.959964
"""The normal distribution's 97.5 % quantile."""
_REVIEWED: Final = (10, 20, 50)
"""How many suspects a reviewer may have time for."""


class Share(Struct, frozen=True):
    """`of` things, of which `count` are so; from `low` to `high` with 95 % confidence; `value` is null for 0 of 0."""

    count: int
    of: int
    value: float | None
    low: float
    high: float

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        return f"{self.value:.3f} ({self.low:.2f}–{self.high:.2f})"


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of the labelled players of one kind, and of those flagged for it.

    `named`: found, and flagged for the cheat that they are labelled with. Evasive ones are counted apart as well.
    """

    labelled: int
    flagged: int
    found: int
    missed: int
    wrongly_flagged: int
    named: int
    precision: Share
    recall: Share
    evasive_recall: Share
    instances: int
    instances_found: int


class LookAlike(Struct, frozen=True):
    """Innocent players of one kind, and how many of them were flagged."""

    players: int
    flagged: int


class Evaluation(Struct, frozen=True):
    """The judgement of one log, or of several together. `precision_at`: of the first k suspects, by k."""

    players: int
    prevalence: float
    overall: Verdict
    cheats: dict[Cheat, Verdict]
    innocent: dict[str, LookAlike]
    precision_at: dict[int, Share]
    flagged: list[Suspect]


class Judged(Struct, frozen=True):
    """One log's truth and suspects, the most suspicious first. Players of different logs must have different ids."""

    players: int
    labels: list[Label]
    innocents: list[Innocent]
    suspects: list[Suspect]


def evaluate(judged: Judged) -> Evaluation:
    """Compares suspects with the truth."""
    labelled = {label.player_id for label in judged.labels}
    flagged = {suspect.player_id for suspect in judged.suspects}
    kinds: dict[str, set[int]] = {}
    for innocent in judged.innocents:
        kinds.setdefault(innocent.kind, set()).add(innocent.player_id)
    return Evaluation(
        players=judged.players,
        prevalence=len(labelled) / judged.players,
        overall=_verdict(judged.labels, judged.suspects, flagged, labelled),
        cheats={
            cheat: _verdict(
                [label for label in judged.labels if label.cheat == cheat],
                [suspect for suspect in judged.suspects if suspect.cheat == cheat],
                flagged,
                labelled,
            )
            for cheat in Cheat
        },
        innocent={kind: LookAlike(len(players), len(players & flagged)) for kind, players in sorted(kinds.items())},
        precision_at=_precision_at(judged.suspects, labelled),
        flagged=list(judged.suspects),
    )


def _verdict(
    labels: Sequence[Label], suspects: Sequence[Suspect], flagged: AbstractSet[int], labelled: AbstractSet[int]
) -> Verdict:
    """`flagged` and `labelled` are the players of all cheats."""
    to_find = {label.player_id for label in labels}
    evasive = {label.player_id for label in labels if is_evasive(label)}
    suspected = {suspect.player_id for suspect in suspects}
    found = to_find.intersection(flagged)
    right = suspected.intersection(labelled)
    charges = {(suspect.player_id, suspect.cheat) for suspect in suspects}
    named = {label.player_id for label in labels if (label.player_id, label.cheat) in charges}
    return Verdict(
        labelled=len(to_find),
        flagged=len(suspected),
        found=len(found),
        missed=len(to_find) - len(found),
        wrongly_flagged=len(suspected) - len(right),
        named=len(named),
        precision=wilson(len(right), len(suspected)),
        recall=wilson(len(found), len(to_find)),
        evasive_recall=wilson(len(evasive & found), len(evasive)),
        instances=len({label.instance for label in labels}),
        instances_found=len({label.instance for label in labels if label.player_id in found}),
    )


def is_evasive(label: Label) -> bool:
    """Whether those who did it hid it: as the label says, or as a foreign log's role or instance is called."""
    return label.evasive or "evasive" in f"{label.role} {label.instance}".lower()


def _precision_at(suspects: Sequence[Suspect], labelled: AbstractSet[int]) -> dict[int, Share]:
    players = list(dict.fromkeys(suspect.player_id for suspect in suspects))
    return {k: wilson(len(labelled & set(players[:k])), min(k, len(players))) for k in _REVIEWED}


def wilson(count: int, of: int) -> Share:
    """`count` of `of`, with Wilson's interval at 95 %."""
    if not of:
        return Share(0, 0, None, 0.0, 1.0)
    share, weight = count / of, _Z**2 / of
    centre = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(share * (1 - share) / of + weight / (4 * of))
    return Share(count, of, round(share, 4), round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4))
