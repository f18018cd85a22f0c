"""`kdiag mcp`: the answers of kdiag for a program that speaks the Model Context Protocol, over its standard streams.

Read-only: its tools examine and explain, none changes the machine. They are those of `kdiag.api`.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from kdiag import __version__, api
from kdiag.explain import json as explanations
from kdiag.report.faces import json as reports
from kdiag.why import json as meanings

if TYPE_CHECKING:
    from mcp.server import MCPServer

_ABOUT = (
    "kdiag says what can be traced with eBPF on this Linux machine, why the rest cannot, and what to do about it. "
    "Begin with `check`. `why` takes the text of an error message. `explain` takes names (CONFIG_IKHEADERS, CAP_BPF, "
    "kprobe, btf.vmlinux) and probes (kprobe:vfs_open). `recording` is a file of `kdiag record`; without it, the "
    "answer is about the machine that this server runs on. Nothing here changes that machine."
)


class NotInstalled(Exception):
    """The package that speaks the protocol is not there."""


def _missing() -> str:
    """How the package gets to where this kdiag looks for it: a stand-alone build has no room for packages (-S)."""
    if sys.flags.no_site:
        return (
            "this requires the package mcp, 2.0 or newer, which a stand-alone build cannot have: "
            "install kdiag with it, pip install 'kdiag[mcp]'"
        )
    return (
        f"this requires the package mcp, 2.0 or newer: {shlex.quote(sys.executable)} -m pip install 'mcp>=2'"
    )


def server() -> MCPServer:
    """The server with its tools, not yet running. Raises NotInstalled."""
    try:
        from mcp.server import MCPServer
        from mcp_types import ToolAnnotations
    except ImportError:
        raise NotInstalled(_missing()) from None
    made = MCPServer("kdiag", instructions=_ABOUT, version=__version__, log_level="ERROR")
    reading = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    for tool in (check, why, explain, btf_struct, btf_func):
        made.tool(annotations=reading, structured_output=False)(tool)
    return made


def check(recording: str = "", require: str = "") -> str:
    """What can be traced on this machine (or on a recorded one), what cannot, why, and what to do: a kdiag.report/1
    document as JSON. require: capabilities that must work, separated by commas.
    """
    return _answered(lambda: reports.render(api.check(recording, require=[require])))


def why(text: str, recording: str = "") -> str:
    """What the messages of a tracing tool (bpftrace, BCC, libbpf, bpftool, the verifier) mean on this machine or on
    a recorded one: a kdiag.why/1 document as JSON. text: the messages, or a whole log.
    """
    return _answered(lambda: meanings.render(api.why(text, recording)))


def explain(name: str, recording: str = "") -> str:
    """What a check, a capability, a kernel option, a right, a sysctl, a concept or a probe is, what it requires, and
    how it stands on this machine or on a recorded one: a kdiag.explain/1 document as JSON.
    """
    return _answered(lambda: explanations.render(api.explain(name, recording=recording)))


def btf_struct(name: str, recording: str = "", module: str = "") -> str:
    """A struct, union, enum or typedef of the kernel as C with the offsets and sizes of its members, from its BTF."""
    return _answered(lambda: api.btf(recording).struct(name, module).text)


def btf_func(name: str, recording: str = "", module: str = "") -> str:
    """The prototype of a function of the kernel, from its BTF."""
    return _answered(lambda: api.btf(recording).func(name, module))


def _answered(answer: Callable[[], str]) -> str:
    """The answer, or why there is none: an error that the caller can read, not an end of the server."""
    try:
        return answer()
    except api.Problem as problem:
        return json.dumps({"error": str(problem)})
