"""What an installed Haggle brings along, beside its modules."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests import ROOT


def test_the_wheel_holds_all_that_its_programs_read(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    asked = {f"jobs/sql/{path.relative_to(ROOT / 'sql')}" for path in (ROOT / "sql").glob("[afq]*/*.sql")}
    lua = {str(path.relative_to(ROOT)) for path in (ROOT / "app/store/lua").glob("*.lua")}
    pages = {f"jobs/report/{name}" for name in ("report.html.jinja", "index.html.jinja", "style.css")}
    local = {"jobs/local/java/java.lock", "jobs/local/merge-edits.sh", *pages}
    assert len(asked) > 20
    assert asked | lua | local <= held
    assert not [name for name in held if name.startswith(("tests/", "sql/", "charts/", "docs/"))]
