"""How the tools of this machine are started for smoke programs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import kdiag.smoke
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
        "libbpf": _libbpf(tools),
        "bpftool": Runner("bpftool", (bpftool,) if bpftool else (), ("version",), _says_bpftool),
    }


def _libbpf(tools: Tools) -> Runner:
    """The loader, in kdiag's own interpreter, with the shared library that is installed."""
    library = tools.libbpfs[0][0] if tools.libbpfs else ""
    source = (Path(kdiag.smoke.__file__).parent / "loader.py").read_text(encoding="utf-8") if library else ""
    words = (sys.executable, "-I", "-S", "-B", "-c", source, library) if library else ()
    absent = "no libbpf.so is installed to load it with; CO-RE tools bring one of their own"
    return Runner("libbpf", words, ("version",), lambda output: output.startswith("libbpf "), library, absent)


def _says_bpftool(output: str) -> bool:
    return _BPFTOOL.search(output) is not None
