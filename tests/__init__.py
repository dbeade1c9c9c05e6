"""Tests of Haggle: unit, integration (real servers), sql (golden answers on real Trino), charts, faults."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
"""The checkout."""
