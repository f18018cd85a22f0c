"""A fleet as Markdown, for the summary of a CI job or a ticket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdiag.fleet.limits import Judged
from kdiag.fleet.text import machines, summary, when
from kdiag.fleet.value import Fleet, Since
from kdiag.report.faces.markup import code, prose

_MOST = 50
_CHANGED = {
    "lost": "fails now",
    "unknown": "cannot be told now",
    "worse": "has a caveat now",
    "gained": "works now",
}


def render(fleet: Fleet, limits: Sequence[Judged] = ()) -> str:
    """The whole text, ending in a newline."""
    lines = ["# kdiag: the fleet", "", prose(summary(fleet)), ""]
    lines += [f"- {'**over** ' if one.over else ''}{prose(one.sentence)}" for one in limits]
    lines += [""] if limits else []
    lines += _since(fleet.since) if fleet.since else ()
    if fleet.keys:
        heads = (*map(prose, fleet.keys), "machines", "ready", "not ready", "cannot tell")
        rows = [
            (*(prose(v) or "-" for v in g.values), *map(str, (g.counts.machines, *g.counts)))
            for g in fleet.groups
        ]
        lines += [*_table(heads, rows), ""]
    if fleet.causes:
        causes = [
            (f"{c.required}", f"{c.machines}", code(c.id), prose(c.words), code(c.next)) for c in fleet.causes
        ]
        lines += [*_table(("not ready", "limited", "cause", "in words", "repair"), causes), ""]
    if fleet.skipped:
        lines += [f"## Could not be read: {fleet.unread}", ""]
        lines += [*(f"- {code(name)} {prose(why)}" for name, why in fleet.skipped[:_MOST]), ""]
    return "\n".join(lines).rstrip() + "\n"


def _since(since: Since) -> Iterator[str]:
    yield from (f"## Since {prose(when(since.taken))}", "")
    rows = [
        (
            str(c.machines),
            prose(c.title),
            _CHANGED[c.kind],
            code(c.cause),
            prose(c.because),
            prose(", ".join(c.examples)),
        )
        for c in since.changes
    ]
    if rows:
        yield from (*_table(("machines", "what", "now", "cause", "because", "such as"), rows), "")
    for words, some in (("no longer ready", since.fell), ("missing", since.missing), ("new", since.new)):
        if some.machines:
            yield f"- {machines(some.machines)} {words}: {prose(', '.join(some.examples))}"
    yield ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(row)} |" for row in rows[:_MOST])
    if len(rows) > _MOST:
        yield f"| {len(rows) - _MOST} more{' |' * len(heads)}"
