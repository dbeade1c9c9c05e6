"""The docs name files that there are."""

import re
from pathlib import Path

import pytest

from tests import ROOT

PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"])
FOLDERS = "app|jobs|sql|tests|charts|k8s-tests|docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+\.\w+)`", page.read_text()))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_to_a_page_leads_to_one(page: Path) -> None:
    links = set(re.findall(r"\]\(([\w./-]+\.md)", page.read_text()))
    assert [link for link in sorted(links) if not (page.parent / link).exists()] == []
