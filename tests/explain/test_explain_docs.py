"""The page on `kdiag explain` shows what kdiag prints."""

from __future__ import annotations

import pytest

from tests.support.paths import REPOSITORY
from tests.support.transcripts import printed, transcripts

PAGE = (REPOSITORY / "docs" / "explain.md").read_text(encoding="utf-8")
SHOWN = dict(transcripts(PAGE))


def test_every_block_is_a_transcript() -> None:
    assert len(SHOWN) == PAGE.count("```console") > 4
    assert all(" --from fixtures/" in arguments for arguments in SHOWN)


@pytest.mark.parametrize("arguments", SHOWN)
def test_a_transcript_is_what_is_printed(arguments: str) -> None:
    assert SHOWN[arguments] == printed(arguments), "python -m tests.support.transcripts docs/explain.md"
