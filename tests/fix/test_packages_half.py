"""A package manager that fails half-way: dpkg leaves packages unpacked and not configured, which are not "installed"
and are there all the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from test_faults import KILLED, scene

from kdiag.console import exits
from kdiag.fix.changes.command import last_line
from tests.support.fix_runs import DEBIAN, run_fix
from tests.support.fixable_machine import snapshot

FAILED = """
echo 'dpkg: error processing package linux-headers-x (--configure):'
echo ' installed linux-headers-x package post-installation script subprocess returned error exit status 3'
echo 'Errors were encountered while processing:'
echo ' linux-headers-x'
echo 'E: Sub-process /usr/bin/dpkg returned an error code (1)'
exit 100
"""


def half(home: Path, end: str) -> dict[str, object]:
    """A machine whose apt-get comes so far that everything is unpacked."""
    words = scene(home, "packages")
    script = home / "bin" / "apt-get"
    script.write_text(script.read_text().replace("install ok installed", "install ok unpacked") + end)
    return words


def test_what_is_half_installed_goes_again(tmp_path: Path) -> None:
    words = half(tmp_path, FAILED)
    before = snapshot(tmp_path)
    result = run_fix(tmp_path, **words)
    assert result.returncode == exits.FAILED
    assert "(--configure): installed linux-headers-x package post-installation script" in result.stderr
    assert "snapshot" not in result.stderr  # the repository had it all
    assert snapshot(tmp_path) == before


def test_an_undo_removes_what_is_half_installed(tmp_path: Path) -> None:
    """Killed with the manager at work, which did not come to its end either."""
    words = half(tmp_path, f"kill -9 $(cat {tmp_path}/state/kdiag/lock | tr '\\0' '\\n' | head -n 1)\n")
    assert run_fix(tmp_path, **words).returncode == KILLED
    status = tmp_path / "dpkg-status"
    assert f"Package: linux-headers-{DEBIAN}\nStatus: install ok unpacked" in status.read_text()
    undone = run_fix(tmp_path, **words, do="undo")
    assert undone.returncode == exits.READY, undone.stderr
    assert f"removed the packages linux-headers-{DEBIAN}" in undone.stdout
    assert f"Package: linux-headers-{DEBIAN}\n" not in status.read_text()


LINES = [
    ("", "it printed nothing"),
    ("a\n\nE: Unable to locate package x\n \n", "E: Unable to locate package x"),
    ("dpkg: error: no diff\nNote: x\nE: Sub-process dpkg (2)", "dpkg: error: no diff"),
    (
        "dpkg: error processing x:\n its reason\n x\nE: Sub-process dpkg (1)",
        "dpkg: error processing x: its reason",
    ),
    ("Setting up x\nE: Sub-process dpkg (1)", "E: Sub-process dpkg (1)"),
]


@pytest.mark.parametrize(("output", "said"), LINES)
def test_the_line_that_decides(output: str, said: str) -> None:
    assert last_line(output) == said
