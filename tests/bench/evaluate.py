"""How well cheats are found that the detectors were not made on: `make evaluate`.

Plans of seeds that nobody looked at are judged by the code that judges a foreign log, at two prevalences. Thresholds
were set on seeds 1 to 10 and on strangers' logs; the seeds here are 31 and up, since 11 to 30 have been judged before.
`--write` puts the tables into docs/economy.md.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from app.contract.economy import reference_economy
from jobs.economy.behaviours.folder import write_plan
from jobs.economy.behaviours.plan import Setting
from jobs.economy.detection import detect
from jobs.economy.evaluation import Evaluation, Judged, Verdict, evaluate
from jobs.economy.log import Innocent, Label, read_log
from jobs.economy.suspect import Suspect
from jobs.lake.cut import Cut
from jobs.lake.local import LocalLake

_DOCS: Final = Path(__file__).parents[2] / "docs" / "economy.md"
_BEGIN: Final = "<!-- made by `make evaluate`; do not edit -->"
_END: Final = "<!-- end -->"
_APART: Final = 1_000_000
"""Between the players of one log and those of the next, when several are judged together."""


def judge(seed: int, prevalence: float) -> Judged:
    """The truth and the suspects of one plan."""
    with tempfile.TemporaryDirectory() as folder:
        write_plan(reference_economy(), Setting(seed=seed, prevalence=prevalence), Path(folder))
        log = read_log(Path(folder))
        lake = LocalLake(threads=1)
        lake.load(log.events)
        return Judged(len(log.players), log.labels, log.innocents, detect(lake, Cut(log.realm, log.sequence)))


def together(logs: Iterable[Judged]) -> Evaluation:
    """Several logs judged as one."""
    players, labels, innocents, suspects = 0, list[Label](), list[Innocent](), list[Suspect]()
    for number, log in enumerate(logs):
        shift = number * _APART
        players += log.players
        labels += [_moved(label, shift, f"{number} ") for label in log.labels]
        innocents += [Innocent(each.player_id + shift, each.kind) for each in log.innocents]
        suspects += [
            Suspect(
                player_id=s.player_id + shift, cheat=s.cheat, score=s.score, since=s.since, why=s.why, trades=s.trades
            )
            for s in log.suspects
        ]
    suspects.sort(key=lambda suspect: -suspect.score)
    return evaluate(Judged(players, labels, innocents, suspects))


def _moved(label: Label, shift: int, log: str) -> Label:
    return Label(label.player_id + shift, label.cheat, label.role, log + label.instance, label.evasive)


def tables(evaluation: Evaluation, seeds: Sequence[int]) -> Iterator[str]:
    """An evaluation as Markdown."""
    yield f"**{evaluation.prevalence:.2%} of the players are to be found**, seeds {seeds[0]} to {seeds[-1]}:"
    yield ""
    yield "| | to find | found | missed | wrongly flagged | precision | recall | recall, evasive | instances found |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    yield _row("all", evaluation.overall)
    for cheat, verdict in evaluation.cheats.items():
        yield _row(cheat.replace("_", " "), verdict)
    yield ""
    first = "; ".join(f"{k}: {share}" for k, share in evaluation.precision_at.items())
    yield f"Precision among the first suspects of all seeds, the gravest first: {first}."
    yield ""
    yield "| innocent | players | flagged |"
    yield "| --- | --- | --- |"
    for kind, each in evaluation.innocent.items():
        yield f"| {kind.replace('_', ' ')} | {each.players:,} | {each.flagged:,} |"


def _row(name: str, verdict: Verdict) -> str:
    counts = (verdict.labelled, verdict.found, verdict.missed, verdict.wrongly_flagged)
    shares = (verdict.precision, verdict.recall, verdict.evasive_recall)
    cells = (name, *(f"{count:,}" for count in counts), *(str(share) for share in shares))
    return f"| {' | '.join(cells)} | {verdict.instances_found:,} of {verdict.instances:,} |"


def write(text: str) -> None:
    """Puts the tables into the page."""
    page = _DOCS.read_text()
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    _DOCS.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}")


def main() -> None:
    """Judges, prints, and writes if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=31, help="first seed")
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--prevalences", type=float, nargs="+", default=[0.02, 0.002])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/economy.md")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    parts = []
    with ProcessPoolExecutor(2) as pool:
        for prevalence in options.prevalences:
            logs = list(pool.map(judge, seeds, [prevalence] * len(seeds)))
            parts.append("\n".join(tables(together(logs), seeds)))
            print(parts[-1], end="\n\n", flush=True)
    if options.write:
        write("\n\n".join(parts))


if __name__ == "__main__":
    main()
