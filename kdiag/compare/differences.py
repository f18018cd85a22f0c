"""What differs between machines, grouped by the finding at the root, and what is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from kdiag.compare.causes import Machine, badness
from kdiag.compare.grouping import Alike, Fold, column, key
from kdiag.compare.grouping import properties as properties_of
from kdiag.compare.reading.answers import Fact, MachineSummary
from kdiag.compare.regressions import changes_since
from kdiag.compare.value import Cell, Change, Comparison, Group, Row
from kdiag.model import Capability

#: Columns that are shown unless asked otherwise: more would not fit on a page, and the rest are counted.
SHOWN = 40

BASELINE = "base"

_Item = TypeVar("_Item", Capability, Fact)

#: How many wordings of one cause a heading has.
_WORDINGS = 2


class Side:
    """One column while it is compared. count: its machines, none for the baseline; roots: by capability that does
    not fully work, the finding at the root.
    """

    def __init__(self, alike: Alike, key: str) -> None:
        self.key = key
        self.count = 0 if key == BASELINE else alike.count
        self.machine = Machine(alike.summary)
        chains = ((c.id, self.machine.why(c)) for c in alike.summary.capabilities)
        self.roots = {id_: chain[-1] for id_, chain in chains if chain}


def compare(
    fold: Fold, baseline: MachineSummary | None = None, name: str = "baseline", shown: int | None = SHOWN
) -> Comparison:
    """The comparison of folded machines. The baseline comes first, under its name; shown: columns, None for all."""
    folded = fold.columns()
    every = (
        [] if baseline is None else [(BASELINE, Alike(baseline, {properties_of(baseline.machine): [name]}))]
    )
    every += [(key(index), alike) for index, alike in enumerate(folded)]
    sides = [Side(alike, name) for name, alike in every]
    kept = len(every) if shown is None else min(shown, len(every))
    reference = sides[0].machine if baseline is not None else None
    table = _Table(sides, kept, reference)
    total = sum(side.count for side in sides)
    groups = table.groups()
    changes = (
        ()
        if reference is None
        else tuple(changes_since(reference, [(s.key, s.count, s.machine) for s in sides[1:]]))
    )
    return Comparison(
        title="kdiag: machines compared",
        summary=_summary(total, fold.kinds, groups, None if reference is None else changes),
        columns=tuple(column(name, alike) for name, alike in every[:kept]),
        groups=groups,
        alike=table.alike(),
        baseline=None if reference is None else 0,
        changes=changes,
        total=total,
        kinds=fold.kinds,
        hidden=(len(every) - kept, sum(side.count for side in sides[kept:])),
    )


class _Table:
    """All capabilities and findings against all columns. kept: columns that get cells; the others only count."""

    def __init__(self, sides: Sequence[Side], kept: int, reference: Machine | None) -> None:
        self._sides = sides
        self._kept = sides[:kept]
        self._reference = reference
        capabilities = _first_of(s.machine.capabilities.values() for s in sides)
        facts = _first_of(s.machine.facts.values() for s in sides)
        self._differing = [
            c for c in capabilities if _differ(s.machine.capabilities.get(c.id) for s in sides)
        ]
        self._differing_facts = {f.id: f for f in facts if _differ(s.machine.facts.get(f.id) for s in sides)}
        ids = {c.id for c in self._differing}
        self._alike = [c for c in capabilities if c.id not in ids]
        self._alike_facts = [f for f in facts if f.id not in self._differing_facts]

    def alike(self) -> tuple[Row, ...]:
        """The rows that are the same in every column."""
        return tuple(self._row(item) for some in (self._alike, self._alike_facts) for item in some)

    def groups(self) -> tuple[Group, ...]:
        """What differs, by root: those that most capabilities wait for first."""
        by_root: dict[str, list[Capability]] = {}
        for capability in self._differing:
            roots = {s.roots[capability.id].id: None for s in self._sides if capability.id in s.roots}
            for root in roots or {"": None}:
                by_root.setdefault(root, []).append(capability)
        told = by_root.keys() | self._differing_facts.keys()
        for fact in self._differing_facts.values():
            if fact.id not in by_root and not self._follows(fact.id, told):
                by_root[fact.id] = []
        groups = [self._group(root, waiting) for root, waiting in by_root.items()]
        return tuple(
            sorted(groups, key=lambda g: (-sum(r.kind == "capability" for r in g.rows), -g.machines))
        )

    def _follows(self, fact_id: str, told: Iterable[str]) -> bool:
        """Whether another finding that is told explains this one, where it is first seen not to be fine."""
        for side in self._sides:
            fact = side.machine.trouble(fact_id)
            if fact is not None:
                return any(cause.id in told for cause in side.machine.chain(fact)[1:])
        return False

    def _group(self, root: str, waiting: Sequence[Capability]) -> Group:
        rows: Iterator[Row] = map(self._row, waiting)
        concerned = [s for s in self._sides if any(self._root(s, c.id) == root for c in waiting)]
        if not root:
            return Group("", self._untold(waiting), sum(_counts(self._sides, waiting)), tuple(rows))
        facts = [f for s in self._sides if (f := s.machine.trouble(root)) is not None]
        if not waiting:
            concerned = [s for s in self._sides if s.machine.trouble(root) is not None]
        # Each machine says it in its own words; the heading has those of the machines that it is about.
        own = dict.fromkeys(f.summary for s in concerned if (f := s.machine.trouble(root)) is not None)
        words = list(own) or [facts[0].summary]
        more = f"; and {len(words) - _WORDINGS} more" if len(words) > _WORDINGS else ""
        cause = f"{root}: {'; '.join(words[:_WORDINGS])}{more}"
        return Group(root, cause, sum(s.count for s in concerned), (self._row(facts[0]), *rows))

    def _untold(self, waiting: Sequence[Capability]) -> str:
        """The one reason that the capabilities themselves give, where no finding explains them."""
        own = (side.machine.capabilities.get(c.id) for side in self._sides for c in waiting)
        reasons = {c.because for c in own if c is not None and badness(c.status) and c.because}
        return reasons.pop() if len(reasons) == 1 else "for reasons that no finding gives"

    @staticmethod
    def _root(side: Side, capability: str) -> str:
        found = side.roots.get(capability)
        return found.id if found is not None else ""

    def _row(self, item: Capability | Fact) -> Row:
        kind = "capability" if isinstance(item, Capability) else "finding"
        cells = tuple(self._cell(side, item) for side in self._kept)
        return Row(kind, item.id, item.title, cells, sum(_counts(self._sides, (item,))))

    def _cell(self, side: Side, item: Capability | Fact) -> Cell:
        own, before = (
            _own(side.machine, item),
            None if self._reference is None else _own(self._reference, item),
        )
        worse = before is not None and badness(None if own is None else own.status) > badness(before.status)
        if own is None:
            return Cell("", worse=worse and isinstance(item, Capability))
        because = own.because if isinstance(own, Capability) else own.summary
        return Cell(own.status.value, because, self._root(side, own.id), worse)


def _own(machine: Machine, item: Capability | Fact) -> Capability | Fact | None:
    if isinstance(item, Capability):
        return machine.capabilities.get(item.id)
    return machine.facts.get(item.id)


def _counts(sides: Iterable[Side], items: Sequence[Capability | Fact]) -> Iterator[int]:
    """The machines of each side on which one of the items is not as it should be."""
    for side in sides:
        if any((own := _own(side.machine, item)) is not None and badness(own.status) for item in items):
            yield side.count


def _first_of(tables: Iterable[Iterable[_Item]]) -> list[_Item]:
    every: dict[str, _Item] = {}
    for table in tables:
        for item in table:
            every.setdefault(item.id, item)
    return list(every.values())


def _differ(items: Iterable[Capability | Fact | None]) -> bool:
    """Whether not all say the same. A finding that is fine, does not apply or was not asked is none to tell of."""
    seen: set[object] = set()
    for item in items:
        fine = isinstance(item, Fact) and not badness(item.status)
        seen.add(None if item is None or fine else item.status)
        if len(seen) > 1:
            return True
    return False


def _summary(total: int, kinds: int, groups: Sequence[Group], changes: Sequence[Change] | None) -> str:
    machines = "1 machine" if total == 1 else f"{total} machines"
    if changes is not None:
        lost = {c.id for c in changes if c.kind == "lost"}
        unsure = {c.id for c in changes if c.kind == "unknown"}
        text = (
            f"{len(lost)} of the things that worked no longer {'does' if len(lost) == 1 else 'do'}"
            if lost
            else ""
        )
        more = f"{len(unsure)} cannot be told" if unsure else ""
        return (
            f"{machines}: {', and '.join(filter(None, (text, more))) or 'all that worked before still works'}"
        )
    able = {r.id for g in groups for r in g.rows if r.kind == "capability"}
    if not groups:
        return f"{machines}: no difference"
    things = (
        f"{len(able)} {'thing works' if len(able) == 1 else 'things work'} on some only"
        if able
        else "the same works"
    )
    reasons = sum(1 for g in groups if any(r.kind == "capability" for r in g.rows))
    return f"{machines}, {kinds} kinds: {things}" + (
        f", for {reasons} reason{'s' * (reasons > 1)}" if able else ""
    )
