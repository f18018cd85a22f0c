"""The functions that BCC's tools put probes on: how BCC lists them, and which of them the kernel lets be probed."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from typing import NamedTuple

from kdiag.check import check
from kdiag.knowledge.tools.tracefs_paths import BCC_LISTS_BELOW_DEBUGFS, BELOW_DEBUGFS
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX
from kdiag.machine.compilers.bcc import Bcc
from kdiag.machine.tracing import DEBUGFS, KPROBE_BLACKLIST
from kdiag.model import Evidence, Finding, expected, fail, ok, skip, unknown
from kdiag.parse.errors import ParseError
from kdiag.remedies.mounts import below_debugfs, mount
from kdiag.system import Unavailable

#: In the text of a tool: functions of the block layer, and its tracepoints.
_FUNCTION = re.compile(r"""['"]((?:__)?blk_\w+)['"]""")
_TRACEPOINT = re.compile(r"""['"](?:block:)?(block_\w+)['"]""")
_END = re.compile("done|complete")
#: 5558e36b: EPERM of the blacklist is passed over (src/python/bcc/__init__.py, get_kprobe_functions).
_PASSES_OVER_EPERM = (0, 16, 0)
#: Linux since which kprobes are an event source (kernel/events/core.c, perf_kprobe).
_SOURCES_SINCE = (4, 17, 0)


@check("tools.bcc-lists", "BCC lists the functions that it probes")
def lists(machine: Machine) -> Iterator[Finding]:
    """Tools that look for a function by name or pattern before they probe it (funccount, biolatency, biosnoop and some
    twenty others) read /sys/kernel/debug/kprobes/blacklist, and end where there is none: without debugfs, or in a
    container that was not given it. BCC 0.28 to 0.36 also read available_filter_functions, below debugfs alone. See it
    yourself: `head -1 /sys/kernel/debug/kprobes/blacklist`.
    """
    if not machine.tools.bcc.installed:
        yield skip("BCC is not installed")
        return
    release = machine.tools.bcc.library[1] if machine.tools.bcc.library is not None else None
    first, fixed = BCC_LISTS_BELOW_DEBUGFS
    paths = [KPROBE_BLACKLIST]
    if release is not None and first <= release < fixed:
        paths.append(f"{BELOW_DEBUGFS}/available_filter_functions")
    for path in paths:
        lacking = _lacking(machine, path, passes_over=release is None or release >= _PASSES_OVER_EPERM)
        if lacking is not None:
            yield lacking
            return
    yield ok("BCC finds the lists of functions", evidence=tuple(Evidence(path, "readable") for path in paths))


def _lacking(machine: Machine, path: str, *, passes_over: bool) -> Finding | None:
    """What becomes of the tools without this list; None where it is there, or is passed over."""
    try:
        there = machine.system.head(path, 64) is not None
        debugfs = machine.tracing.is_mounted(DEBUGFS, "debugfs")
    except Unavailable as gap:
        if gap.errno == errno.EPERM and passes_over:
            return None
        if not machine.privileges.may_look:
            return expected(
                f"whether there is {path} was not seen", reason=gap.reason, with_root="it can be seen"
            )
        return fail(
            f"{path} cannot be opened",
            evidence=(Evidence(path, gap.reason),),
            causes=("kernel.lockdown", "privileges.lsm"),
        )
    if there:
        return None
    if path == KPROBE_BLACKLIST and debugfs:
        # A kernel with kprobes and debugfs always has it (kernel/kprobes.c, debugfs_kprobe_init).
        return expected(f"whether there is {path} was not seen", evidence=(Evidence(path, "absent"),))
    if path == KPROBE_BLACKLIST:
        # Without kprobes no debugfs has it (kernel/kprobes.c): there is nothing to mount it for.
        kprobes = machine.kernel.version_numbers < _SOURCES_SINCE or _has_kprobes(machine)
        causes = "tracing.debugfs" if kprobes else "tracing.kprobes"
        remedies = mount(machine, "debugfs", DEBUGFS) if kprobes else ()
    else:
        causes, remedies = "tracing.debug-path", below_debugfs(machine)
    return fail(
        f"there is no {path}",
        reason="biolatency, biosnoop, funccount and others read it before they probe, and end where it is absent",
        evidence=(Evidence(path, "absent"),),
        causes=(causes,),
        remedies=remedies,
    )


