"""A comparison as GitHub-flavoured Markdown: for a job's summary or an issue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kdiag.compare.naming import common_values, directory_of, names, own_values
from kdiag.compare.value import Change, Column, Comparison, Row
from kdiag.console.wrap import clean

_MARKS = {
    "works": "✅", "caveat": "🟡", "fails": "❌", "unknown": "❔", "": "–",
    "ok": "✅", "warn": "🟡", "fail": "❌", "skip": "–",
}  # fmt: skip
_MOST = 12
_NAMES = 3
_HEADINGS = {
    "lost": "Worked before, fails now",
    "unknown": "Worked before, cannot be told now",
    "worse": "Works with a caveat now",
    "gained": "Failed before, works now",
}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!@])")


def render(comparison: Comparison) -> str:
    """The document, ending in a newline."""
    lines = [f"## {_text(comparison.title)}", "", _text(comparison.summary), ""]
    shown = comparison.columns[:_MOST]
    if common := common_values(comparison):
        lines += [f"All: {', '.join(map(_text, common))}", ""]
    lines += _table(("", "machines", "names", "what they are"), (_head(c, comparison) for c in shown))
    lines += [line for sentence in comparison.information for line in (_text(sentence), "")]
    lines += [line for kind in _HEADINGS for line in _changes(kind, comparison)]
    groups = [g for g in comparison.groups if any(r.kind == "capability" for r in g.rows)]
    for group in groups:
        lines += [f"### {_text(group.cause)}", "", f"On {group.machines} of {comparison.total} machines.", ""]
        lines += _table(("", *(c.key for c in shown)), (_row(row, len(shown)) for row in group.rows))
    return "\n".join(lines).rstrip() + "\n"


def _text(text: str) -> str:
    """Untrusted text: nothing in it is markup, a link, a mention or HTML."""
    return _SPECIAL.sub(r"\\\1", clean(text))


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _head(column: Column, comparison: Comparison) -> Sequence[str]:
    base = comparison.baseline is not None and column is comparison.columns[comparison.baseline]
    own = ", ".join(map(_text, own_values(column, common_values(comparison))))
    told = _text(names(column, directory_of(comparison), _NAMES))
    return column.key, "baseline" if base else str(column.count), told, own


def _changes(kind: str, comparison: Comparison) -> Iterator[str]:
    some = [change for change in comparison.changes if change.kind == kind]
    if some:
        yield f"### {_HEADINGS[kind]}"
        yield ""
        yield from (line for change in some for line in _change(change, comparison))
        yield ""


def _change(change: Change, comparison: Comparison) -> Iterator[str]:
    where = (
        f" ({change.machines} of {comparison.total}: {', '.join(change.columns[:6])})"
        if comparison.total > 1
        else ""
    )
    yield f"- {_MARKS[change.now]} **{_text(change.title)}**{where}: {_text(change.because)}"
    yield from (f"  - {_text(link.id)}: {_text(link.summary)}" for link in change.chain)
    if change.next:
        fence = "`" * (1 + max((len(run) for run in re.findall("`+", change.next)), default=0))
        yield f"  - {fence} {clean(change.next)} {fence}"


def _row(row: Row, shown: int) -> Sequence[str]:
    title = _text(row.title or row.id)
    return (
        title if row.kind == "capability" else f"*{title}*",
        *(_MARKS.get(c.status, "❔") for c in row.cells[:shown]),
    )
