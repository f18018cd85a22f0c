"""How many messages `kdiag why` explains rightly, of those that were printed on machines whose cause is known:

    python -m tests.support.why_agreement

prints the table that docs/why.md has; tests/why holds the two against each other. Three kinds of pairs:

- a public report: its machine, described by its facts, the lines that were printed there, and the cause that the report
  came to (tests/cases);
- a booted guest: what bpftrace printed in it, and what the guest was made of (tests/why/observed.toml);
- a container of a real engine: the error number that bpf(2) gave in it, in the words of each tool, and the setting that
  refuses (tests/observations/containers.toml).

Right is the established cause (or harmless, where the script then worked). No cause where one was to be found is
counted apart from a false one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from kdiag.errnos import words
from kdiag.model import Report
from kdiag.why.joining import join
from kdiag.why.judging import explained
from kdiag.why.value import Answer
from tests.support import machine_data, machines, toml
from tests.support.cases import cases, messages
from tests.support.description import Description
from tests.support.engine_cells import cells
from tests.support.observations import PLACE
from tests.support.paths import REPOSITORY
from tests.support.reports import report_on

SEEN = REPOSITORY / "tests" / "why" / "observed.toml"
#: How tools word a map that bpf(2) refused: {error} is the C library's text, {small} as Go and Rust print it, {number}.
REFUSED = {
    "bpftrace": "ERROR: failed to create map: '@': {error}",
    "libbpf": "libbpf: map 'events': failed to create: {error}(-{number})",
    "libbpf 1.6": "libbpf: map 'events': failed to create: -{name}",
    "BCC": "could not open bpf map: events, error: {error}",
    "cilium/ebpf": "loading objects: field Events: map events: map create: {small}",
}
_NUMBERS = {"EPERM": 1, "EACCES": 13}
#: In the place of a cause, where what printed the message then worked; the reports of which that is true.
HARMLESS = "harmless"
_WORKED = {"K080"}


class Pair(NamedTuple):
    """A text, the machine that it was printed on, and the causes of which one is to be named."""

    kind: str
    name: str
    text: str
    machine: Description
    causes: tuple[str, ...]


def pairs() -> Iterator[Pair]:
    """All of them."""
    yield from _reported()
    yield from _observed()
    yield from _contained()


def _reported() -> Iterator[Pair]:
    for name, (text, cause) in messages().items():
        causes = (HARMLESS,) if name in _WORKED else (cause,)
        yield Pair("public reports", name, text, cases()[name].build(), causes)


def _observed() -> Iterator[Pair]:
    for number, one in enumerate(_seen()):
        table, _, situation = one["situation"].partition(": ")
        described = (
            cells()[situation].build()
            if table == "containers"
            else machines.bpftrace(machine_data.machine(situations(table)[situation]), one["bpftrace"])
        )
        cause = HARMLESS if one.get("harmless") else one["cause"]
        yield Pair(
            "booted guests", f"{one['situation']}-{number}", one["message"].strip(), described, (cause,)
        )


@cache
def _seen() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = toml.read(SEEN)["seen"]
    return found


@cache
def situations(table: str) -> dict[str, dict[str, Any]]:
    """The machines of a table of tests/observations, by name."""
    return {one["name"]: one["machine"] for one in toml.read(PLACE / f"{table}.toml")["situation"]}


def _contained() -> Iterator[Pair]:
    for cell in cells().values():
        name, _ = cell.seen.answers.get("bpf:map", ("", ""))
        if not cell.because or cell.works.get("hello", True) or name not in _NUMBERS:
            continue
        number = _NUMBERS[name]
        for tool, template in REFUSED.items():
            text = template.format(error=words(number), small=words(number).lower(), number=number, name=name)
            yield Pair("containers", f"{cell.name}: {tool}", text, cell.build(), tuple(cell.because))


def verdict(pair: Pair, report: Report) -> str:
    """right, none (no cause is established), or false."""
    answers = explained(join(pair.text.splitlines()), report).answers
    if not answers:
        return "none"
    first: Answer = answers[0]
    if first.outcome == "harmless":
        return "right" if pair.causes == (HARMLESS,) else "false"
    if first.cause is None or first.outcome != "established":
        return "none"
    return "right" if first.cause.id in pair.causes else "false"


class Count(NamedTuple):
    """Pairs of one kind."""

    right: int = 0
    none: int = 0
    false: int = 0

    @property
    def all(self) -> int:
        """How many there are."""
        return sum(self)


def counted() -> tuple[dict[str, Count], list[str]]:
    """By kind; and what is not right."""
    found: dict[str, Count] = {}
    wrong = []
    reports: dict[str, Report] = {}
    for pair in pairs():
        cell = pair.name.partition(": ")[0] if pair.kind == "containers" else pair.name
        report = reports.get(cell) or report_on(pair.machine.recording())
        reports = {cell: report}
        said = verdict(pair, report)
        before = found.get(pair.kind, Count())
        found[pair.kind] = before._replace(**{said: getattr(before, said) + 1})
        if said != "right":
            wrong.append(f"{pair.kind}: {pair.name}: {said}")
    return found, wrong


def table(found: dict[str, Count]) -> str:
    """In Markdown."""
    lines = ["| messages of | pairs | right | no cause | false |", "|---|---:|---:|---:|---:|"]
    total = Count(*(sum(column) for column in zip(*found.values(), strict=True)))
    for kind, count in (*found.items(), ("**all**", total)):
        share = f"{100 * count.right / count.all:.1f} %"
        lines.append(f"| {kind} | {count.all} | {count.right} ({share}) | {count.none} | {count.false} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and what is not right."""
    found, wrong = counted()
    sys.stdout.write(table(found) + "".join(f"{one}\n" for one in wrong))


if __name__ == "__main__":
    main()
