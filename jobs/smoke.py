"""Makes a trade and finds it in Trino by its id (`python -m jobs.smoke`): what `helm test` runs."""

import os
import sys
import time
import uuid
from typing import Final

from app.contract.tables import CATALOG, SCHEMA, TRADES
from app.errors import HaggleError
from app.settings import Settings, load_settings
from jobs import engine
from jobs.lake.trino import Lake

_WAIT_S: Final = 90


def main() -> None:
    """Exits with 1 and a sentence if the engine refuses or the trade does not come."""
    settings = load_settings(os.environ)
    try:
        trade_id = make_trade(settings)
        print(f"the engine accepted trade {trade_id}")
        print(f"Trino answers with it after {wait_for(settings, trade_id):.1f} s")
    except HaggleError as error:
        sys.exit(str(error))


def make_trade(settings: Settings) -> str:
    """Creates two players; the first gives the second a gold coin or, without gold, a unit of its first item."""
    one, two = (engine.post(settings, "/v1/players", {"username": f"smoke_{number}"}) for number in (1, 2))
    items = [{"item_id": line["item_id"], "quantity": 1} for line in one["inventory"]["items"][:1]]
    gold = 0 if items else 1
    trade_id = f"smoke-{uuid.uuid4().hex}"
    sides = {
        "player_1": {"player_id": one["player_id"], "items": items, "gold": gold},
        "player_2": {"player_id": two["player_id"], "items": [], "gold": 0},
    }
    engine.post(settings, "/v1/trades", {"trade_id": trade_id, **sides})
    return trade_id


def wait_for(settings: Settings, trade_id: str) -> float:
    """Seconds until the trade is in the table of trades; raises HaggleError if it does not come."""
    lake = Lake(settings)
    started = time.monotonic()
    sql = f"select count(*) from {CATALOG}.{SCHEMA}.{TRADES.name} where trade_id = ?"  # noqa: S608 - fixed names
    while time.monotonic() < started + _WAIT_S:
        if lake.run(sql, (trade_id,)).rows == [[1]]:
            return time.monotonic() - started
        time.sleep(1)
    raise HaggleError(f"trade {trade_id} is not in {TRADES.name} after {_WAIT_S} s")


if __name__ == "__main__":
    main()
