"""Asks the business questions and compares the answers with the reference run."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app.contract.economy import CLASSES, ITEMS
from app.settings import Settings
from jobs.lake.trino import SQL, Lake, Result

_SHOWN: Final = 5

REFERENCE_TRADES: Final = 10_000
REFERENCE_ITEM: Final = 5
REFERENCE_LINES: Final = 2_019
REFERENCE_DISTINCT_ITEMS: Final = 12
REFERENCE_ITEM_VALUE: Final = 159_000_000
"""What the reference run (1,000 players, 10,000 one-for-one trades) reported, and of which item in how many lines."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its answer in words, its rows, how long it took, and how the answer compares to the reference."""

    name: str
    title: str
    answer: str
    reference: str
    sql: str
    result: Result


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the report shows. `figures` are results by the name of their SQL."""

    realm: str
    made_at: datetime
    questions: list[Question]
    figures: dict[str, Result]

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "realm": self.realm,
            "made_at": self.made_at.isoformat(),
            "questions": [
                {
                    "name": question.name,
                    "title": question.title,
                    "answer": question.answer,
                    "reference": question.reference,
                    "elapsed_s": round(question.result.elapsed_s, 3),
                    "rows": question.result.records(),
                }
                for question in self.questions
            ],
        }


def make_report(settings: Settings) -> Report:
    """Asks all questions and figures through Trino."""
    lake = Lake(settings)
    lake.run("select 1")  # the first statement of a session also pays for its start
    questions = [_ask(lake, path.stem, settings.realm) for path in sorted((SQL / "questions").glob("*.sql"))]
    figures = {
        path.stem: of_realm(lake.ask(f"figures/{path.stem}"), settings.realm)
        for path in sorted((SQL / "figures").glob("*.sql"))
    }
    return Report(settings.realm, datetime.now(UTC), questions, figures)


def of_realm(result: Result, realm: str) -> Result:
    """The rows of one realm, in their order; every answer has one or none, or a few, of each realm."""
    place = result.columns.index("realm")
    return result._replace(rows=[row for row in result.rows if row[place] == realm])


def _ask(lake: Lake, name: str, realm: str) -> Question:
    sql = (SQL / "questions" / f"{name}.sql").read_text()
    title = sql.splitlines()[0].removeprefix("-- question: ")
    result = of_realm(lake.ask(f"questions/{name}"), realm)
    return Question(name, title, _ANSWERS[name](result.records()), _REFERENCES[name](result.records()), sql, result)


def _trades(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "0 trades, and 0 refused"
    return f"{rows[0]['trades']:,} trades, and {rows[0]['refused']:,} refused"


def _most_traded(rows: list[dict[str, Any]]) -> str:
    by_units = [row for row in rows if row["rank_by_units"] == 1]
    by_lines = [row for row in rows if row["rank_by_lines"] == 1]
    if not rows:
        return "none: no item was traded"
    units = f"by units {_names(by_units)} with {by_units[0]['units']:,}"
    return f"{units}; by trade lines {_names(by_lines)} with {by_lines[0]['trade_lines']:,}"


def _names(rows: list[dict[str, Any]]) -> str:
    return _some([f"{ITEMS[row['item_id']].name} (item {row['item_id']})" for row in rows])


def _players(rows: list[dict[str, Any]]) -> str:
    return _some([f"{row['username']} (player {row['player_id']}, {row['player_class']})" for row in rows])


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _most_diverse(rows: list[dict[str, Any]]) -> str:
    return f"{rows[0]['distinct_items']} different items: {_players(rows)}" if rows else "none: there is no player"


def _most_valuable(rows: list[dict[str, Any]]) -> str:
    return f"{rows[0]['item_value']:,} gold: {_players(rows)}" if rows else "none: there is no player"


def _offers(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "none was made, and 0 refused"
    row = rows[0]
    if not row["made"]:
        return f"none was made, and {row['refused']:,} refused"
    ended = ", ".join(f"{row[status]:,} {status}" for status in ("accepted", "declined", "cancelled", "expired"))
    share = f"{row['accepted_percent']} % of those that ended were accepted"
    return f"{row['made']:,} made: {ended}, {row['still_open']:,} still open; {share}; and {row['refused']:,} refused"


def _trades_reference(rows: list[dict[str, Any]]) -> str:
    if rows and rows[0]["trades"] == REFERENCE_TRADES:
        return f"{REFERENCE_TRADES:,}, as here."
    return f"{REFERENCE_TRADES:,}; here as many as were simulated, in one or more runs."


def _most_traded_reference(rows: list[dict[str, Any]]) -> str:
    here = next((row["trade_lines"] for row in rows if row["item_id"] == REFERENCE_ITEM), 0)
    first = [row["item_id"] for row in rows if row["rank_by_lines"] == 1]
    text = f"item {REFERENCE_ITEM}, {ITEMS[REFERENCE_ITEM].name}, in {REFERENCE_LINES:,} lines; here in {here:,}. "
    text += "One player in five is a farmer, who starts with it and with Milk: if players gave only what they started "
    text += f"with, it would be about one line in ten, {sum(row['trade_lines'] for row in rows) // 10:,}. Here they "
    text += "draw among all kinds they hold, and inventories mix, so it is fewer."
    if first != [REFERENCE_ITEM]:
        text += " Hunters are as many, so which of the four items comes first is chance."
    return text


def _most_diverse_reference(rows: list[dict[str, Any]]) -> str:
    here = rows[0]["distinct_items"] if rows else 0
    return (
        f"{REFERENCE_DISTINCT_ITEMS} different items; here {here}. "
        "It grows with the trades of the busiest players, and is chance within one or two items."
    )


def _most_valuable_reference(rows: list[dict[str, Any]]) -> str:
    start = max(sum(ITEMS[item].value * units for item, units in kind.items.items()) for kind in CLASSES.values())
    here = rows[0]["item_value"] if rows else 0
    return (
        f"about {REFERENCE_ITEM_VALUE:,} gold; here {here:,}. A banker starts with {start:,}, the most of any, "
        "and a one-for-one trade adds at most one Proof of Loyalty (1,000,000), of which each warrior brings one: "
        f"no inventory comes near twice that. Two bankers together hold {2 * start:,} at the start, so the reference "
        "figure fits a sum over both players of a trade rather than one inventory."
    )


def _offers_reference(_: list[dict[str, Any]]) -> str:
    return "had none."


_ANSWERS: Final = {
    "q01_trades": _trades,
    "q02_most_traded_item": _most_traded,
    "q03_most_diverse_inventory": _most_diverse,
    "q04_most_valuable_inventory": _most_valuable,
    "q05_offers": _offers,
}
_REFERENCES: Final = {
    "q01_trades": _trades_reference,
    "q02_most_traded_item": _most_traded_reference,
    "q03_most_diverse_inventory": _most_diverse_reference,
    "q04_most_valuable_inventory": _most_valuable_reference,
    "q05_offers": _offers_reference,
}


def lines_of(report: Report) -> Iterator[tuple[str, str, str]]:
    """Title, answer and time of each question, for a table."""
    for question in report.questions:
        yield question.title, question.answer, f"{question.result.elapsed_s:.2f} s"
