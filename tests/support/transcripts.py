"""The transcripts in docs/: each fenced block that begins with `$ kdiag ...` is what that command prints.

`python -m tests.support.transcripts docs/explain.md` writes what the commands print now into the page; a test holds the
page against it. The commands are about recordings in fixtures/, so that they print the same on every machine.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import REPOSITORY

_BLOCK = re.compile(
    r"^```console\n\$ kdiag (?P<arguments>.*)\n(?P<printed>(?:(?!```).*\n)*)```$", re.MULTILINE
)


def transcripts(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a page with what it says that they print."""
    yield from ((found["arguments"], found["printed"]) for found in _BLOCK.finditer(text))


def printed(arguments: str) -> str:
    """What kdiag prints for these arguments, on a page of 100 columns."""
    done = subprocess.run(
        [sys.executable, "-m", "kdiag", *shlex.split(arguments)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout


def written(text: str) -> str:
    """The page with what the commands print now."""
    return _BLOCK.sub(
        lambda found: f"```console\n$ kdiag {found['arguments']}\n{printed(found['arguments'])}```", text
    )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
