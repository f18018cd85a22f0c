"""What differs between machines, grouped by the finding at the root; what is the same; what changed since a baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from kdiag.compare.causes import Machine, badness
from kdiag.compare.essence import Essence, Fact
from kdiag.compare.fold import Alike, Fold, column, key
from kdiag.compare.value import Cell, Change, Comparison, Group, Link, Row
from kdiag.model import Capability, Status, Works

#: Columns that are shown unless asked otherwise: more are nobody's to read, and the rest are counted.
SHOWN = 40


class _Side:
    """One column while it is compared."""

    def __init__(self, alike: Alike) -> None:
        self.count = alike.count
        self.machine = Machine(alike.essence)
        self.roots: dict[str, Fact] = {}
        for capability in alike.essence.capabilities:
            chain = self.machine.why(capability)
            if chain:
                self.roots[capability.id] = chain[-1]


def compare(fold: Fold, baseline: Essence | None = None, *, name: str = "", shown: int | None = SHOWN) -> Comparison:
    """The comparison of folded machines. `baseline` comes first, under its `name`; shown: columns, None for all."""
    folded = fold.columns()
    first = [] if baseline is None else [Alike(baseline, {_own(baseline): [name]})]
    every = [*first, *folded]
    sides = [_Side(alike) for alike in every]
    kept = len(every) if shown is None else shown
    reference = sides[0].machine if baseline is not None else None
    groups, alike_rows = _rows(sides, kept, reference, len(first))
    columns = tuple(
        column("base" if i < len(first) else key(i - len(first)), alike) for i, alike in enumerate(every[:kept])
    )
    total = sum(alike.count for alike in folded)
    changes = () if reference is None else tuple(_changes(reference, sides[1:]))
    left = every[kept:]
    return Comparison(
        title="kdiag compare",
        summary=_summary(total, fold.kinds, groups, changes, baseline is not None),
        columns=columns,
        groups=groups,
        alike=alike_rows,
        baseline=0 if baseline is not None else None,
        changes=changes,
        total=total,
        kinds=fold.kinds,
        hidden=(len(left), sum(alike.count for alike in left)),
    )


def _own(essence: Essence) -> tuple[str, ...]:
    from kdiag.compare.value import PROPERTIES

    return tuple(getattr(essence.machine, name) for name in PROPERTIES)


# -- rows ------------------------------------------------------------------------------------------------------------


def _rows(
    sides: Sequence[_Side], kept: int, reference: Machine | None, skip: int
) -> tuple[tuple[Group, ...], tuple[Row, ...]]:
    """The groups of what differs, and the rows that do not. skip: sides that are not counted (the baseline)."""
    capabilities = _union(side.machine.capabilities for side in sides)
    facts = _union(side.machine.facts for side in sides)
    alike: list[Row] = []
    by_root: dict[str, list[Row]] = {}
    for item in capabilities.values():
        row = _capability_row(item, sides, kept, reference, skip)
        if _differs(side.machine.capabilities.get(item.id) for side in sides):
            for root in dict.fromkeys(_roots(item.id, sides)) or {"": None}:
                by_root.setdefault(root, []).append(row)
        else:
            alike.append(row)
    differing = {f.id: f for f in facts.values() if _differs(side.machine.facts.get(f.id) for side in sides)}
    for fact in differing.values():
        # A finding that only follows from another one is told by that.
        if fact.id not in by_root and not _follows(fact.id, sides, by_root.keys() | differing.keys()):
            by_root[fact.id] = []
    alike += [_fact_row(f, sides, kept, reference, skip) for f in facts.values() if f.id not in differing]
    groups = [_group(root, rows, facts, sides, kept, reference, skip) for root, rows in by_root.items()]
    return tuple(sorted(groups, key=lambda g: (-sum(r.kind == "capability" for r in g.rows), -g.machines))), tuple(alike)


def _union(tables: Iterable[dict[str, Capability] | dict[str, Fact]]) -> dict[str, Capability | Fact]:
    every: dict[str, Capability | Fact] = {}
    for table in tables:
        for id_, item in table.items():
            every.setdefault(id_, item)
    return every
