"""docs/first-session.md shows what kdiag says on two recorded machines; where a change is meant, it is written anew by

python -c 'import tests.report.test_readme as t; t.write()'
"""

from __future__ import annotations

import re

import pytest

from kdiag.console.command_line import localised
from kdiag.recording.pack import opened
from kdiag.report.formats import Options, render_as
from tests.support.paths import FIXTURES
from tests.support.reports import report_on

SESSION = FIXTURES.parent / "docs" / "first-session.md"
#: Recorded machine -> what stands before its block.
SHOWN = {"lab-6.12-btf-kheaders": "no headers installed:", "wrong-recipe": "kdiag knows:"}


def said(name: str) -> str:
    report = localised(report_on(opened(str(FIXTURES / name))), root=True, kdiag="kdiag")
    text = render_as("text", report, Options(width=80))
    if name == "wrong-recipe":
        verdict = text.partition("\n\n")[0]
        why = text[text.index("Do I need") : text.index("Also limited here")].strip("\n")
        return f"{verdict}\n\n{why}\n"
    return text


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"({SHOWN[name]}\n\n```text\n)(.*?)(```\n)", re.DOTALL)


def write() -> None:
    text = SESSION.read_text(encoding="utf-8")
    for name in SHOWN:
        found = _block(name).search(text)
        assert found is not None
        text = f"{text[: found.start(2)]}{said(name)}{text[found.end(2) :]}"
    SESSION.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", SHOWN)
def test_the_first_session_shows_what_is_said(name: str) -> None:
    found = _block(name).search(SESSION.read_text(encoding="utf-8"))
    assert found is not None
    # Every new check is one more that nothing waits for: that number may be of an earlier day.
    shown, now = (
        re.sub(r"\d+ findings that nothing", "N findings that nothing", t) for t in (found[2], said(name))
    )
    assert shown == now
