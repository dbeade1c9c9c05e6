"""The file of an economy: what it says, and each mistake with its place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.contract.economy import BadEconomy, read_economy, reference_economy
from app.economy import load_economy
from app.errors import HaggleError
from app.settings import load_settings

GOOD = """\
version = 1
max_capacity = 25

[[items]]
id = 1
name = "Ore"
level = 1
value = 3

[[items]]
id = 7
name = "Fuel"
level = 2
value = 10

[[classes]]
name = "miner"
weight = 1
gold = 50
items = { 1 = 5, 7 = 15 }
"""


def problems(text: str) -> list[str]:
    with pytest.raises(BadEconomy) as caught:
        read_economy(text)
    return list(caught.value.problems)


def test_a_file_becomes_items_by_id_and_classes_by_name() -> None:
    economy = read_economy(GOOD)
    assert (economy.version, economy.max_capacity) == (1, 25)
    assert {item.item_id: (item.name, item.level, item.value) for item in economy.items.values()} == {
        1: ("Ore", 1, 3),
        7: ("Fuel", 2, 10),
    }
    assert (economy.classes["miner"].gold, economy.classes["miner"].items) == (50, {1: 5, 7: 15})


def test_the_digest_tells_content_and_not_layout() -> None:
    assert read_economy(GOOD).digest == read_economy(GOOD.replace("\n\n", "\n# a comment\n")).digest
    assert read_economy(GOOD).digest != read_economy(GOOD.replace("value = 3", "value = 4")).digest


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (lambda text: text.replace("id = 7", "id = 1"), "line 10, items[1] (Fuel)", "the id 1 stands before at line 4"),
        (lambda text: text.replace('"Fuel"', '"Ore"'), "line 10, items[1] (Ore)", "the name 'Ore' stands before"),
        (lambda text: text.replace("value = 3", "value = -3"), "line 4, items[0] (Ore)", "`int` >= 0 - at `$.value`"),
        (lambda text: text.replace("value = 3", "value = 9e9"), "line 4, items[0] (Ore)", "Expected `int`"),
        (lambda text: text.replace("value = 3", "valu = 3"), "line 4, items[0] (Ore)", "unknown field `valu`"),
        (
            lambda text: text.replace("1 = 5,", "2 = 5,"),
            "line 16, classes[0] (miner)",
            "starts with item 2, which is not",
        ),
        (
            lambda text: text.replace("1 = 5,", "1 = 11,"),
            "line 16, classes[0] (miner)",
            "starts with 26 units, more",
        ),
        (lambda text: text.replace("1 = 5,", "1 = 0,"), "line 16, classes[0] (miner)", ">= 1 - at `$.items[...]`"),
        (lambda text: text.replace("gold = 50", "gold = -1"), "line 16, classes[0] (miner)", "at `$.gold`"),
        (lambda text: text.replace("weight = 1", "weight = 0"), "classes", "one at least must have a weight above 0"),
        (lambda text: text + text[text.index("[[classes]]") :], "line 21, classes[1] (miner)", "the class 'miner'"),
        (lambda text: text.replace("version = 1", "version = 0"), "", "at `$.version`"),
        (lambda text: text.replace("version = 1", ""), "", "missing required field `version`"),
        (lambda text: text.replace("max_capacity = 25", "max_capacity = 9999999"), "", "at `$.max_capacity`"),
        (lambda text: text + "more = 1\n[", "", "this is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(change: Callable[[str], str], where: str, what: str) -> None:
    found = problems(change(GOOD))
    assert any(each.startswith(where) and what in each for each in found), found


def test_all_mistakes_are_named_at_once() -> None:
    bad = GOOD.replace("value = 3", "value = -3").replace("gold = 50", "gold = 1.5").replace("level = 2", "level = -1")
    assert [problem.split(":")[0] for problem in problems(bad)] == [
        "line 4, items[0] (Ore)", "line 10, items[1] (Fuel)", "line 16, classes[0] (miner)",
    ]  # fmt: skip


def test_the_setting_names_the_file_and_a_bad_one_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "economy.toml"
    assert load_economy(load_settings({})) == reference_economy()
    path.write_text(GOOD)
    assert load_economy(load_settings({"ECONOMY_FILE": str(path)})) == read_economy(GOOD)
    path.write_text(GOOD.replace("id = 7", "id = 1"))
    with pytest.raises(HaggleError, match=r"economy\.toml holds no economy:\n  line 10"):
        load_economy(load_settings({"ECONOMY_FILE": str(path)}))
    with pytest.raises(HaggleError, match="cannot be read"):
        load_economy(load_settings({"ECONOMY_FILE": str(tmp_path / "none.toml")}))
