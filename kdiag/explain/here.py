"""The machine that an explanation is about, and the report on it, made when the first subject requires it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes, of_kernel

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
