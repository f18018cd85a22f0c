"""Machines that say the same folded into one, however many there are: memory grows with what is different only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kdiag.compare.reading.answers import MachineSummary
from kdiag.compare.reading.inputs import BadInput
from kdiag.compare.reading.memory import OVERHEAD
from kdiag.compare.value import PROPERTIES, Column
from kdiag.model import MachineInfo

#: As long as there are no more columns than this, machines that differ in a property have columns of their own.
FEW = 12
#: Bytes of what differs between machines, which all has to be there at once to be shown side by side.
_MOST = 192 * 1024 * 1024

Properties = tuple[str, ...]


@dataclass(slots=True)
class Alike:
    """Machines with the same answers: the first one's summary, and the names of all by their properties."""

    summary: MachineSummary
    names: dict[Properties, list[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many machines."""
        return sum(map(len, self.names.values()))


class Fold:
    """Takes machines one after the other."""

    def __init__(self) -> None:
        self._alike: dict[bytes, Alike] = {}
        self._properties: dict[Properties, Properties] = {}
        #: Of the answers that are held.
        self._ids: set[int] = set()
        self._size = 0

    def add(self, name: str, summary: MachineSummary) -> None:
        """One more machine. Raises BadInput where there is no room for it."""
        if self._size > _MOST:
            raise BadInput(
                f"left out: the machines before it have more than {_MOST >> 20} MiB of names and different answers, "
                "too many to be shown side by side; --fleet counts any number"
            )
        alike = self._alike.get(summary.answers)
        if alike is None:
            alike = self._alike[summary.answers] = Alike(summary)
            self._size += self._new(summary)
        own = properties(summary.machine)
        if own not in self._properties:
            self._size += sum(map(len, own)) + OVERHEAD
        own = self._properties.setdefault(own, own)
        if own not in alike.names:
            self._size += OVERHEAD
        alike.names.setdefault(own, []).append(name)
        self._size += len(name) + 60

    def _new(self, summary: MachineSummary) -> int:
        """How many bytes a kind of machines takes: the answers that others have, too, are there once."""
        new = [item for item in (*summary.capabilities, *summary.facts) if id(item) not in self._ids]
        self._ids.update(map(id, new))
        size = sum([2 * len(repr(item)) + OVERHEAD for item in new])
        return size + OVERHEAD + 8 * (len(summary.capabilities) + len(summary.facts))

    def columns(self) -> list[Alike]:
        """The machines folded, the most frequent first: by answers and properties while those are few, else by
        answers alone.
        """
        every = list(self._alike.values())
        if sum(len(alike.names) for alike in every) <= FEW:
            every = [Alike(a.summary, {own: names}) for a in every for own, names in a.names.items()]
        return sorted(every, key=lambda alike: -alike.count)

    @property
    def kinds(self) -> int:
        """How many different sets of answers there are."""
        return len(self._alike)


def properties(machine: MachineInfo) -> Properties:
    """The values of PROPERTIES, in their order."""
    return tuple([getattr(machine, name) for name in PROPERTIES])


def column(key: str, alike: Alike) -> Column:
    """Folded machines as a column of the comparison."""
    counts: list[Counter[str]] = [Counter() for _ in PROPERTIES]
    for own, names in alike.names.items():
        for counter, value in zip(counts, own, strict=True):
            counter[value] += len(names)
    values = tuple((name, tuple(c.most_common())) for name, c in zip(PROPERTIES, counts, strict=True))
    machines = tuple(name for some in alike.names.values() for name in some)
    return Column(key, _telling(alike, machines, dict(values)), alike.count, machines, values)


def _telling(alike: Alike, names: tuple[str, ...], values: dict[str, tuple[tuple[str, int], ...]]) -> str:
    """The one machine's name; for several what they have in common, or the first one's name."""
    if alike.count == 1:
        return names[0]
    common = [values[p][0][0] for p in ("release", "distribution", "container") if len(values[p]) == 1]
    told = [value for value in common if value and value != "no container"]
    return " · ".join(told) if told else f"{names[0]} and {alike.count - 1} more"


def key(index: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        letters = chr(65 + digit) + letters
    return letters
