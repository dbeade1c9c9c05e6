"""Suspects beside the truth, a log in a folder, and the command that judges one."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.errors import HaggleError
from jobs.cli.economy import economy_evaluate
from jobs.economy.evaluation import Judged, evaluate, wilson
from jobs.economy.log import Cheat, Innocent, Label, read_log
from jobs.economy.suspect import Suspect
from tests.game import GOLD, Game


def suspect(player_id: int, cheat: Cheat = Cheat.BOTTING, score: float = 0.9) -> Suspect:
    return Suspect(
        player_id=player_id, cheat=cheat, score=score, since=datetime(2026, 1, 1, tzinfo=UTC), why="", trades=[1]
    )


def label(player_id: int, cheat: Cheat = Cheat.BOTTING, instance: str = "one", *, evasive: bool = False) -> Label:
    return Label(player_id, cheat, "bot", instance, evasive)


# ---------------------------------------------------------------- counting


def test_wilsons_interval_is_that_of_the_literature() -> None:
    share = wilson(9, 10)  # E. B. Wilson's formula; 0.5958 and 0.9821 in R's binom.confint(9, 10, methods = "wilson")
    assert (share.value, share.low, share.high) == (0.9, 0.5958, 0.9821)
    assert (wilson(0, 0).value, wilson(0, 0).low, wilson(0, 0).high) == (None, 0.0, 1.0)


def test_a_player_is_found_if_it_is_flagged_whatever_for_and_named_if_for_its_own_cheat() -> None:
    labels = [label(1), label(2), label(3, Cheat.DUPLICATION, "two")]
    found = evaluate(Judged(100, labels, [], [suspect(1), suspect(3), suspect(9)]))
    assert (found.overall.labelled, found.overall.found, found.overall.missed, found.overall.wrongly_flagged) == (
        3,
        2,
        1,
        1,
    )
    assert (found.overall.precision.count, found.overall.precision.of) == (2, 3)
    duplication = found.cheats[Cheat.DUPLICATION]
    assert (duplication.found, duplication.named, duplication.flagged) == (1, 0, 0)
    botting = found.cheats[Cheat.BOTTING]
    assert (botting.found, botting.missed, botting.wrongly_flagged, botting.instances_found) == (1, 1, 1, 1)


def test_a_player_with_two_suspicions_counts_once() -> None:
    found = evaluate(Judged(100, [label(1)], [], [suspect(1), suspect(1, Cheat.WASH_TRADING)]))
    assert (found.overall.flagged, found.overall.found, found.precision_at[10].of) == (1, 1, 1)


def test_evasive_ones_are_counted_apart_whether_the_label_or_the_name_says_so() -> None:
    labels = [label(1, evasive=True), label(2, instance="botting-7-evasive"), label(3)]
    found = evaluate(Judged(100, labels, [], [suspect(2), suspect(3)]))
    assert (found.overall.evasive_recall.count, found.overall.evasive_recall.of) == (1, 2)


def test_each_kind_of_look_alike_says_how_many_were_flagged() -> None:
    innocents = [Innocent(4, "merchant"), Innocent(5, "merchant"), Innocent(6, "leaver")]
    found = evaluate(Judged(100, [], innocents, [suspect(5)]))
    assert {kind: (each.players, each.flagged) for kind, each in found.innocent.items()} == {
        "merchant": (2, 1),
        "leaver": (1, 0),
    }


def test_the_first_suspects_are_the_gravest() -> None:
    suspects = [suspect(player) for player in range(1, 31)]
    found = evaluate(Judged(100, [label(player) for player in range(1, 9)], [], suspects))
    assert (found.precision_at[10].count, found.precision_at[20].count, found.precision_at[50].of) == (8, 8, 30)


# ---------------------------------------------------------------- a log in a folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    game = Game()
    one, other = game.players(2, {GOLD: 1_000, 1: 50})
    for n in range(5):
        game.trade(100 + n / 10, one, {1: 2}, other, {GOLD: 20})
    game.label("duplication", one, other)
    game.innocents.append({"player_id": game.player({GOLD: 1}), "kind": "newcomer"})
    return game.write(tmp_path)


def broken(folder: Path, name: str, line: str, place: int) -> Path:
    lines = (folder / name).read_text().splitlines()
    lines[place - 1] = line
    (folder / name).write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("name", "line", "place", "words"),
    [
        ("events.jsonl", '{"event_type": "trade_acc', 4, "events.jsonl line 4 is no event of the contract"),
        ("events.jsonl", "{}", 2, "events.jsonl line 2 is no event of the contract"),
        ("labels.jsonl", '{"player_id": 1, "cheat": "luck", "role": "", "instance": ""}', 2, "labels.jsonl line 2"),
        ("labels.jsonl", '{"player_id": 77, "cheat": "botting", "role": "", "instance": ""}', 1, "names player 77"),
        ("innocent.jsonl", '{"player_id": 1}', 1, "innocent.jsonl line 1 is not as docs/economy.md says"),
    ],
)
def test_a_broken_line_is_named_with_its_file_and_number(
    folder: Path, name: str, line: str, place: int, words: str
) -> None:
    with pytest.raises(HaggleError, match=words):
        read_log(broken(folder, name, line, place))


def test_events_out_of_order_are_refused(folder: Path) -> None:
    lines = (folder / "events.jsonl").read_text().splitlines()
    (folder / "events.jsonl").write_text("\n".join([*lines, lines[-2]]))
    with pytest.raises(HaggleError, match=r"line 10 has sequence 8 after 9: sort the events by it"):
        read_log(folder)


def test_a_log_without_events_or_labels_is_refused_and_without_innocents_it_is_not(folder: Path) -> None:
    (folder / "innocent.jsonl").unlink()
    assert read_log(folder).innocents == []
    (folder / "labels.jsonl").unlink()
    with pytest.raises(HaggleError, match=r"labels\.jsonl cannot be read: No such file"):
        read_log(folder)
    (folder / "events.jsonl").write_text("\n")
    with pytest.raises(HaggleError, match="has no events"):
        read_log(folder)


# ---------------------------------------------------------------- the command


def run(*words: str) -> Any:
    return CliRunner().invoke(economy_evaluate, words)


def test_the_command_judges_a_folder_for_people(folder: Path) -> None:
    answer = run(str(folder))
    assert answer.exit_code == 0
    rows = [line.split() for line in answer.output.splitlines()]
    assert ["all", "2", "2", "0", "0"] in [row[:5] for row in rows]
    assert ["newcomer", "1", "0"] in rows


def test_the_command_judges_a_folder_for_programs(folder: Path) -> None:
    answer = json.loads(run(str(folder), "--json").output)
    assert (answer["overall"]["found"], answer["overall"]["precision"]["value"]) == (2, 1.0)
    assert answer["cheats"]["duplication"]["instances_found"] == 1
    assert answer["innocent"] == {"newcomer": {"players": 1, "flagged": 0}}
    flagged = [(each["player_id"], each["cheat"]) for each in answer["flagged"]]
    assert flagged == [(1, "duplication"), (2, "duplication")]
    assert all(0.5 <= each["score"] <= 1 and len(each["trades"]) == 5 for each in answer["flagged"])


def test_the_command_says_nothing_of_a_broken_log_but_what_is_broken(folder: Path) -> None:
    answer = run(str(broken(folder, "events.jsonl", "{", 3)), "--json")
    assert answer.exit_code != 0
    assert answer.output == ""
    assert "line 3 is no event of the contract" in str(answer.exception)
