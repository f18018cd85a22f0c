"""Which kernel runs, whose it is, whether this user space fits to it, and what its log says."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.kernel import source_arch_of
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail, ok, skip, unknown, warn
from kdiag.system import Unavailable

from .refusals import quoted


@check("kernel.running", "The running kernel")
def running(machine: Machine) -> Iterator[Finding]:
    """Release, version and machine of the kernel by uname(2). See it yourself: `uname -a`, `cat
    /proc/version`.
    """
    try:
        name = machine.kernel.uname
    except Unavailable as gap:
        yield unknown(f"no running kernel to look at; installed: {machine.kernel.release}", reason=gap.reason)
        return
    evidence = [Evidence("uname(2)", f"{name.release} {name.version} {name.machine}")]
    version = machine.kernel.proc_version
    if version:
        evidence.append(Evidence("/proc/version", version))
    if version and name.release not in version:
        yield warn("uname(2) and /proc/version disagree about the release", evidence=tuple(evidence))
    else:
        yield ok(f"Linux {name.release} on {name.machine}", evidence=tuple(evidence))


@check("kernel.identity", "Whose kernel it is")
def identity(machine: Machine) -> Iterator[Finding]:
    """Whose kernel the release string names, held against the distribution of the files.

    The kernel decides which header package can fit, not the distribution of a container image: an Ubuntu
    container on an OrbStack kernel finds nothing with `apt install linux-headers-$(uname -r)`.
    """
    kernel = machine.kernel
    found = kernel.identity
    try:
        system = kernel.os_release
        files = Evidence(
            "/etc/os-release", (system.pretty_name or system.id or "no name") if system else "absent"
        )
    except Unavailable as gap:
        system, files = None, Evidence("/etc/os-release", gap.reason)
    evidence = [Evidence("uname -r", kernel.release), files]
    if machine.origin is not machine:
        evidence.append(Evidence(machine.origin.seen_at("/etc/os-release"), machine.host.name))
    if found is None:
        yield unknown(
            f"{kernel.release} is an unrecognised kernel release",
            reason="neither its name nor /proc/version names its distributor; its headers are where it came from",
            evidence=tuple(evidence),
        )
        return
    evidence.append(
        Evidence("knowledge", f"{found.name} ({found.confidence}), by {'; '.join(found.decided_by)}")
    )
    if found.kind == "not-linux":
        yield fail(f"{found.name} is not a Linux kernel: no eBPF", evidence=tuple(evidence))
    elif found.vendor or found.kind == "self-built":
        built = "comes with a product" if found.vendor else "is not of a distribution's package build"
        yield warn(
            f"{found.name}: the kernel {built}, no distribution has packages for it",
            reason=found.notes,
            evidence=tuple(evidence),
            wrong_remedies=(
                WrongRemedy(
                    f"apt install linux-headers-{kernel.release}",
                    "no distribution has a package of this name",
                ),
            ),
        )
    elif machine.packages.advice.here == "no" and system is not None:
        yield warn(
            f"the kernel is {found.name}, the files are {system.pretty_name or system.id}",
            reason=machine.packages.advice.here_reason,
            evidence=tuple(evidence),
            causes=("environment.container",),
        )
    else:
        yield ok(f"{found.name}", evidence=tuple(evidence))


@check("kernel.arch", "User space and kernel have the same architecture")
def arch(machine: Machine) -> Iterator[Finding]:
    """Whether this user space runs emulated on a kernel of another architecture: ELF machine of the
    interpreter, uname, the kernel's config and its headers are held against each other.

    An amd64 machine of OrbStack on Apple silicon says x86_64 everywhere, but the kernel and its kheaders
    are arm64: bpf(2) programs and headers cannot fit. See it yourself: `zcat /proc/config.gz | grep
    CONFIG_ARM64`, `file /proc/self/exe`.
    """
    kernel = machine.kernel
    said = kernel.source_arch
    evidence = [Evidence("uname -m", kernel.arch)]
    elf = kernel.interpreter
    if elf is not None:
        evidence.append(Evidence("ELF machine of the interpreter", elf.machine))
    by_config = kernel.config_arch
    if by_config:
        evidence.append(Evidence("kernel config", by_config))
    archive: tuple[str, ...] = ()
    try:
        info = machine.kheaders.archive_info
        archive = info.archs if info is not None else ()
        if archive:
            evidence.append(Evidence("kheaders archive, arch/", ", ".join(archive)))
    except (Unavailable, ValueError):
        pass
    config_differs = by_config is not None and by_config != said
    if config_differs or (archive and said not in archive and by_config in (None, *archive)):
        true = by_config if config_differs else archive[0]
        yield fail(
            f"an emulated {said} user space on an {true} kernel",
            reason="the kernel's headers, BTF and probes are the other architecture's: of no use here",
            evidence=tuple(evidence),
            remedies=(
                Remedy(
                    "kernel.native",
                    f"Use a machine of the kernel's own architecture ({true})",
                    "manual",
                    ("orb create ubuntu",) if "-orbstack-" in kernel.release else (),
                    "the host",
                ),
            ),
            wrong_remedies=(
                WrongRemedy("installing headers for this architecture", "the running kernel is another one"),
            ),
        )
        return
    mine = source_arch_of(elf.machine) if elf is not None else None
    if elf is not None and mine is not None and mine != said:
        yield warn(
            f"the interpreter is {elf.machine}, the kernel says {kernel.arch}",
            reason="this program runs emulated",
            evidence=tuple(evidence),
        )
    elif len(evidence) == 1:
        yield unknown(
            f"only uname says {kernel.arch}, which is what lies under emulation",
            evidence=tuple(evidence),
            causes=("config.source",),
        )
    else:
        yield ok(f"{kernel.arch} throughout", evidence=tuple(evidence))


@check("kernel.rebooted", "The installed kernel is the running one")
def rebooted(machine: Machine) -> Iterator[Finding]:
    """Whether the kernel was upgraded without a reboot: the running release then has lost its modules and
    headers (Arch and Alpine keep only the newest), and packages fit only the installed one. See it
    yourself: `uname -r; ls /lib/modules`.
    """
    release, machine = machine.kernel.release, machine.origin
    modules = machine.modules
    others = modules.other_releases
    evidence = (
        Evidence(machine.seen_at("/lib/modules"), ", ".join(others[:6]) if others else "no other release"),
    )
    if modules.directory is not None:
        yield ok(
            "the running kernel's modules are installed",
            evidence=(Evidence(machine.seen_at(modules.directory), "exists"), *evidence),
        )
    elif not others:
        yield skip("no kernel is installed in these files", evidence=evidence)
    elif not modules.outdated:
        yield skip("the files belong to another kernel's image, not to an upgrade", evidence=evidence)
    else:
        yield fail(
            f"{release} is running, {others[-1]} is installed: upgraded and not rebooted",
            reason="modules and headers of the running kernel are gone from the disk",
            evidence=evidence,
            remedies=(
                Remedy(
                    "kernel.reboot",
                    f"Reboot {'the host ' if machine.of_host else ''}into the installed kernel",
                    "manual" if machine.of_host else "unsafe",
                    ("sudo reboot",),
                    "the host" if machine.of_host else "here",
                    ("root", "reboot"),
                ),
            ),
            wrong_remedies=(
                WrongRemedy(
                    f"installing headers for {release}",
                    "repositories keep packages of the newest kernel only",
                ),
            ),
        )


#: Of each kind, so many lines are quoted.
_MOST_LINES = 3


@check("kernel.log", "The kernel's log")
def log(machine: Machine) -> Iterator[Finding]:
    """Looks once through the kernel's log of this boot (/dev/kmsg, else syslog(2)) for what is about tracing: tools
    that were killed for want of memory or crashed, modules that were refused, lockdown, denials of security modules.

    Where kernel.dmesg_restrict is 1 the log requires CAP_SYSLOG, and nothing follows from what cannot be read. Other
    checks quote the lines that decide between their causes. See it yourself: `sudo dmesg`.
    """
    try:
        found = machine.log.notices
    except Unavailable as gap:
        yield unknown(
            "the kernel's log cannot be read here",
            reason=gap.reason,
            with_root="" if _may_read(machine) else "the log may tell causes apart",
        )
        return
    ended = machine.log.ended
    killed = [n for n in ended if n.kind == "oom"]
    evidence = tuple(
        quoted(n)
        for kind in dict.fromkeys(n.kind for n in found)
        for n in machine.log.of(kind)[-_MOST_LINES:]
    )
    if killed:
        names = ", ".join(dict.fromkeys(n.subject for n in killed))
        yield warn(
            f"the kernel killed {names} for want of memory, since it booted",
            reason="a tool that ends without a message of its own may have ended so",
            evidence=evidence,
            remedies=(_memory(machine, any("emory cgroup" in n.line for n in killed)),),
        )
    elif ended:
        names = ", ".join(dict.fromkeys(n.subject for n in ended))
        yield warn(f"{names} crashed, since the kernel booted", evidence=evidence)
    elif evidence:
        yield ok("the kernel's log is readable; other checks quote it", evidence=evidence)
    else:
        yield ok(
            "the kernel's log says nothing about tracing",
            evidence=(Evidence("the kernel's log", "no line about tracing"),),
        )


def _may_read(machine: Machine) -> bool:
    try:
        return machine.privileges.has("CAP_SYSLOG") or machine.privileges.has("CAP_SYS_ADMIN")
    except Unavailable:
        return False


def _memory(machine: Machine, limited: bool) -> Remedy:
    """The limit of a cgroup is set by what starts the process; without one the machine has too little."""
    if limited:
        title = "Raise the memory limit: compiling a program with BTF takes bpftrace 100 to 300 MB"
        where = "the host" if machine.environment.container is not None else "the service that starts this"
        return Remedy("kernel.memory", title, "manual", run_on=where)
    return Remedy("kernel.memory", "Free memory, or add swap, before a large program is traced", "manual")
