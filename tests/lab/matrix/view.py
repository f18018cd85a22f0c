"""What the table and the page show, from cells and results: rows of kernel and bpftrace, columns of headers states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kdiag.smoke.model import Outcome

from . import judge, rules
from .axes import EXTRA_ROOTS, HEADERS, KERNELS, ROOTS, Cell, possible
from .judge import MISTAKES, Agreement, Judgement, Kind
from .store import Result


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell as it is shown. ``worked`` of ``tried`` programs; ``mistakes`` of kdiag, ``open``: left unknown.

    ``tools``: both numbers of each tool that was tried.
    """

    cell: Cell
    worked: int
    tried: int
    right: int
    mistakes: int
    wrong_works: int
    open: int
    tools: Mapping[str, tuple[int, int]]
    judgements: tuple[Judgement, ...]

    @property
    def tone(self) -> str:
        """Colour by how right kdiag was: good, open (an unknown that must be), care, bad (a wrong "works"), none."""
        if self.wrong_works:
            return "bad"
        if self.mistakes:
            return "care"
        if self.open:
            return "open"
        return "good" if self.right else "none"

    @property
    def text(self) -> str:
        """``17/20``: what worked of what was tried; "not tried" where hello could not even be.

        With the tools' names where there is another than bpftrace: ``bpftrace 17/20, libbpf 6/6``.
        """
        if {*self.tools} <= {"bpftrace"}:
            return f"{self.worked}/{self.tried}" if self.tried else "not tried"
        return ", ".join(f"{tool} {worked}/{tried}" for tool, (worked, tried) in self.tools.items())


@dataclass(frozen=True, slots=True)
class Row:
    """A kernel under a user space: per headers state the entries, None where this state cannot be.

    ``bpftrace``: its release, or the root's name where other tools are tried.
    """

    kernel: str
    release: str
    root: str
    bpftrace: str
    entries: Mapping[str, tuple[Entry, ...] | None]


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is shown.

    ``command``: what makes these results. ``missing``: planned cells without one. ``cpu``: seconds of all guests.
    """

    command: str
    rows: tuple[Row, ...]
    cells: int
    missing: int
    agreement: Agreement
    tools: Mapping[str, Agreement]
    mistakes: tuple[Judgement, ...]
    allowed: tuple[tuple[rules.Rule, tuple[Judgement, ...]], ...]
    days: tuple[str, ...]
    kdiag: tuple[str, ...]
    qemu: tuple[str, ...]
    cpu: float


def view(command: str, cells: Sequence[Cell], results: Sequence[Result]) -> View:
    """Judge and arrange."""
    by_cell = {result.cell: result for result in results}
    entries = {cell: entry(result) for cell, result in by_cell.items()}
    judgements = [one for found in entries.values() for one in found.judgements]
    allowed = {
        rule: tuple(one for one in judgements if one.kind is Kind.ALLOWED and one.rule == rule.name)
        for rule in rules.RULES
    }
    order = {kind: number for number, kind in enumerate(MISTAKES)}
    return View(
        command,
        tuple(_rows(cells, by_cell, entries)),
        len(results),
        len(cells) - len(results),
        judge.agreement(judgements),
        judge.by_tool(judgements),
        tuple(
            sorted(
                (one for one in judgements if one.kind in MISTAKES),
                key=lambda one: (order[one.kind], one.cell),
            )
        ),
        tuple((rule, found) for rule, found in allowed.items() if found),
        _all(result.taken for result in results),
        _all(f"{result.versions['kdiag']} ({result.versions['predicted']})" for result in results),
        _all(result.versions["qemu"] for result in results),
        sum(result.cpu_seconds for result in results),
    )


def _all(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def entry(result: Result) -> Entry:
    """A result, counted."""
    found = tuple(judge.judge(result))
    kinds = Counter(one.kind for one in found)
    return Entry(
        result.cell,
        *_numbers(found),
        kinds[Kind.AGREES],
        sum(kinds[kind] for kind in MISTAKES),
        kinds[Kind.WRONG_WORKS],
        kinds[Kind.ALLOWED],
        {tool: _numbers(one for one in found if one.tool == tool) for tool in _tried(found)},
        found,
    )


def _tried(found: Sequence[Judgement]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.tool for one in found if one.outcome is not Outcome.SKIPPED))


def _numbers(found: Iterable[Judgement]) -> tuple[int, int]:
    """How many worked, of how many that were tried."""
    outcomes = [one.outcome for one in found if one.outcome is not Outcome.SKIPPED]
    return sum(one in (Outcome.WORKS, Outcome.WARNS) for one in outcomes), len(outcomes)


def _rows(
    cells: Sequence[Cell], results: Mapping[Cell, Result], entries: Mapping[Cell, Entry]
) -> Iterable[Row]:
    planned = {(cell.kernel, cell.root) for cell in cells}
    for kernel in dict.fromkeys((*KERNELS, *(cell.kernel for cell in cells))):
        for root in (*ROOTS, *EXTRA_ROOTS):
            if (kernel, root) not in planned:
                continue
            mine = [cell for cell in cells if (cell.kernel, cell.root) == (kernel, root)]
            known = next((results[cell] for cell in mine if cell in results), None)
            yield Row(
                kernel,
                known.versions["kernel"] if known else "",
                root,
                _label(root, known),
                {
                    headers: tuple(
                        entries[cell] for cell in mine if cell.headers == headers and cell in entries
                    )
                    if possible(kernel, headers)
                    else None
                    for headers in HEADERS
                },
            )


def _label(root: str, known: Result | None) -> str:
    if root in EXTRA_ROOTS:
        return root
    return known.versions["bpftrace"].partition("-")[0] if known else ROOTS[root].split()[-1]
