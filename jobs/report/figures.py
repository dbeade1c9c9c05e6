"""Draws the figures of a report as SVG whose text is text and whose colours are those of the page, light or dark."""

import html
import io
import re
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from jobs.report.answers import Answer
from jobs.report.questions.question import ACCENT, INK

_TEXT: Final = "#22303a"
_SIZE: Final = (4.9, 2.8)
"""Inches: as wide as a phone, so that there a figure's text has its own size; a figure may make itself higher."""
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    # ids follow from what is drawn: the same data gives the same bytes
    "svg.hashsalt": "haggle",
    "font.family": "sans-serif",
    "font.size": 10,
    "legend.frameon": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _TEXT),
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_VARIABLES: Final = {INK: "var(--ink)", ACCENT: "var(--accent)", _TEXT: "var(--text)"}
"""What matplotlib writes, and the variable of the page's style that stands in its place."""


def svg_of(answer: Answer) -> str:
    """The figure of an answer, to be put into a page: named and described for who cannot see it.

    Nothing if there is nothing to draw: empty axes say less than the answer does.
    """
    if not answer.drawn:
        return ""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        answer.question.draw(figure.subplots(), answer.drawn)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_page(buffer.getvalue(), answer)


def _for_page(svg: str, answer: Answer) -> str:
    svg = re.sub(r"^.*?(?=<svg)|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    # several figures share a page
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{answer.name}-", svg)
    svg = re.sub(r' font-family: [^;"]+;', "", svg)
    words = "".join(
        f'<{tag} id="{answer.name}-{tag}">{html.escape(text)}</{tag}>'
        for tag, text in (("title", answer.title), ("desc", answer.text))
    )
    label = f' role="img" aria-labelledby="{answer.name}-title {answer.name}-desc"'
    return re.sub(r"<svg\b([^>]*)>", lambda match: f"<svg{match[1]}{label}>{words}", svg, count=1)
