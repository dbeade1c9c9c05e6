"""Schemas and reference of the chart's values are what charts/generate.py makes of the commented values."""

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "charts" / "generate.py"


def test_the_committed_schemas_reference_and_versions_are_up_to_date() -> None:
    for path, text in runpy.run_path(str(SCRIPT))["generated_files"]().items():
        assert path.read_text() == text, f"{path} is stale: run `python charts/generate.py`"
