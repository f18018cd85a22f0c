"""What single tools of BCC rest on besides headers: functions that kernels rename, fields, the way they choose."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX
from kdiag.machine.compilers.bcc import Bcc
from kdiag.model import Evidence, Finding, expected, fail, ok, skip, unknown
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

#: In the text of a tool: functions of the block layer, and its tracepoints.
_FUNCTION = re.compile(r"""['"]((?:__)?blk_\w+)['"]""")
_TRACEPOINT = re.compile(r"""['"](?:block:)?(block_\w+)['"]""")
_END = re.compile("done|complete")


@check("tools.bcc-opensnoop", "How BCC's opensnoop looks at system calls")
def opensnoop(machine: Machine) -> Iterator[Finding]:
    """BCC's opensnoop takes fentry where there is BTF and the kernel has trampolines (support_kfunc() in its module,
    since 0.13; on x86_64 only), and does not turn back: a kernel that refuses such programs refuses opensnoop.
    Elsewhere it takes kprobes.
    """
    text = Bcc(machine).text("opensnoop")
    if text is None:
        yield skip("opensnoop of BCC is not installed")
        return
    evidence = (
        Evidence(
            f"{machine.tools.bcc_tool('opensnoop')}", "support_kfunc" * ("support_kfunc" in text) or "kprobes"
        ),
    )
    if "support_kfunc" in text and machine.kernel.arch == "x86_64" and machine.headers.has_btf:
        yield ok("opensnoop of BCC takes fentry here", evidence=evidence)
    else:
        yield skip("opensnoop of BCC takes kprobes here", evidence=evidence)


@check("tools.bcc-biolatency", "Functions that BCC's biolatency probes")
def biolatency(machine: Machine) -> Iterator[Finding]:
    """biolatency needs one function or tracepoint where a request begins, and one where it ends. Kernels rename them:
    `blk_account_io_done` was joined with its caller in 5.16 and 6.4. Which of them a release knows is read in the tool,
    which of those the kernel has in its BTF and in tracefs. See it yourself: `grep -o "blk_[a-z_]*"
    $(command -v biolatency-bpfcc)` and `grep blk_account /sys/kernel/tracing/available_filter_functions`.
    """
    text, path = Bcc(machine).text("biolatency"), machine.tools.bcc_tool("biolatency")
    if text is None or path is None:
        yield skip("biolatency of BCC is not installed")
        return
    try:
        there, absent = _probed(machine, text)
    except (Unavailable, ParseError) as gap:
        yield expected("which functions biolatency finds was not seen", reason=str(gap))
        return
    evidence = (
        Evidence(path, f"names {', '.join(sorted((*there, *absent)))}"),
        Evidence(VMLINUX, f"of these the kernel has {', '.join(sorted(there)) or 'none'}"),
    )
    if not there and not any("block_" in one for one in absent):
        yield unknown("the kernel's BTF names no function of its block layer", evidence=evidence)
        return
    missing = [
        what for what, end in (("begins", False), ("ends", True)) if not any(_ends(n) is end for n in there)
    ]
    if missing:
        tried = sorted(n for n in absent if _ends(n) is (missing[0] == "ends"))
        yield fail(
            f"biolatency of this BCC knows no function where a request {' and '.join(missing)}",
            reason=f"it tries {', '.join(tried)}, and this kernel has none of them",
            evidence=evidence,
        )
    elif all(any("block_" in n and _ends(n) is end for n in there) for end in (False, True)):
        yield ok("biolatency finds where a request begins and ends", evidence=evidence)
    else:
        # Seen on Debian's 6.1: blk_account_io_done is in BTF, and not in available_filter_functions.
        yield expected(
            "this kernel has the functions where a request begins and ends",
            reason="whether they can be probed was not tried",
            evidence=evidence,
        )


def _ends(name: str) -> bool:
    return _END.search(name) is not None


def _probed(machine: Machine, text: str) -> tuple[list[str], list[str]]:
    """What the tool names, split by whether the kernel has it. Raises Unavailable, ParseError."""
    functions = dict.fromkeys(_FUNCTION.findall(text))
    events = dict.fromkeys(_TRACEPOINT.findall(text))
    there = [name for name in functions if machine.btf.function(name) is not None]
    there += [name for name in events if machine.tracing.event("block", name) is not None]
    return there, [name for name in (*functions, *events) if name not in there]


@check("tools.bcc-runqlat", "The field that BCC's runqlat reads")
def runqlat(machine: Machine) -> Iterator[Finding]:
    """runqlat looks at task_struct's `state`, which is `__state` since Linux 5.14. BCC up to 0.22 knows only the old
    name; newer ones look it up in the kernel's BTF, and take the old name where there is none
    (kernel_struct_has_field() in its tools/runqlat.py).
    """
    facts = Bcc(machine)
    text = facts.text("runqlat")
    if text is None:
        yield skip("runqlat of BCC is not installed")
        return
    if "kernel_struct_has_field" in text and machine.headers.has_btf:
        evidence = (Evidence(f"{machine.tools.bcc_tool('runqlat')}", "kernel_struct_has_field"),)
        yield ok("runqlat of BCC looks up the field's name in the kernel's BTF", evidence=evidence)
        return
    try:
        renamed = facts.renamed_state()
    except Unavailable as gap:
        yield expected("whether runqlat finds its field was not seen", reason=gap.reason)
        return
    evidence = (Evidence(f"{facts.source}/include/linux/sched.h", "__state" if renamed else "state"),)
    if renamed:
        yield fail(
            "runqlat of this BCC reads task_struct's `state`, which these headers call `__state`",
            evidence=evidence,
            causes=("btf.vmlinux",) if "kernel_struct_has_field" in text else (),
        )
    else:
        yield ok("runqlat's field is in the headers", evidence=evidence)
