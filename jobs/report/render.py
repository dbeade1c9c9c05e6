"""Writes a report as report.html (figures inline, no outside resource) and report.json."""

import io
import json
import re
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from jobs.report.answers import Answer, Report


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Writes both files into `folder`, whole or not at all; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    figures = {answer.name: _svg(answer) for answer in report.answers}
    html = environment.get_template("report.html.jinja").render(report=report, figures=figures)
    data = json.dumps(report.as_json(), indent=2, default=str)
    return _write(folder / "report.html", html), _write(folder / "report.json", data + "\n")


def _write(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    return temporary.rename(path)


def _svg(answer: Answer) -> str:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    answer.question.draw(axes, answer.drawn)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)
