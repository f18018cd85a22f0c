"""What a check is, and how one is written: a function over a machine's facts, with an id and a title.

    @check("lsm.selinux", "SELinux lets bpf() through")
    def selinux(machine: Machine) -> Iterator[Finding]:
        '''What it checks, why it matters, how to see it yourself.'''
        ...

The decorator registers nothing: the registry finds the values in the modules of each advertised package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.model import Finding

_ID = re.compile(r"[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)+")


class Check(NamedTuple):
    """One check. `run` yields one finding or several; one without an id of its own gets the check's.

    ids: the ids of the findings where they are not the check's own; a trailing `*` stands for any rest.
    """

    id: str
    title: str
    run: Callable[[Machine], Iterator[Finding]]
    #: The docstring as written, not yet dedented.
    doc: str = ""
    ids: tuple[str, ...] = ()

    @property
    def finding_ids(self) -> tuple[str, ...]:
        """The ids (or patterns) of what it yields."""
        return self.ids or (self.id,)


def check(
    check_id: str, title: str, *, ids: tuple[str, ...] = ()
) -> Callable[[Callable[[Machine], Iterator[Finding]]], Check]:
    """Make a Check of a function; its docstring is what `kdiag explain` prints."""
    if not _ID.fullmatch(check_id):
        raise ValueError(f"a check's id looks like `subject.detail`, not {check_id!r}")

    def wrap(function: Callable[[Machine], Iterator[Finding]]) -> Check:
        return Check(check_id, title, function, function.__doc__ or "", ids)

    return wrap
