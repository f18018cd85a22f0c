"""One thing that a script requires, and how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kdiag.explain.probe.value import State


class Need(NamedTuple):
    """group: the heading that it belongs under; what: in the script's own words; says: why it fails or cannot be told,
    or a limit of what works; line: where the script has it first; findings: the ids of those of the
    machine that decided. with_root: the state that root is expected to have, None where that is the same.
    """

    group: str
    state: State
    what: str
    says: str
    line: int
    findings: tuple[str, ...] = ()
    with_root: State | None = None

    @property
    def as_root(self) -> State:
        """How it stands for root."""
        return self.with_root or self.state
