"""The transcripts of docs/btf.md are what the commands print."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import HANG

ROOT = Path(__file__).parent.parent.parent
_BLOCK = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)


def transcripts() -> list[tuple[str, list[str]]]:
    """Each command, and what is shown of its output."""
    found: list[tuple[str, list[str]]] = []
    for block in _BLOCK.findall((ROOT / "docs" / "btf.md").read_text(encoding="utf-8")):
        for line in block.splitlines():
            text = line[4:]
            if text.startswith("$ "):
                found.append((text[2:], []))
            elif found:
                found[-1][1].append(text)
    return found


@pytest.mark.parametrize(("command", "shown"), transcripts(), ids=[one for one, _ in transcripts()])
def test_a_command_prints_what_the_page_shows(command: str, shown: list[str]) -> None:
    words = shlex.split(command)
    assert words[0] == "kdiag"
    done = subprocess.run(
        [sys.executable, "-m", "kdiag", *words[1:]],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "80", "LANG": "C.UTF-8"},
    )
    printed = (done.stdout + done.stderr).replace("\t", " " * 8).rstrip("\n").split("\n")
    while shown and not shown[-1]:
        shown.pop()
    if "..." in shown:
        cut = shown.index("...")
        after = len(shown) - cut - 1
        assert printed[:cut] == shown[:cut]
        assert printed[len(printed) - after :] == shown[cut + 1 :]
    else:
        assert printed == shown
