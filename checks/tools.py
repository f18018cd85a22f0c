"""The tracing tools that are installed, and what each release of them means here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.check import check
from kdiag.knowledge.tools.bpftrace_tried import SOURCE, proof
from kdiag.machine import Machine
from kdiag.machine.privileges import SYSCTLS
from kdiag.model import Evidence, Finding, Remedy, fail, ok, skip, unknown, warn
from kdiag.remedies.container import run
from kdiag.remedies.packages import bcc_package, install
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Behaviour


@check("tools.bpftrace", "bpftrace")
def bpftrace(machine: Machine) -> Iterator[Finding]:
    """Which bpftrace is installed and how: its release decides what it needs. Up to 0.20 it unpacks
    kheaders itself, from 0.24 on it no longer hints at headers, from 0.25 on tracepoint arguments need BTF.
    A snap is confined and cannot read scripts outside the home directory. See it yourself: `bpftrace
    --version`.
    """
    tool = machine.tools.bpftrace
    if tool is None:
        would = machine.tools.packaged_bpftrace
        reason = (
            f"this distribution packages {'.'.join(map(str, would))}, which the table above assumes"
            if would
            else ""
        )
        yield fail(
            "bpftrace is not installed",
            reason=reason,
            evidence=(Evidence("PATH", "no bpftrace"),),
            remedies=install(machine, "bpftrace.install", "bpftrace"),
        )
        return
    evidence = [Evidence(tool.path, tool.printed or "no version"), Evidence("installed as", tool.origin)]
    if tool.version is None:
        yield warn(
            "bpftrace is installed, its release is not known",
            reason=tool.problem,
            evidence=tuple(evidence),
            causes=("tools.bpftrace-start",),
        )
        return
    release = ".".join(map(str, tool.version))
    if tool.origin == "snap":
        yield warn(
            f"bpftrace {release} is a snap: confined",
            reason="it cannot read scripts outside of the home directory, and uprobes on /bin fail",
            evidence=tuple(evidence),
            remedies=install(machine, "bpftrace.install", "bpftrace"),
        )
        return
    behaviour = machine.tools.behaviour
    if tool.problem:
        yield warn(
            f"bpftrace {release} by its package; the program itself did not say",
            reason=tool.problem,
            evidence=tuple(evidence),
            causes=("tools.bpftrace-start",),
        )
        return
    if behaviour is not None and not behaviour.known:
        evidence.append(
            Evidence(
                "knowledge",
                f"{release} is not among the releases read; taken to behave like {'.'.join(map(str, behaviour.since))}",
            )
        )
    if behaviour is not None and behaviour.known:
        evidence.append(Evidence(SOURCE, _proof(machine, behaviour)))
    yield ok(f"bpftrace {release}", reason=_below_minimum(machine), evidence=tuple(evidence))


def _proof(machine: Machine, behaviour: Behaviour) -> str:
    """What the predictions for this release on this kernel rest on."""
    try:
        kernel: tuple[int, ...] | None = machine.kernel.version_numbers
    except (Unavailable, ValueError):
        kernel = None
    tried, words = proof(behaviour.version, behaviour.since, kernel)
    return words if tried else f"{words}: `kdiag smoke` proves it"


def _below_minimum(machine: Machine) -> str:
    """The warning about an old kernel is nothing more than that."""
    behaviour = machine.tools.behaviour
    minimum = behaviour.min_kernel_warning if behaviour is not None else None
    try:
        if minimum is None or machine.kernel.version_numbers >= minimum:
            return ""
    except (Unavailable, ValueError):
        return ""
    return "it prints `WARNING: Kernel version ... is lower than the minimum supported`, and goes on"


@check("tools.bcc", "BCC")
def bcc(machine: Machine) -> Iterator[Finding]:
    """Whether BCC is installed: its tools, or at least the Python module by which scripts use it (Debian:
    python3-bpfcc). See it yourself: `python3 -c 'import bcc'`.
    """
    tools = machine.tools
    evidence = (
        Evidence("tools", tools.bcc.tools or "absent"),
        Evidence("module", tools.bcc.module or "absent"),
        Evidence("libbcc", tools.bcc.library[0] if tools.bcc.library else "absent"),
    )
    if not tools.bcc.installed:
        package = bcc_package(machine)
        yield fail(
            "BCC is not installed", evidence=evidence, remedies=install(machine, "bcc.install", package)
        )
    elif tools.bcc.tools is None:
        yield ok("BCC is installed, without its tools", evidence=evidence)
    else:
        yield ok("BCC's tools are installed", evidence=evidence)


@check("tools.bcc-programs", "BCC's tools")
def bcc_programs(machine: Machine) -> Iterator[Finding]:
    """Whether BCC's tools are installed (Debian: bpfcc-tools, with the suffix -bpfcc). Distributions pack them apart
    from the library and its Python module, which are enough for scripts of one's own. See it yourself: `command -v
    execsnoop-bpfcc`, `ls /usr/share/bcc/tools`.
    """
    where = machine.tools.bcc.tools
    if where is not None:
        yield ok("BCC's tools are installed", evidence=(Evidence("tools", where),))
        return
    yield fail(
        "BCC's tools are not installed",
        reason="its Python module is: scripts that use it work" if machine.tools.bcc.installed else "",
        evidence=(Evidence("tools", "absent"),),
        causes=("tools.bcc",),
        remedies=install(machine, "bcc.install", bcc_package(machine)),
    )


@check("tools.clang", "clang")
def clang(machine: Machine) -> Iterator[Finding]:
    """clang is needed only to compile BPF programs oneself: bpftrace and BCC bring their own."""
    path = machine.tools.clang
    if path is None:
        yield skip("clang is not installed (bpftrace and BCC bring their own)")
    else:
        yield ok("clang is installed", evidence=(Evidence(path, "exists"),))


@check("sysctl.values", "Sysctls that decide over tracing", ids=("sysctl.*",))
def sysctls(machine: Machine) -> Iterator[Finding]:
    """kernel.unprivileged_bpf_disabled, kernel.perf_event_paranoid, kernel.kptr_restrict,
    kernel.ftrace_enabled and others, each with what its value means here. See it yourself: `sysctl
    kernel.perf_event_paranoid`.
    """
    for name, path in SYSCTLS.items():
        finding_id = f"sysctl.{name}"
        try:
            value = machine.privileges.sysctl(name)
        except Unavailable as gap:
            yield unknown(gap.reason, id=finding_id, title=name, with_root="its value is shown")
            continue
        if value is None:
            yield skip(
                f"{name}: this kernel does not have it",
                id=finding_id,
                title=name,
                evidence=(Evidence(path, "absent"),),
            )
            continue
        yield _sysctl(machine, name, path, value, finding_id)


def _sysctl(machine: Machine, name: str, path: str, value: int, finding_id: str) -> Finding:
    evidence = (Evidence(path, str(value)),)

    def set_to(wanted: int) -> tuple[Remedy, ...]:
        return (
            Remedy(
                finding_id,
                f"Set {name} to {wanted}",
                "unsafe",
                (f"sudo sysctl -w {name}={wanted}",),
                needs=("root",),
                run_on="the host" if machine.environment.container is not None else "here",
                undo=(f"sudo sysctl -w {name}={value}",),
            ),
        )

    admin = machine.privileges.has("CAP_SYS_ADMIN")
    concern = ""
    remedies: tuple[Remedy, ...] = ()
    failing = False
    if name == "kernel.perf_event_paranoid" and value >= 3 and not admin:
        concern = "Debian's and Ubuntu's addition: even CAP_PERFMON is not enough, CAP_SYS_ADMIN is needed"
        # bpftrace runs for root, and from 0.25 on for all who hold the two: then it is this value that refuses.
        failing = machine.privileges.is_root or not machine.privileges.lacking("CAP_BPF", "CAP_PERFMON")
        remedies = (*run(machine), *set_to(2))
    elif name == "kernel.kptr_restrict" and value >= 2:
        concern, remedies = (
            "kernel addresses are hidden from root too: stacks have no symbol names",
            set_to(1),
        )
    elif name == "kernel.ftrace_enabled" and value == 0:
        concern, remedies, failing = (
            "function tracing is switched off: fentry, kprobe.multi and, on x86, kprobes attach and never fire",
            set_to(1),
            True,
        )
    elif name == "kernel.modules_disabled" and value == 1:
        concern = "no module can be loaded until the next boot"
    elif name == "net.core.bpf_jit_enable" and value == 0:
        concern, remedies, failing = (
            "without the JIT there is no fentry, and programs run slowly",
            set_to(1),
            True,
        )
    elif name == "kernel.unprivileged_bpf_disabled" and value == 1 and machine.privileges.lacking("CAP_BPF"):
        holders = "CAP_BPF or CAP_SYS_ADMIN" if machine.privileges.knows("CAP_BPF") else "CAP_SYS_ADMIN"
        concern = f"bpf(2) is for those with {holders}, and only a reboot changes this value"
    elif name == "kernel.yama.ptrace_scope" and value >= 2 and not machine.privileges.has("CAP_SYS_PTRACE"):
        concern = "USDT with -p needs CAP_SYS_PTRACE"
    if not concern:
        return ok(f"{name} is {value}", id=finding_id, title=name, evidence=evidence)
    make = fail if failing else warn
    return make(
        f"{name} is {value}: {concern}", id=finding_id, title=name, evidence=evidence, remedies=remedies
    )
