"""A Python without a package that kdiag requires is told so: that is no defect of kdiag."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kdiag

#: Puts a module out of reach, then runs kdiag: what an interpreter says that lacks it.
LACKING = """
import sys
sys.modules[{name!r}] = None
from kdiag.__main__ import main
sys.argv = ["kdiag", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("typer", ["check"]),
        ("kdiag_checks", ["check"]),
        ("jinja2", ["check", "--format", "html"]),
    ],
)
def test_the_package_is_named_and_no_crash_is_reported(tmp_path: Path, name: str, command: list[str]) -> None:
    home = Path(kdiag.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", LACKING.format(name=name), *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(home), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert f"lacks the package {name}" in done.stderr
    assert "pip" in done.stderr
    assert "defect" not in done.stderr
    assert not list(tmp_path.glob("kdiag-report-*"))
