"""An explanation for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kdiag.console.called import spoken
from kdiag.console.wrap import columns, pad, wrap
from kdiag.explain.value import Answer, Outcome, Section
from kdiag.report.terminal.page import Page

_STYLE: dict[Outcome, str] = {"works": "good", "fails": "bad", "unknown": "open", "told": "bold"}
_FOR_ROOT: dict[Outcome, str] = {
    "works": "As root it is expected to work.",
    "fails": "As root it is expected to fail.",
    "unknown": "kdiag cannot tell whether it works as root: run kdiag as root to see.",
    "told": "",
}
#: Columns between the columns of a table.
_GAP = 2
_CODE = re.compile(r"`[^`]*`")
#: In the place of a space that is not broken at; no cleaned text has it.
_HELD = "\0"


def render(answers: Sequence[Answer], page: Page) -> str:
    """The whole text, ending in a newline."""
    lines: list[str] = []
    for answer in answers:
        lines += ["", *_answer(answer, page)] if lines else _answer(answer, page)
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def parts(sections: Sequence[Section], page: Page) -> str:
    """Sections without the answer around them, each followed by an empty line."""
    lines: list[str] = []
    for section in sections:
        if section.text or section.rows or section.commands:
            lines += [*_section(section, page), ""]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _answer(answer: Answer, page: Page) -> list[str]:
    lines = page.text(
        f"{answer.subject}: {answer.title}" if answer.title else answer.subject, 0, "bold", rest=2
    )
    if answer.verdict:
        lines += page.text(answer.verdict, 0, _STYLE[answer.outcome], rest=2)
    if answer.with_root is not None:
        lines += page.text(_FOR_ROOT[answer.with_root], 0, _STYLE[answer.with_root], rest=2)
    for section in answer.sections:
        if section.text or section.rows or section.commands:
            lines += ["", *_section(section, page)]
    return lines


def _section(section: Section, page: Page) -> Iterator[str]:
    indent = 2 if section.title else 0
    if section.title:
        yield from page.text(section.title, 0, "bold")
    for index, paragraph in enumerate(section.text):
        if index:
            yield ""
        yield from _prose(paragraph, page, indent)
    yield from _table(section, page, indent)
    for command in section.commands:
        yield f"  {page.paint('$', 'dim')} {page.paint(page.clean(spoken(command)), 'bold')}"


def _prose(paragraph: str, page: Page, indent: int) -> Iterator[str]:
    """A paragraph whose code is not broken over lines."""
    unbroken = _CODE.sub(lambda code: code[0].replace(" ", _HELD), page.clean(spoken(paragraph)))
    for line in wrap(unbroken, page.room - indent):
        yield " " * indent + line.replace(_HELD, " ")


def _table(section: Section, page: Page, indent: int) -> Iterator[str]:
    """Rows in columns; on a page too narrow for them, each row in lines of its own."""
    if not section.rows:
        return
    rows = [tuple(page.clean(cell) for cell in row) for row in section.rows]
    head = tuple(page.clean(cell) for cell in section.head)
    widths = [max(columns(row[i]) for row in ([*rows, head] if head else rows)) for i in range(len(rows[0]))]
    fixed = indent + sum(width + _GAP for width in widths[:-1])
    if fixed + min(widths[-1], 20) > page.room:
        for row in rows:
            yield from page.text(page.dot.join(filter(None, row)), indent, rest=indent + 2)
        return
    if head:
        yield page.paint(" " * indent + _line(head, widths), "dim")
    for row in rows:
        first, *rest = page.text(row[-1], fixed) or [""]
        yield (" " * indent + _line((*row[:-1], ""), widths)).ljust(fixed) + first[fixed:]
        yield from rest


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    gap = " " * _GAP
    return (
        gap.join(pad(cell, width) for cell, width in zip(cells[:-1], widths, strict=False)) + gap + cells[-1]
    )
