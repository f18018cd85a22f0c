"""The pictures of the README: what kdiag prints on recorded machines, colours and all, as SVG.

    python -m tests.support.picture

makes them anew; tests/report/test_picture.py holds the files against it, byte for byte. A line is as wide as its
characters on a grid, whatever font the reader has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

from kdiag.console.command_line import localised
from kdiag.recording.pack import opened
from kdiag.report.formats import Options, render_as
from tests.support.paths import FIXTURES, REPOSITORY
from tests.support.reports import report_on

IMAGES = REPOSITORY / "docs" / "images"
_COLUMNS, _CELL, _LINE, _SIZE, _EDGE, _BAR = 100, 8.4, 20, 14, 20, 34
_FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
#: On #0d1117 each has a contrast of at least 4.5 to 1.
_COLORS = {"31": "#ff7b72", "32": "#56d364", "33": "#e3b341", "36": "#76e3ea", "2": "#9aa4af", "": "#e6edf3"}
_WORDS = re.compile(r"\S+(?: \S+)*")
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


class Shown(NamedTuple):
    """A recorded machine, how many lines of the output fit, and what a reader hears who does not see it."""

    fixture: str
    lines: int
    told: str


SHOWN = {
    "check": Shown(
        "lab-6.12-nobtf-kheaders",
        48,
        "A terminal with kdiag check on a machine whose kernel has no BTF: the verdict NOT READY with the next "
        "command, a table of what can be traced and what cannot, and the cause with its remedy, sudo kdiag fix",
    )
}


class Run(NamedTuple):
    """Characters beside each other that look alike, from a column on."""

    column: int
    text: str
    color: str
    bold: bool


def picture(name: str) -> str:
    """The SVG of this name."""
    shown = SHOWN[name]
    report = localised(report_on(opened(str(FIXTURES / shown.fixture))), root=False, kdiag="kdiag")
    said = render_as("text", report, Options(width=_COLUMNS, color=True)).rstrip("\n").split("\n")
    rest = len(said) - shown.lines
    lines = ["\x1b[32m$\x1b[0m \x1b[1mkdiag check\x1b[0m", *said[: shown.lines]]
    return svg([*lines, f"\x1b[2m⋮ {rest} more lines\x1b[0m"], shown.told)


def svg(lines: list[str], told: str) -> str:
    """Lines of a terminal, with their colours, in a window."""
    width = 2 * _EDGE + _COLUMNS * _CELL
    height = _BAR + _EDGE + len(lines) * _LINE
    dots = "".join(f'<circle cx="{20 + 18 * n}" cy="17" r="5" fill="#484f58"/>' for n in range(3))
    body = "\n".join(_line(text, _BAR + _LINE * (n + 1) - 5) for n, text in enumerate(lines) if text)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
        f' height="{height:g}" role="img" aria-labelledby="told">\n'
        f'<title id="told">{escape(told)}</title>\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n{dots}\n'
        f'<g font-family="{_FONT}" font-size="{_SIZE}" xml:space="preserve">\n{body}\n</g>\n</svg>\n'
    )


def _line(text: str, y: int) -> str:
    return "".join(
        f'<text x="{_EDGE + run.column * _CELL:g}" y="{y}" textLength="{len(run.text) * _CELL:g}"'
        f' fill="{_COLORS[run.color]}"{" font-weight=" + chr(34) + "700" + chr(34) if run.bold else ""}>'
        f"{escape(run.text)}</text>"
        for run in runs(text)
    )


def runs(text: str) -> Iterator[Run]:
    """The parts of a line with their looks; blanks beside each other end one, since a reader may draw them as one."""
    column, styles = 0, set[str]()
    for index, part in enumerate(_SGR.split(text)):
        if index % 2:
            styles = set() if part in ("", "0") else styles | set(part.split(";"))
            continue
        color = next((code for code in _COLORS if code in styles), "")
        for found in _WORDS.finditer(part):
            yield Run(column + found.start(), found[0], color, "1" in styles)
        column += len(part)


def write() -> None:
    """Make all of them anew."""
    for name in SHOWN:
        (IMAGES / f"{name}.svg").write_text(picture(name), encoding="utf-8")


if __name__ == "__main__":
    write()
