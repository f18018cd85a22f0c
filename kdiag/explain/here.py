"""The machine that an explanation is about, and the report on it, made when the first subject requires it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes, of_kernel
from kdiag.capabilities.judging import fine_for_root
from kdiag.checking.analysis import root_is_elsewhere

if TYPE_CHECKING:
    from kdiag.btf.sources import Source
    from kdiag.checking.registry import Registry
    from kdiag.knowledge.bpf.profiles import Profile
    from kdiag.machine import Machine
    from kdiag.model import Report


class Here:
    """machine: its facts, read when they are asked for. known: all checks. report: of all checks, made once.

    place: where the machine is if it is not this one ("the recorded machine"), else empty.
    """

    def __init__(
        self,
        machine: Machine,
        known: Callable[[], Registry],
        examined: Callable[[], Report],
        place: str = "",
        profiles: Mapping[str, Profile] | None = None,
    ) -> None:
        """`known` and `examined` are called at most once, when somebody asks. profiles: the user's own, by name."""
        self.machine, self.place = machine, place
        self.profiles: Mapping[str, Profile] = profiles or {}
        self._known, self._examined = known, examined

    @property
    def where(self) -> str:
        """The machine in a sentence: "here", or "on the recorded machine"."""
        return f"on {self.place}" if self.place else "here"

    @cached_property
    def known(self) -> Registry:
        """All checks that there are."""
        return self._known()

    @cached_property
    def report(self) -> Report:
        """The whole report on the machine, as `kdiag check` makes it."""
        return self._examined()

    @cached_property
    def fine_for_root(self) -> frozenset[str] | None:
        """Ids of the findings that are fine for root; None where the caller is root, or cannot become the machine's."""
        if not root_is_elsewhere(self.machine):
            return None
        return fine_for_root({finding.id: finding for finding in self.report.findings})

    def root_would_hold(self, *names: str) -> bool:
        """Whether the caller lacks these kernel capabilities for no other reason than not being root: what the bounding
        set does not hold, root of this place does not get either (man 7 capabilities).
        """
        privileges = self.machine.privileges
        if not root_is_elsewhere(self.machine):
            return False
        return not privileges.lacking(*names, held=privileges.status.bounding)

    @cached_property
    def _types(self) -> Source | NoTypes:
        try:
            return of_kernel(self.machine.system, self.place or "this kernel")
        except NoTypes as error:
            return error

    @property
    def types(self) -> Source:
        """The kernel's type information, read once. Raises NoTypes."""
        if isinstance(self._types, NoTypes):
            raise self._types
        return self._types
