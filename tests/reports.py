"""Reports of fixed rows: a small one, whose words tests know, and one of busy weeks, as people read it."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from app.contract.economy import reference_economy
from jobs.economy.desk import Case, Search
from jobs.lake.cut import Cut
from jobs.lake.moment import Moment
from jobs.lake.questions import stored_questions
from jobs.lake.trino import Result
from jobs.report.answers import Answer, Audit, Report
from jobs.report.questions import QUESTIONS
from jobs.report.suspects import Suspects

Rows = dict[str, list[dict[str, Any]]]
STORED = {question.name: question for question in stored_questions()}
PLAYER = {"player_id": 7, "username": "<b>Zoë</b>", "player_class": "banker"}
CASE = Case(
    player_id=7,
    cheat="wash_trading",
    score=0.97,
    since=datetime(2026, 11, 1, 9, tzinfo=timezone(timedelta(hours=1))),
    why="<b>9 lots</b> came straight back",
    trades=[1_003, 1_005, 1_007, 1_009, 1_011, 1_013],
    found_at=datetime(2026, 11, 1, 9, tzinfo=UTC),
    verdict=None,
    reviewer=None,
    reason=None,
    reviewed_at=None,
)
DECIDED = CASE._replace(
    player_id=9, cheat="botting", score=0.6, trades=[4], verdict="dismissed", reviewer="ann", reason="asleep at night"
)
SEARCH = Search(1_200, datetime(2026, 11, 2, 6, tzinfo=UTC))
SUSPECTS = Suspects([CASE, DECIDED], search=SEARCH)


def price(item_id: int, name: str, gold: int, *, thin: bool, value: float = 10.0) -> dict[str, Any]:
    """Ten units of an item, sold in a day."""
    return {"item_id": item_id, "name": name, "gold": gold, "units": 10, "list_value": value, "thin": thin}


def flow(item_id: int, name: str | None, player_class: str, given: int, *, net: int) -> dict[str, Any]:
    """An item that trades moved 100 units of, to and from a class."""
    return {
        "item_id": item_id,
        "name": name,
        "player_class": player_class,
        "given": given,
        "taken": 3,
        "traded_away": 50 - net // 2,
        "traded_in": 50 + net // 2,
        "net_traded": net,
        "remaining": given - 3 + net,
    }


ROWS: Rows = {
    "q_trades": [{"trades": 10_000, "refused": 12}],
    "q_most_traded_item": [
        {"item_id": 6, "name": "Milk", "units": 900, "trade_lines": 800, "rank_by_units": 1, "rank_by_lines": 2},
        {
            "item_id": 5,
            "name": "Food Package",
            "units": 850,
            "trade_lines": 850,
            "rank_by_units": 2,
            "rank_by_lines": 1,
        },
    ],
    "q_most_diverse_inventory": [{**PLAYER, "distinct_items": 13}],
    "q_most_valuable_inventory": [{**PLAYER, "item_value": 80_000_000}],
    "q_offers": [
        {
            "made": 9,
            "refused": 1,
            "accepted": 4,
            "declined": 2,
            "cancelled": 1,
            "expired": 1,
            "account_closed": 0,
            "still_open": 1,
            "accepted_percent": 50,
        }
    ],
    "q_activity": [{"day": date(2026, 11, 1), "trades": 7, "active_traders": 4, "refused": 1, "new_players": 2}],
    "q_volume": [{"day": date(2026, 11, 1), "gross_value": 200, "net_value": 50}],
    "q_price": [
        price(6, "Milk", 150, thin=False),
        price(6, "Milk", 50, thin=False),
        price(5, "Food Package", 40, thin=False),
        price(5, "Food Package", 90_000, thin=True),
        price(7, "Gift", 90_000, thin=False, value=0.0),
        price(8, "Rare", 90_000, thin=True),
    ],
    "q_faucets_and_sinks": [
        {"item_id": None, "thing": "gold", "given": 900, "taken": 40, "residual": 0},
        {"item_id": 5, "thing": "Food Package", "given": 70, "taken": 0, "residual": 0},
        {"item_id": 5, "thing": "Food Package", "given": 0, "taken": 30, "residual": 0},
        {"item_id": 6, "thing": None, "given": 7, "taken": 0, "residual": 0},
    ],
    "q_item_flows": [
        flow(5, "Food Package", "farmer", 70, net=-40),
        flow(5, "Food Package", "banker", 0, net=30),
        flow(5, "Food Package", "hunter", 0, net=10),
        flow(6, None, "farmer", 7, net=0),
    ],
    "q_trade_graph": [
        {
            "traders": 5,
            "pairs": 3,
            "mean_degree": 1.2,
            "repeat_pair_share": 1 / 3,
            "two_way_pair_share": 2 / 3,
            "largest_component_share": 0.6,
        }
    ],
    "q_price_index": [{"day": date(2026, 11, day), "price_index": 100.0 * day} for day in (1, 2)],
    "q_lorenz": [{"player_percent": n, "wealth_share": n * n / 10_000} for n in range(101)],
    "q_class_against_class": [{"player_class": "banker", "partner_class": "hunter", "trades": 9}],
}
DRAWN: Rows = {
    "f01_trades_over_time": [
        {"unit": "second", "moment": datetime(2026, 11, 1, tzinfo=UTC), "accepted": 5, "refused": 1}
    ],
    "f05_strongest_pairs": [
        {"lower_id": 1, "higher_id": 2, "trades": 9, "value": 50, "two_way": True, "pairs": 3},
        {"lower_id": 2, "higher_id": 7, "trades": 2, "value": 50, "two_way": False, "pairs": 3},
    ],
    "f03_diversity": [{"distinct_items": 2, "players": 5}],
    "f04_value_by_class": [{"player_class": "banker", "item_value": 5}],
}


def report_of(rows: Rows, waiting: int = 5, drawn: Rows | None = None, suspects: Suspects = SUSPECTS) -> Report:
    """The report of these rows, and for the figures that have a query of their own, of the rows drawn."""
    drawn = drawn or DRAWN
    answers = []
    for question in QUESTIONS:
        result = Result(list(rows[question.name][0]), [list(row.values()) for row in rows[question.name]], 0.1)
        figure = drawn[question.figure] if question.figure else rows[question.name]
        answers.append(Answer(question, STORED[question.name], result, figure))
    as_of = Moment(Cut("main", 1_234), datetime(2026, 11, 1, 8, 30, tzinfo=UTC), waiting)
    audit = Audit(datetime(2026, 11, 1, 8, tzinfo=UTC), 1_200, ok=True)
    return Report(as_of, datetime.now(UTC), answers, audit, suspects)


def busy_report(days_of_play: int = 24) -> Report:
    """The report of busy days of a game that plays the reference economy: as many rows as people will see."""
    days = [date(2026, 8, 1) + timedelta(days=day) for day in range(days_of_play)]
    rows = {**ROWS, **_of_days(days), **_of_items(), **_of_classes()}
    hours = [datetime(2026, 8, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(24 * len(days))]
    drawn = {
        **DRAWN,
        "f01_trades_over_time": [
            {"unit": "hour", "moment": hour, "accepted": round(400 * _wave(number, 24)), "refused": number * 7 % 11}
            for number, hour in enumerate(hours)
        ],
        "f03_diversity": [
            {"distinct_items": items, "players": round(900 * math.exp(-(((items - 6) / 2.5) ** 2)))}
            for items in range(1, 14)
        ],
        "f04_value_by_class": [
            {"player_class": name, "item_value": 80_000_000 // 3**place + 900}
            for place, name in enumerate(reference_economy().classes)
        ],
        "f05_strongest_pairs": [
            {
                "lower_id": 100 + place * place % 23,
                "higher_id": 200 + place * 7 % 31,
                "trades": 120 // (1 + place),
                "value": 9_000,
                "two_way": place % 4 > 0,
                "pairs": 70_000,
            }
            for place in range(30)
        ],
    }
    suspects = [CASE._replace(player_id=number, score=1 - number / 200) for number in range(1, 61)]
    return report_of(rows, drawn=drawn, suspects=Suspects([*suspects, DECIDED], search=SEARCH))


def _of_days(days: list[date]) -> Rows:
    traders = [round(900 * _wave(number, 7)) for number in range(len(days))]
    return {
        "q_activity": [
            {
                "day": day,
                "trades": 11 * active,
                "refused": active // 90,
                "active_traders": active,
                "new_players": active // 5,
                "offers_made": active // 3,
                "adjustments": active // 8,
            }
            for day, active in zip(days, traders, strict=True)
        ],
        "q_volume": [
            {
                "day": day,
                "trades": 11 * active,
                "gross_value": 48_000 * active,
                "net_value": 31_000 * active,
                "cancelled_share": 0.354,
            }
            for day, active in zip(days, traders, strict=True)
        ],
        "q_price_index": [
            {"day": day, "items_priced": 19, "items_compared": 18, "price_index": 100 + number + 5 * _wave(number, 5)}
            for number, day in enumerate(days)
        ],
    }


def _of_items() -> Rows:
    traded = [
        {
            "item_id": item.item_id,
            "name": item.name,
            "units": 98_000 // place,
            "trade_lines": 61_000 // place,
            "rank_by_units": place,
            "rank_by_lines": place,
        }
        for place, item in enumerate(reference_economy().items.values(), 1)
    ]
    prices = [
        {**price(item.item_id, item.name, 10 * item.value, thin=item.item_id % 6 == 0), "list_value": value}
        for item in reference_economy().items.values()
        for value in [item.value * _wave(item.item_id, 5)]
    ]
    flows = [
        {
            "item_id": item.item_id,
            "thing": item.name,
            "reason": "creation",
            "given": 98_000 // place,
            "taken": 9_000 // place,
            "residual": 0,
        }
        for place, item in enumerate(reference_economy().items.values(), 1)
    ]
    classes = list(reference_economy().classes)
    between = [
        flow(item.item_id, item.name, player_class, 90_000 // (place + at), net=(at - 2) * 9_000 // place)
        for place, item in enumerate(reference_economy().items.values(), 1)
        for at, player_class in enumerate(classes)
    ]
    return {"q_most_traded_item": traded, "q_price": prices, "q_faucets_and_sinks": flows, "q_item_flows": between}


def _of_classes() -> Rows:
    names = list(reference_economy().classes)
    return {
        "q_class_against_class": [
            {
                "player_class": one,
                "partner_class": other,
                "trades": 15_000 // (2 + place + at),
                "given_value": 91_000_000 // (1 + place),
                "received_value": 87_000_000 // (1 + at),
                "received_to_given": (1 + place) / (1 + at),
            }
            for place, one in enumerate(names)
            for at, other in enumerate(names)
        ]
    }


def _wave(number: int, period: int) -> float:
    """Between 0.5 and 1.5, with a rhythm and some unrest."""
    return 1 + 0.35 * math.sin(2 * math.pi * number / period) + 0.15 * math.sin(number * number)
