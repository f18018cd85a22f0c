"""The manual page and the completion scripts that are shipped: as the command line is today, and without an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_tree import commands
from tests.support.needs import need_program
from tests.support.paths import REPOSITORY
from tests.support.waiting import HANG

SHARE = REPOSITORY / "packaging" / "share"
PAGE = SHARE / "man" / "man1" / "kdiag.1"


def test_what_is_shipped_is_what_the_command_line_says(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "packaging" / "pages.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=HANG, cwd=tmp_path)
    made = {
        str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()
    }
    kept = {str(path.relative_to(SHARE)): path.read_text() for path in SHARE.rglob("*") if path.is_file()}
    assert made == kept, "run python packaging/pages.py"


@pytest.mark.parametrize("path", [path for path, _ in commands() if path], ids=" ".join)
def test_the_page_has_every_command_and_option(path: tuple[str, ...]) -> None:
    text = PAGE.read_text().replace("\\-", "-")
    _, title, rest = text.partition(f".SS kdiag {' '.join(path)} ")
    assert title
    section = rest.partition("\n.S")[0]
    for option in dict(commands())[path].params:
        for name in option.opts if option.param_type_name == "option" else ():
            assert name in section


def test_the_page_renders_without_a_warning() -> None:
    groff = need_program("groff")
    done = subprocess.run(
        [groff, "-ww", "-man", "-Tutf8", str(PAGE)], capture_output=True, text=True, check=False, timeout=HANG
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 500


def test_the_page_passes_the_lint_of_mandoc() -> None:
    mandoc = need_program("mandoc")
    done = subprocess.run(
        [mandoc, "-T", "lint", "-W", "warning", str(PAGE)],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    # Without a date the page does not change from day to day.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []
