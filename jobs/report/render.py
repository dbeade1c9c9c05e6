"""Writes a report as report.html (figures inline, no outside resource) and report.json."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jinja2
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.contract.economy import ITEMS
from jobs.report.answers import Report

_INK: Final = "#2f4858"
_ACCENT: Final = "#c8553d"


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Writes both files into `folder`, whole or not at all; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    html = environment.get_template("report.html.jinja").render(report=report, figures=_figures(report))
    data = json.dumps(report.as_json(), indent=2, default=str)
    return _write(folder / "report.html", html), _write(folder / "report.json", data + "\n")


def _write(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    return temporary.rename(path)


def _figures(report: Report) -> dict[str, str]:
    """An SVG figure for each question, by its name."""
    drawings: dict[str, Callable[[Report, Axes], None]] = {
        "q01_trades": _draw_trades,
        "q02_most_traded_item": _draw_items,
        "q03_most_diverse_inventory": _draw_diversity,
        "q04_most_valuable_inventory": _draw_value,
        "q05_offers": _draw_offers,
    }
    return {name: _svg(report, draw) for name, draw in drawings.items()}


def _svg(report: Report, draw: Callable[[Report, Axes], None]) -> str:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    draw(report, axes)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)


def _draw_trades(report: Report, axes: Axes) -> None:
    rows = report.figures["f01_trades_over_time"].records()
    at: list[Any] = [row["at"] for row in rows]
    axes.plot(at, [row["accepted"] for row in rows], color=_INK, marker=".", label="accepted")
    axes.plot(at, [row["refused"] for row in rows], color=_ACCENT, marker=".", label="refused")
    axes.set_ylabel("trades per second")
    axes.set_xlabel("time (UTC)")
    axes.tick_params(axis="x", labelrotation=20)
    axes.legend(frameon=False)


def _draw_items(report: Report, axes: Axes) -> None:
    rows = report.questions[1].result.records()[::-1]
    axes.barh([ITEMS[row["item_id"]].name for row in rows], [row["units"] for row in rows], color=_INK)
    axes.set_xlabel("units traded")
    axes.tick_params(axis="y", labelsize=7)


def _draw_diversity(report: Report, axes: Axes) -> None:
    rows = report.figures["f03_diversity"].records()
    axes.bar([row["distinct_items"] for row in rows], [row["players"] for row in rows], color=_INK)
    axes.set_xlabel("most different items held at once")
    axes.set_ylabel("players")


def _draw_value(report: Report, axes: Axes) -> None:
    rows = report.figures["f04_value_by_class"].records()[::-1]
    axes.barh([row["player_class"] for row in rows], [row["item_value"] for row in rows], color=_INK)
    axes.set_xlabel("greatest item gold value ever held (logarithmic)")
    axes.set_xscale("log")


def _draw_offers(report: Report, axes: Axes) -> None:
    row = next(iter(report.questions[4].result.records()), {})
    statuses = ["accepted", "declined", "cancelled", "expired", "still_open"][::-1]
    counts = [row.get(status, 0) for status in statuses]
    axes.barh([status.replace("_", " ") for status in statuses], counts, color=_INK)
    axes.set_xlabel("offers")
