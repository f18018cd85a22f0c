"""What single tools of BCC rest on besides headers and functions: fields, and the way that they choose."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.compilers.bcc import Bcc
from kdiag.model import Evidence, Finding, expected, fail, ok, skip
from kdiag.system import Unavailable

_HIDDEN = (Evidence("/proc/kallsyms", "shows no addresses"),)
#: Since when the kernel's functions of system calls have another name than `sys_`, by `uname -m`
#: (CONFIG_ARCH_HAS_SYSCALL_WRAPPER).
_RENAMED_CALLS = {"x86_64": (4, 17, 0), "aarch64": (4, 19, 0)}
#: What runqlat probes where it does not see that raw tracepoints are there; the third it looks for by pattern.
_KPROBES_OF_RUNQLAT = ("ttwu_do_wakeup", "wake_up_new_task")


def _symbols(machine: Machine) -> bool | None:
    """Whether addresses of symbols are shown to this process; None where that cannot be seen."""
    try:
        return machine.tracing.kernel_symbols
    except Unavailable:
        return None


@check("tools.bcc-syscalls", "BCC finds the functions of system calls")
def syscalls(machine: Machine) -> Iterator[Finding]:
    """execsnoop, opensnoop, killsnoop, mountsnoop and others put kprobes on system calls. Which prefix their functions
    have (`sys_`, `__x64_sys_`, `__arm64_sys_`) BCC sees by the address of `..._bpf` in /proc/kallsyms
    (get_syscall_prefix() in its module); where addresses are hidden, it takes `sys_`, which newer kernels do not have:
    `Failed to attach BPF program ... to kprobe sys_execve`. See it yourself: `grep -w __x64_sys_bpf /proc/kallsyms`.
    """
    if not machine.tools.bcc.installed:
        yield skip("BCC is not installed")
        return
    since = _RENAMED_CALLS.get(machine.kernel.arch)
    shown = _symbols(machine)
    if since is None or machine.kernel.version_numbers < since:
        yield ok(
            "this kernel's functions of system calls begin with sys_",
            evidence=(Evidence("uname", machine.kernel.release),),
        )
    elif shown is None:
        yield expected(
            "whether BCC finds the functions of system calls was not seen", reason="no /proc/kallsyms"
        )
    elif shown:
        yield ok(
            "BCC finds the functions of system calls",
            evidence=(Evidence("/proc/kallsyms", "shows addresses"),),
        )
    elif not machine.privileges.is_root and machine.privileges.lacking("CAP_BPF", "CAP_PERFMON"):
        yield expected(
            "whether BCC finds the functions of system calls was not seen",
            reason="addresses are hidden from this user, who may not trace",
            evidence=_HIDDEN,
            with_root="it can be seen whether root is shown addresses",
        )
    else:
        yield fail(
            "BCC does not find the functions of system calls: the kernel's addresses are hidden",
            reason="it then takes sys_execve for __x64_sys_execve, and that cannot be probed",
            evidence=_HIDDEN,
            causes=("tracing.kallsyms",),
        )


@check("tools.bcc-opensnoop", "How BCC's opensnoop looks at system calls")
def opensnoop(machine: Machine) -> Iterator[Finding]:
    """BCC's opensnoop takes fentry where there is BTF and the kernel has trampolines (support_kfunc() in its module,
    since 0.13; on x86_64 only), and does not turn back: a kernel that refuses such programs refuses opensnoop.
    Elsewhere it takes kprobes. That there are trampolines it sees by a symbol in /proc/kallsyms, if addresses are shown
    to it.
    """
    text = Bcc(machine).text("opensnoop")
    if text is None:
        yield skip("opensnoop of BCC is not installed")
        return
    asks = "support_kfunc" in text
    hidden = _symbols(machine) is False
    evidence = (
        Evidence(f"{machine.tools.bcc.tool('opensnoop')}", "support_kfunc" if asks else "kprobes"),
        *(_HIDDEN if hidden else ()),
    )
    if asks and machine.kernel.arch == "x86_64" and machine.headers.has_btf and not hidden:
        yield ok("opensnoop of BCC takes fentry here", evidence=evidence)
    else:
        yield skip("opensnoop of BCC takes kprobes here", evidence=evidence)


@check("tools.bcc-runqlat", "The field that BCC's runqlat reads")
def runqlat(machine: Machine) -> Iterator[Finding]:
    """runqlat looks at task_struct's `state`, which is `__state` since Linux 5.14. BCC up to 0.22 knows only the old
    name; newer ones look it up in the kernel's BTF, and take the old name where there is none
    (kernel_struct_has_field() in its tools/runqlat.py). It takes raw tracepoints where a symbol in /proc/kallsyms shows
    that the kernel has them; where addresses are hidden, kprobes on functions that newer kernels do not have.
    """
    facts = Bcc(machine)
    text = facts.text("runqlat")
    if text is None:
        yield skip("runqlat of BCC is not installed")
        return
    lost = _without_symbols(machine) if "support_raw_tracepoint" in text else None
    if lost is not None:
        yield lost
        return
    if "kernel_struct_has_field" in text and machine.headers.has_btf:
        evidence = (Evidence(f"{machine.tools.bcc.tool('runqlat')}", "kernel_struct_has_field"),)
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


def _without_symbols(machine: Machine) -> Finding | None:
    """What becomes of runqlat where it does not see that the kernel has raw tracepoints; None where it does."""
    if _symbols(machine) is not False:
        return None
    try:
        found = machine.tracing.probeable(_KPROBES_OF_RUNQLAT)
    except Unavailable as gap:
        return expected(
            "runqlat takes kprobes, as it is not shown that the kernel has raw tracepoints",
            reason=gap.reason,
            evidence=_HIDDEN,
        )
    lacking = [name for name in _KPROBES_OF_RUNQLAT if name not in found]
    if not lacking:
        return None
    return fail(
        f"runqlat takes kprobes, and {lacking[0]} cannot be probed in this kernel",
        reason="addresses are hidden, so that it does not see the kernel's raw tracepoints",
        evidence=_HIDDEN,
        causes=("tracing.kallsyms",),
    )
