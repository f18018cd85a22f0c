"""The programs of every tool, in the order in which they are run; a tool's first one decides for its others."""

from kdiag.smoke.programs import bcc, bpftool, bpftrace, core
from kdiag.smoke.programs.program import Program, Runner, Runners, Scene, Shown, Skip

PROGRAMS: tuple[Program, ...] = (
    *bpftrace.PROGRAMS,
    *bcc.PROGRAMS,
    *core.PROGRAMS,
    *bpftool.PROGRAMS,
)
#: The program of each tool that decides for its others: where it fails they are not tried.
FIRST = frozenset({"hello", "bcc-compiler", "bpftool-list"})

__all__ = ["FIRST", "PROGRAMS", "Program", "Runner", "Runners", "Scene", "Shown", "Skip"]
