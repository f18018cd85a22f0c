"""What a plan is made from, asked by every part of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.console.called import program
from kdiag.console.command_line import has_sudo, typed
from kdiag.fix.options import Options
from kdiag.fix.store.places import Places

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.model import Finding, Report

#: The findings that a plan for headers answers, and those that a plan for BTF does.
HEADERS = ("headers.tree", "headers.bcc")
BTF = ("btf.vmlinux", "btf.bpftrace")


class Subject:
    """What a plan is made from: the machine's facts, the findings, the directories, the wishes."""

    def __init__(self, machine: Machine, report: Report, places: Places, options: Options) -> None:
        self.machine = machine
        self.report = report
        self.places = places
        self.options = options

    @cached_property
    def headers(self) -> tuple[str, ...]:
        """Which of `HEADERS` the fix is for: a tree that bpftrace would find is not what BCC looks for."""
        mine = (("bpftrace", HEADERS[:1]), ("bcc", HEADERS[1:]))
        return tuple(one for tool, ids in mine if self.options.concerns(tool) for one in ids)

    @cached_property
    def root(self) -> bool:
        """Whether steps that need root can be taken."""
        return self.machine.system.identity().euid == 0

    @cached_property
    def release(self) -> str:
        """The running kernel's."""
        return self.machine.kernel.release

    @cached_property
    def srcarch(self) -> str:
        """The kernel's own name of its architecture."""
        return self.machine.kernel.source_arch

    def typed(self, command: str) -> str:
        """A command as the one who asked can type it."""
        return typed(command, root=self.root or not has_sudo(), kdiag=program(root=self.root))

    def as_root(self, what: str, command: str) -> str:
        """What has to be left to root, and how it is had: a note."""
        return f"{what} requires root: {self.typed(command)}"

    def finding(self, finding_id: str) -> Finding | None:
        """One answer of the checks."""
        return self.report.finding(finding_id)

    def stands_in_the_way(self, *finding_ids: str) -> tuple[str, ...]:
        """Ids of the capabilities that do not fully work because of these findings, in the report's order: of the tools
        that the fix is for.
        """
        blocked = {c for f in finding_ids for c in self.report.blocks.get(f, ())}
        mine = (c for c in self.report.capabilities if self.options.concerns(c.tool))
        return tuple(c.id for c in mine if c.id in blocked)

    def titles(self, *finding_ids: str) -> tuple[str, ...]:
        """The same by their titles; a part is left out where the whole is named."""
        blocked = self.stands_in_the_way(*finding_ids)
        return tuple(
            c.title for c in self.report.capabilities if c.id in blocked and c.part_of not in blocked
        )
