"""What docs/explain-probes.md shows is what is printed."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from kdiag.commands.explain import answers
from kdiag.explain.text import render
from kdiag.report.terminal.page import Page
from kdiag.system.recording import Recording
from tests.support.explained import here
from tests.support.paths import FIXTURES, REPOSITORY

PAGE = (REPOSITORY / "docs" / "explain-probes.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^    \$ kdiag explain --from fixtures/(\S+) (\S+)\n((?:    .*\n|\n)+)", re.MULTILINE)
_SCRIPT = re.compile(r"^    \$ cat (\S+\.bt)\n((?:    .*\n|\n)+)", re.MULTILINE)


def test_transcripts_are_what_is_printed(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    for found in _SCRIPT.finditer(PAGE):
        (tmp_path / found[1]).write_text(textwrap.dedent(found[2]).strip() + "\n", encoding="utf-8")
    blocks = list(_BLOCK.finditer(PAGE))
    assert len(blocks) == 2
    for found in blocks:
        place = here(Recording(FIXTURES / found[1]))
        printed = render(list(answers([found[2]], place)), Page(100))
        assert textwrap.dedent(found[3]).strip() == printed.strip()
