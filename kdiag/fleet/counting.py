"""Why things do not work on many machines, counted kind by kind: what is kept has a bound, whatever machines send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kdiag.fleet.kinds import Trouble
from kdiag.fleet.value import Cause, Waiting

#: So many causes are told apart, and of each so many wordings and capabilities. A fleet has some dozens.
MOST = 1000
#: Kinds of machines that examples are taken from.
_KINDS = 50
REST = f"one of the causes beyond the first {MOST:,}"


def key(trouble: Trouble) -> tuple[str, str]:
    """What it is counted under: the finding at the root; without one, what the capability itself says is the cause."""
    return trouble.cause, "" if trouble.cause else trouble.words


@dataclass
class _One:
    """A cause. kinds: the first of those that have it, with something required first."""

    machines: int = 0
    required: int = 0
    next: str = ""
    words: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    kinds: list[int] = field(default_factory=list)
    grave: list[int] = field(default_factory=list)

    def add(self, kind: int, machines: int, troubles: Sequence[Trouble]) -> None:
        """A kind of machines on which it keeps something from working."""
        required = any(trouble.required for trouble in troubles)
        self.machines += machines
        self.required += machines if required else 0
        for kinds in (self.kinds, self.grave) if required else (self.kinds,):
            if len(kinds) < _KINDS:
                kinds.append(kind)
        for one in troubles:
            self.next = self.next or one.next
            if one.words in self.words or len(self.words) < MOST:
                self.words[one.words] += machines
            before = self.waiting.get(one.id)
            if before is None and len(self.waiting) == MOST:
                continue
            before = before or Waiting(one.id, one.title, 0, required=False)
            self.waiting[one.id] = before._replace(
                machines=before.machines + machines, required=before.required or one.required
            )

    def cause(self, id_: str, words: str, examples: Callable[[Sequence[int]], tuple[str, ...]]) -> Cause:
        """As a value. words: "" for its most frequent ones."""
        return Cause(
            id_,
            words or self.words.most_common(1)[0][0],
            len(self.words),
            self.machines,
            self.required,
            tuple(sorted(self.waiting.values(), key=lambda w: (not w.required, -w.machines))),
            examples(self.grave or self.kinds),
            self.next,
        )


class Counting:
    """Takes kinds of machines one after the other, the most frequent first."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], _One] = {}
        self._rest = _One()

    def add(self, kind: int, machines: int, troubles: Sequence[Trouble]) -> None:
        """One more kind, and what does not work on its machines."""
        by_cause: dict[tuple[str, str], list[Trouble]] = {}
        for trouble in troubles:
            by_cause.setdefault(key(trouble), []).append(trouble)
        rest: list[Trouble] = []
        for which, some in by_cause.items():
            if which in self._found or len(self._found) < MOST:
                self._found.setdefault(which, _One()).add(kind, machines, some)
            else:
                rest += some
        if rest:
            self._rest.add(kind, machines, rest)

    def causes(self, examples: Callable[[Sequence[int]], tuple[str, ...]]) -> tuple[Cause, ...]:
        """The causes, first what most machines wait for with something required. examples: names of machines of these
        kinds.
        """
        found = [one.cause(id_, words, examples) for (id_, words), one in self._found.items()]
        found.sort(key=lambda cause: (-cause.required, -cause.machines, cause.id))
        return (*found, self._rest.cause("", REST, examples)) if self._rest.machines else tuple(found)