def _has_kprobes(machine: Machine) -> bool:
    try:
        return "kprobe" in machine.tracing.pmus
    except Unavailable:
        return True  # tracing.kprobes says what is known of them


# -- biolatency -----------------------------------------------------------------------------------------------------


class _Found(NamedTuple):
    """The functions and tracepoints that a tool names, by what the kernel has. sure: by the list of those that can be
    probed, not by BTF; where: what was looked into, by name.
    """

    there: tuple[str, ...]
    absent: tuple[str, ...]
    sure: bool
    where: str


@check("tools.bcc-biolatency", "Functions that BCC's biolatency probes")
def biolatency(machine: Machine) -> Iterator[Finding]:
    """biolatency needs one function or tracepoint where a request begins, and one where it ends. Kernels rename them:
    `blk_account_io_done` was joined with its caller in 5.16 and 6.4. Which of them a release knows is read in the tool,
    which of those can be probed in available_filter_functions; where only root may read that, the kernel's BTF says
    which there are. See it yourself: `grep -o "blk_[a-z_]*" $(command -v biolatency-bpfcc)` and `grep blk_account
    /sys/kernel/tracing/available_filter_functions`.
    """
    text, path = Bcc(machine).text("biolatency"), machine.tools.bcc.tool("biolatency")
    if text is None or path is None:
        yield skip("biolatency of BCC is not installed")
        return
    try:
        found = _probed(machine, text)
    except (Unavailable, ParseError) as gap:
        yield expected("which functions biolatency finds was not seen", reason=str(gap))
        return
    evidence = (
        Evidence(path, f"names {', '.join(sorted((*found.there, *found.absent)))}"),
        Evidence(found.where, f"of these the kernel has {', '.join(sorted(found.there)) or 'none'}"),
    )
    if not found.there and not found.sure and not any("block_" in one for one in found.absent):
        yield unknown("the kernel's BTF names no function of its block layer", evidence=evidence)
        return
    missing = [what for what, end in (("begins", False), ("ends", True)) if not _some(found.there, end=end)]
    if missing:
        tried = sorted(name for name in found.absent if _ends(name) is (missing[0] == "ends"))
        yield fail(
            f"biolatency of this BCC knows no function where a request {' and '.join(missing)}",
            reason=f"it tries {', '.join(tried)}, and none of them can be probed in this kernel",
            evidence=evidence,
        )
    elif found.sure or all(
        _some([n for n in found.there if "block_" in n], end=end) for end in (False, True)
    ):
        yield ok("biolatency finds where a request begins and ends", evidence=evidence)
    else:
        # Seen on Debian's 6.1: blk_account_io_done is in BTF, and not in available_filter_functions.
        yield expected(
            "this kernel has the functions where a request begins and ends",
            reason="whether they can be probed was not seen",
            evidence=evidence,
            with_root="the list of those that can be probed is read",
        )


def _ends(name: str) -> bool:
    return _END.search(name) is not None


def _some(names: tuple[str, ...] | list[str], *, end: bool) -> bool:
    return any(_ends(name) is end for name in names)


def _probed(machine: Machine, text: str) -> _Found:
    """What the tool names, split by whether the kernel has it. Raises Unavailable, ParseError."""
    functions = tuple(dict.fromkeys(_FUNCTION.findall(text)))
    events = tuple(dict.fromkeys(_TRACEPOINT.findall(text)))
    traced = tuple(name for name in events if machine.tracing.event("block", name) is not None)
    try:
        had, sure = machine.tracing.probeable(functions), True
        where = f"{machine.tracing.root}/available_filter_functions"
    except Unavailable:
        had, sure = frozenset(n for n in functions if machine.btf.function(n) is not None), False
        where = VMLINUX
    there = (*(name for name in functions if name in had), *traced)
    return _Found(there, tuple(n for n in (*functions, *events) if n not in there), sure, where)
