"""How the tools of this machine are started for smoke programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kdiag.knowledge.tools.bpftrace import says_bpftrace
from kdiag.smoke.programs import Runner, Runners

if TYPE_CHECKING:
    from kdiag.machine.tools import Tools

#: `bpftool v7.4.0`; before libbpf's numbers it told the kernel's it was built for.
_BPFTOOL = re.compile(r"^\S*bpftool v\d", re.MULTILINE)


def runners(tools: Tools) -> Runners:
    """Each tool by the name that `--tool` takes; without words where it is not installed."""
    bpftrace, bpftool = tools.bpftrace_path, tools.bpftool_path
    return {
        "bpftrace": Runner("bpftrace", (bpftrace,) if bpftrace else (), ("--version",), says_bpftrace),
        "bpftool": Runner("bpftool", (bpftool,) if bpftool else (), ("version",), _says_bpftool),
    }


def _says_bpftool(output: str) -> bool:
    return _BPFTOOL.search(output) is not None
