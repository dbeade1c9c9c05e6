"""Reads the economy that the settings name."""

from pathlib import Path
from typing import Final

from app.contract.economy import BadEconomy, Economy, read_economy, reference_economy
from app.errors import HaggleError
from app.settings import Settings

NOT_NOW: Final = 2
"""Exit code of `python -m app.publish` while Redis takes nothing."""


def load_economy(settings: Settings) -> Economy:
    """The economy of ECONOMY_FILE, or the reference economy; raises HaggleError, which names each mistake's place."""
    return read_economy_file(Path(settings.economy_file)) if settings.economy_file else reference_economy()


def read_economy_file(path: Path) -> Economy:
    """The economy of a file; raises HaggleError."""
    try:
        return read_economy(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise HaggleError(f"{path} cannot be read: {error}") from None
    except BadEconomy as error:
        raise HaggleError(f"{path} holds no economy:\n  " + "\n  ".join(error.problems)) from None
