"""The capability table of the terminal report: what can be traced here, and for what does not work, why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from kdiag.console.wrap import columns, pad, wrap
from kdiag.model import Capability, Report, Works
from kdiag.report.story.order import for_root, only_root_can_tell, table_groups
from kdiag.report.terminal.page import SGR, Page, works_words

_SAME = "as above"
#: Columns before a title: indent, mark, star.
_LEFT = 6


def table(report: Report, page: Page) -> Iterator[str]:
    """Lines of the table with its legend; nothing if there are no capabilities."""
    groups = table_groups(report)
    if not groups:
        return
    yield page.paint("What you can trace here", "bold")
    required = set(report.required)
    widest = max(columns(page.clean(_title(row))) for _, rows in groups for row in rows)
    title_width = page.room - _LEFT if page.narrow else min(widest, (page.room - _LEFT) * 48 // 100)
    for heading, rows in groups:
        yield ""
        if heading:
            yield "  " + page.paint(heading, "dim")
        above: list[str] = []
        for row in rows:
            titles = wrap(page.clean(_title(row)), title_width) or [""]
            reasons = _reason(row, page, page.room - (_LEFT + 2 if page.narrow else _LEFT + title_width + 2))
            again = row.status is not Works.WORKS and reasons != [] and reasons == above
            above = reasons
            dim = again or row.status is Works.WORKS
            body = [page.paint(line, "dim") if dim else line for line in ([_SAME] if again else reasons)]
            star = page.paint("*", "bold") if row.id in required else " "
            yield from _row(f"  {_mark(row, page)} {star} ", titles, body, title_width, page)
    yield ""
    yield from _legend(report, page)


def _mark(row: Capability, page: Page) -> str:
    if for_root(row):
        return page.root_mark()
    return page.works_mark(Works.UNKNOWN if only_root_can_tell(row) else row.status)


def _title(row: Capability) -> str:
    """The title, with the tool before it where no heading and no word in it says which."""
    if row.tool == "bpftrace" or row.tool.casefold() in row.title.casefold():
        return row.title
    return f"{row.tool}: {row.title}"


def _reason(row: Capability, page: Page, width: int) -> list[str]:
    """The deciding reason and what root would change; on a narrow page not for what simply works."""
    if page.narrow and row.status is Works.WORKS and not page.verbose:
        return []
    if for_root(row):
        return [] if row.with_root is Works.WORKS else [works_words(Works.CAVEAT)]
    because = page.clean(row.because)
    if only_root_can_tell(row):
        return wrap(f"{because}{page.dot}as root: {works_words(Works.UNKNOWN)}", width)
    if row.with_root in (None, row.status, Works.UNKNOWN) or row.with_root is None:
        return wrap(because, width)
    root = f"expected as root: {works_words(row.with_root)}"
    joined = page.dot.join(filter(None, (because, root)))
    return [joined] if columns(joined) <= width else [*wrap(because, width), *wrap(root, width)]


def _row(head: str, titles: list[str], reasons: list[str], title_width: int, page: Page) -> Iterator[str]:
    """One capability: mark, star and title, the reason beside them, or below where that is too narrow."""
    if page.narrow:
        yield head + titles[0]
        yield from (" " * _LEFT + title for title in titles[1:])
        yield from (" " * (_LEFT + 2) + reason for reason in reasons)
        return
    for index, (title, reason) in enumerate(zip_longest(titles, reasons, fillvalue="")):
        yield f"{' ' * _LEFT if index else head}{pad(title, title_width)}  {reason}".rstrip()


def _legend(report: Report, page: Page) -> Iterator[str]:
    """What the marks mean, those that were used."""
    rows = report.capabilities
    marks = [
        f"{page.works_mark(status)} {_words(status, rows)}"
        for status in Works
        if any(_told(row) is status for row in rows)
    ]
    if any(map(for_root, rows)):
        marks.append(f"{page.root_mark()} expected to work as root")
    line = ""
    for mark in marks:
        if line and columns(SGR.sub("", f"{line}   {mark}")) > page.room - 2:
            yield f"  {line}"
            line = ""
        line = f"{line}   {mark}" if line else mark
    yield f"  {line}"
    if any(row.id in report.required for row in report.capabilities):
        words = "* required: a first session's exercises, or what --require names"
        yield from page.text(words, 2, "dim", rest=4)


def _told(row: Capability) -> Works | None:
    """The status whose mark it has; None if it has the mark of what works as root."""
    if for_root(row):
        return None
    return Works.UNKNOWN if only_root_can_tell(row) else row.status


def _words(status: Works, rows: Iterable[Capability]) -> str:
    """What a mark means: where root was thought of, what has this one works for root neither."""
    if status is Works.FAILS and any(map(for_root, rows)):
        return "works for no user here"
    return works_words(status)
