"""Writes a report: report.html (figures inline, no outside resource), report.json, and CSV files.

There is one of each question, and suspects.csv.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import jinja2

from jobs.lake.trino import Result
from jobs.report import suspects
from jobs.report.answers import Report
from jobs.report.figures import svg_of

_JSON: Final = "report.json"
_PAGES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
)
_ROWS_MAX: Final = 50
"""Rows of a question that the page shows; its CSV file has all."""
_ROWS_PRINTED: Final = 6
"""Rows of a table that is printed with the page; of a longer one, how many there are, and where."""
_FIRST_MAX: Final = 5
"""Suspicions that stand there openly; the others can be unfolded."""


class Headline(NamedTuple):
    """A number, what it is, and by how much it has changed since the report before (None: there was none)."""

    words: str
    number: int
    change: int | None


def write_report(report: Report, folder: Path, before: Path | None = None) -> tuple[Path, Path]:
    """Writes the files into `folder`, each whole or not at all; returns the paths of HTML and JSON.

    `before` is the folder of the report that this one follows on a shelf.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = _PAGES.get_template("report.html.jinja").render(
        report=report,
        headlines=list(_headlines(report.headlines, read_report(before) if before else {})),
        figures={answer.name: svg_of(answer) for answer in report.answers},
        suspects=_suspects(report),
        suspects_title=suspects.TITLE,
        is_shelved=before is not None,
        rows_max=_ROWS_MAX,
        rows_printed=_ROWS_PRINTED,
    )
    for answer in report.answers:
        _write(folder / f"{answer.name}.csv", _csv(answer.result))
    _write(folder / "suspects.csv", _csv(report.suspects.result))
    data = json.dumps(report.as_json(), indent=2, default=str)
    return _write(folder / "report.html", page), _write(folder / _JSON, data + "\n")


def read_report(folder: Path) -> dict[str, Any]:
    """The report that was written there, for programs; nothing if there is none, or one of another version."""
    try:
        said: dict[str, Any] = json.loads((folder / _JSON).read_text())
    except FileNotFoundError:
        return {}
    return said if "headlines" in said else {}


def write_index(shelf: Path, folders: list[Path]) -> None:
    """Writes the page that leads to the reports of these folders, newest first, with how their numbers went."""
    found = [(folder.name, said) for folder in folders if (said := read_report(folder))]
    words = list(found[0][1]["headlines"]) if found else []
    trends = {each: _trend([said["headlines"].get(each, 0) for _, said in reversed(found)]) for each in words}
    page = _PAGES.get_template("index.html.jinja").render(reports=found, words=words, trends=trends)
    _write(shelf / "index.html", page)


def _headlines(now: Mapping[str, int], before: Mapping[str, Any]) -> list[Headline]:
    then = before.get("headlines", {})
    return [Headline(words, number, number - then[words] if words in then else None) for words, number in now.items()]


def _trend(numbers: list[int]) -> str:
    """The points of a line through the numbers, oldest first, in a box of 100 by 20."""
    least, most = min(numbers), max(numbers)
    step = 100 / max(1, len(numbers) - 1)
    heights = [19 - 18 * (number - least) / (most - least or 1) for number in numbers]
    return " ".join(f"{place * step:.1f},{height:.1f}" for place, height in enumerate(heights))


def _suspects(report: Report) -> str:
    return _PAGES.get_template("suspects.html.jinja").render(
        suspects=report.suspects,
        title=suspects.TITLE,
        counted=suspects.COUNTED,
        sql=suspects.sql_of(report.realm),
        words_of=suspects.words_of,
        first_max=_FIRST_MAX,
        rows_max=_ROWS_MAX,
    )


def _csv(result: Result) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(result.rows)
    return text.getvalue()


def _write(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    return temporary.rename(path)
