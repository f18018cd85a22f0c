"""A fleet for a terminal: how many are ready, what changed, by which properties, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdiag.console.wrap import columns, pad, wrap
from kdiag.fleet.limits import Judged
from kdiag.fleet.value import Cause, Change, Fleet, Group, Names, Since
from kdiag.model import Works
from kdiag.report.terminal.page import Page

#: Rows of each part that are shown without --verbose.
_GROUPS, _CAUSES, _CHANGES, _POINTS = 20, 12, 12, 8
_CHANGED = {
    "lost": "Worked before, fails now",
    "unknown": "Worked before, cannot be told now",
    "worse": "Works with a caveat now",
    "gained": "Failed before, works now",
}


def render(fleet: Fleet, page: Page, limits: Sequence[Judged] = ()) -> str:
    """The whole text, ending in a newline."""
    lines = [*page.text(summary(fleet), 0, "bold"), ""]
    for one in limits:
        style = "bad" if one.over else "open" if one.open else "good"
        lines += page.text(one.sentence, 2, style, rest=4)
    lines += [""] if limits else []
    lines += _since(fleet.since, fleet, page) if fleet.since else ()
    lines += _table(fleet.keys, fleet.groups, page) if fleet.keys else ()
    lines += _causes(fleet, page)
    lines += _trend(fleet, page)
    for name, why in fleet.skipped[: None if page.verbose else 10]:
        lines += page.text(f"not read {name}: {why}", 0, rest=2)
    more = fleet.unread - len(fleet.skipped[: None if page.verbose else 10])
    lines += page.text(f"and {more} more that could not be read", 0) if more > 0 else ()
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def summary(fleet: Fleet) -> str:
    """The answer in one line."""
    counts = fleet.counts
    parts = [f"{counts.ready:,} ready", f"{counts.not_ready:,} not ready"]
    parts += [f"{counts.unknown:,} cannot tell"] if counts.unknown else []
    words = f"{machines(counts.machines)}: {', '.join(parts)}"
    if fleet.since is not None:
        words += f"; {fleet.since.regressed.machines:,} regressed"
    if fleet.unread:
        words += f"; {fleet.unread:,} {'input' if fleet.unread == 1 else 'inputs'} could not be read"
    if fleet.repeated:
        noun = "report" if fleet.repeated == 1 else "reports"
        words += f"; {fleet.repeated:,} older {noun} of the same machine left out"
    return words


def machines(count: int) -> str:
    """That many of them."""
    return "1 machine" if count == 1 else f"{count:,} machines"


def when(taken: str) -> str:
    """A time as people read it."""
    return taken.replace("T", " ").removesuffix(":00Z").removesuffix("Z")[:16] or "an unknown time"


def _since(since: Since, fleet: Fleet, page: Page) -> Iterator[str]:
    yield page.paint(f"Since {page.clean(since.name)}", "bold") + page.paint(
        f"  {when(since.taken)}, {machines(since.counts.machines)}", "dim"
    )
    if since.fell.machines:
        yield from _named("no longer ready", since.fell, page)
    if since.missing.machines:
        yield from _named("not in this collection", since.missing, page)
    if since.new.machines:
        yield from _named("new", since.new, page)
    if since.improved.machines:
        yield from _named("improved", since.improved, page)
    yield from page.text(f"{since.same:,} of {machines(fleet.counts.machines)} answer as before", 2)
    yield ""
    for kind, heading in _CHANGED.items():
        found = [change for change in since.changes if change.kind == kind]
        if not found:
            continue
        yield page.paint(heading, "bold")
        yield ""
        if kind in ("worse", "gained") and not page.verbose:
            yield from page.text(", ".join(dict.fromkeys(change.title for change in found)), 2)
            yield ""
            continue
        shown = found if page.verbose else found[:_CHANGES]
        for change in shown:
            yield from _change(change, page)
        if len(found) > len(shown):
            yield from (*page.text(f"and {len(found) - len(shown)} more: --verbose has all", 2), "")


def _change(change: Change, page: Page) -> Iterator[str]:
    required = ", required" if change.required else ""
    first, *rest = page.text(f"{change.title} (on {machines(change.machines)}{required})", 2, rest=4)
    yield f"{page.works_mark(Works(change.now or 'unknown'))} {first.strip()}"
    yield from rest
    yield from page.labelled("because", _caused(change.cause, change.because))
    yield from page.labelled("machines", some(Names(change.machines, change.examples)))
    if change.next:
        yield page.command(change.next, "try")
    yield ""


def _table(keys: Sequence[str], groups: Sequence[Group], page: Page) -> Iterator[str]:
    heads = (*keys, "machines", "ready", "not ready", "cannot tell")
    shown = groups if page.verbose else groups[:_GROUPS]
    rows = [
        (
            *(page.clean(value) or "-" for value in group.values),
            *(f"{n:,}" for n in (group.counts.machines, *group.counts)),
        )
        for group in shown
    ]
    widths = [max(map(columns, column)) for column in zip(heads, *rows, strict=True)]
    yield page.paint(
        "  ".join(_cell(h, w, i >= len(keys)) for i, (h, w) in enumerate(zip(heads, widths, strict=True))),
        "bold",
    )
    for row in rows:
        yield "  ".join(_cell(v, w, i >= len(keys)) for i, (v, w) in enumerate(zip(row, widths, strict=True)))
    if len(groups) > len(shown):
        rest = sum(group.counts.machines for group in groups[len(shown) :])
        yield f"and {len(groups) - len(shown)} more ({machines(rest)}): --verbose has all"
    yield ""


def _cell(value: str, width: int, right: bool) -> str:
    return " " * (width - columns(value)) + value if right else pad(value, width)


def _causes(fleet: Fleet, page: Page) -> Iterator[str]:
    """First those that a required capability waits for; the others in a line each."""
    if not fleet.causes:
        if fleet.counts.machines:
            yield from page.text("Everything works on all of them.", 0)
        return
    grave = [cause for cause in fleet.causes if cause.required]
    others = [cause for cause in fleet.causes if not cause.required]
    if grave:
        yield from (page.paint("Why they are not ready", "bold"), "")
    shown = grave if page.verbose else grave[:_CAUSES]
    for cause in shown:
        yield from _cause(cause, page)
    if len(grave) > len(shown):
        yield from (*page.text(f"and {len(grave) - len(shown)} more causes: --verbose has all", 2), "")
    if others:
        yield from (page.paint("Also limited, and not required", "bold"), "")
        for cause in others if page.verbose else others[:_CAUSES]:
            yield from _counted(cause.machines, _caused(cause.id, cause.words), page)
        yield ""


def _cause(cause: Cause, page: Page) -> Iterator[str]:
    others = cause.wordings - 1
    more = f" (and {others} other wording{'s' * (others > 1)})" if others else ""
    words = cause.words or "for no reason that a finding gives"
    yield from _counted(cause.required, f"{words}{more}", page, "bold")
    if cause.id:
        yield from page.labelled("cause", cause.id)
    waiting = [f"{one.title} ({one.machines:,})" for one in cause.waiting if one.required or page.verbose]
    more = (
        f" and {len(cause.waiting) - len(waiting)} not required" if len(cause.waiting) > len(waiting) else ""
    )
    yield from page.labelled("waiting", ", ".join(waiting) + more)
    yield from page.labelled("machines", some(Names(cause.machines, cause.examples)))
    if cause.next:
        yield page.command(cause.next, "try")
    yield ""


def _counted(count: int, words: str, page: Page, *styles: str) -> Iterator[str]:
    """A number in a column of its own, and words beside it."""
    for index, line in enumerate(wrap(page.clean(words), page.room - 9)):
        yield f"{'' if index else f'{count:,}':>7}  {page.paint(line, *styles) if styles else line}"


def _trend(fleet: Fleet, page: Page) -> Iterator[str]:
    if not fleet.trend:
        return
    yield page.paint("Collections", "bold")
    for point in fleet.trend if page.verbose else fleet.trend[-_POINTS:]:
        counts = point.counts
        told = f", {counts.unknown:,} cannot tell" if counts.unknown else ""
        words = f"{counts.ready:,} ready, {counts.not_ready:,} not ready{told}"
        yield f"  {when(point.taken):<16}  {counts.machines:>9,} machines  {words}"
    yield ""


def _named(label: str, names: Names, page: Page) -> list[str]:
    return page.text(f"{names.machines:,} {label}: {some(names)}", 2, rest=4)


def some(names: Names) -> str:
    """The examples, and how many more there are."""
    more = names.machines - len(names.examples)
    return ", ".join(names.examples) + (f" and {more:,} more" if more > 0 else "")


def _caused(cause: str, words: str) -> str:
    return f"{cause}: {words}" if cause else words
