"""docs/why.md shows what `kdiag why` prints, and states how often it is right.

After a change that is meant: `python -m tests.support.why_document`.
"""

from __future__ import annotations

import pytest

from tests.support.why_agreement import Count, counted, table
from tests.support.why_document import DOCUMENT, TRANSCRIPTS, blocks, printed

#: Pairs that must be right, of those that there are; more may be.
FLOOR = {"public reports": 38, "booted guests": 38, "containers": 80}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_is_what_is_printed(name: str) -> None:
    assert dict(blocks(DOCUMENT.read_text(encoding="utf-8")))[name] == printed(name)


def test_every_transcript_is_shown() -> None:
    assert tuple(dict(blocks(DOCUMENT.read_text(encoding="utf-8")))) == tuple(TRANSCRIPTS)


@pytest.mark.slow
def test_how_often_it_is_right() -> None:
    found, wrong = counted()
    assert all(found[kind].right >= least for kind, least in FLOOR.items()), wrong
    assert sum(count.false for count in found.values()) == 0, wrong
    assert table(found) in DOCUMENT.read_text(encoding="utf-8")


def test_the_table_adds_up() -> None:
    shown = table({"a": Count(3, 1, 0), "b": Count(1, 0, 0)})
    assert "| a | 4 | 3 (75.0 %) | 1 | 0 |" in shown
    assert "| **all** | 5 | 4 (80.0 %) | 1 | 0 |" in shown
