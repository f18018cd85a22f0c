"""How the tools of this machine are started for smoke programs."""

from __future__ import annotations

import pkgutil
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kdiag.knowledge.tools.bpftrace import says_bpftrace
from kdiag.smoke.programs import Runner, Runners

if TYPE_CHECKING:
    from kdiag.machine.tools import Tools

#: `bpftool v7.4.0`; before libbpf's numbers it told the kernel's it was built for.
_BPFTOOL = re.compile(r"^\S*bpftool v\d", re.MULTILINE)


def runners(tools: Tools, hints: Mapping[str, str] | None = None) -> Runners:
    """Each tool by the name that `--tool` takes; without words where it is not installed. hints: how it is installed
    then.
    """
    bpftrace, bpftool = tools.bpftrace_path, tools.bpftool_path
    return {
        "bpftrace": Runner("bpftrace", (bpftrace,) if bpftrace else (), ("--version",), says_bpftrace),
        "bcc": _bcc(tools, (hints or {}).get("bcc", "")),
        "libbpf": _libbpf(tools),
        "bpftool": Runner("bpftool", (bpftool,) if bpftool else (), ("version",), _says_bpftool),
    }


def _bcc(tools: Tools, hint: str) -> Runner:
    """The small programs, run by the interpreter of BCC's own tools: kdiag's hardly ever has the module."""
    python = tools.bcc.interpreter
    words = (python, "-I", "-S", "-B", "-c", _source("bcc_loader.py")) if python else ()
    return Runner("BCC", words, ("version",), lambda output: output.startswith("BCC "), hint=hint)


def _source(name: str) -> str:
    return (pkgutil.get_data("kdiag.smoke", name) or b"").decode("utf-8")


def _libbpf(tools: Tools) -> Runner:
    """The loader, in kdiag's own interpreter, with the shared library that is installed."""
    library = tools.libbpfs[0][0] if tools.libbpfs else ""
    words = (sys.executable, "-I", "-S", "-B", "-c", _source("loader.py"), library) if library else ()
    absent = "no libbpf.so is installed to load it with; CO-RE tools bring one of their own"
    return Runner("libbpf", words, ("version",), lambda output: output.startswith("libbpf "), library, absent)


def _says_bpftool(output: str) -> bool:
    return _BPFTOOL.search(output) is not None
