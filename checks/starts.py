"""Whether the tools start at all: what each of their capabilities needs first, and an upgrade breaks most."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.programs.start import Start
from kdiag.model import Evidence, Finding, Remedy, expected, fail, ok, skip, unknown, warn
from kdiag.remedies.packages import bcc_package, bpftool_package, install, reinstall
from kdiag.system import Unavailable
from kdiag.words import Subject

_BPFTRACE, _BCC, _BPFTOOL = Subject("bpftrace"), Subject("BCC's tools", plural=True), Subject("bpftool")
#: Where a distribution's package puts it.
_PACKAGED = ("/usr/bin/bpftrace", "/usr/sbin/bpftrace")


@check("tools.bpftrace-start", "bpftrace starts")
def bpftrace(machine: Machine) -> Iterator[Finding]:
    """Whether `bpftrace --version` runs. A library that an upgrade replaced (libLLVM, libbcc, libbpf), an interpreter
    that is not there, or a processor without an instruction ends it before any script is read. See it yourself:
    `bpftrace --version`, `ldd $(command -v bpftrace)`.
    """
    start, path = machine.tools.bpftrace_start, machine.tools.bpftrace_path or ""
    if start is None:
        yield skip("bpftrace is not installed")
    elif start.runs is False:
        yield _stops(_BPFTRACE, start, _another(machine, path))
    else:
        yield _told(_BPFTRACE, start)


@check("tools.bpftrace-begin", "bpftrace finds its own BEGIN and END")
def begin(machine: Machine) -> Iterator[Finding]:
    """BEGIN and END are uprobes on functions of bpftrace itself, up to 0.15 on every kernel and up to 0.21 where the
    kernel cannot run a program on demand. A package that was stripped of their names (Ubuntu's before 0.16) ends every
    script that has one: `Could not resolve symbol: /proc/self/exe:BEGIN_trigger`. Its debug symbols bring them back:
    they are found by build id. See it yourself: `readelf -Ws $(command -v bpftrace) | grep _trigger`.
    """
    behaviour = machine.tools.behaviour
    if machine.tools.bpftrace_path is None:
        yield _would_lack(machine)
    elif behaviour is not None and behaviour.begin_program == "raw-tracepoint":
        yield skip("this release runs BEGIN and END on demand")
    elif behaviour is not None and behaviour.begin_program == "either" and _on_demand(machine):
        yield skip("this release runs BEGIN and END on demand where the kernel can, as this one does")
    else:
        yield _named(machine)


def _named(machine: Machine) -> Finding:
    try:
        triggers = machine.tools.bpftrace_triggers
    except Unavailable as gap:
        if _ubuntus(machine):
            return unknown(
                "Ubuntu's bpftrace before 0.16 has no BEGIN and END without its debug symbols: whether they are there "
                "was not looked at",
                reason=gap.reason,
                remedies=_NAMES,
            )
        return expected(
            "whether bpftrace has the names of its BEGIN and END was not looked at", reason=gap.reason
        )
    if triggers is None:
        return skip("bpftrace is not installed")
    evidence = tuple(Evidence(path, said) for path, said in triggers.looked)
    if triggers.found:
        return ok("bpftrace has the names of its BEGIN and END", evidence=evidence)
    return fail(
        "this bpftrace has no BEGIN and END: it was stripped of their names",
        reason="they are uprobes on its own functions BEGIN_trigger and END_trigger; scripts without them work",
        evidence=evidence,
        remedies=_NAMES,
    )


def _would_lack(machine: Machine) -> Finding:
    """Of the release that this distribution would install."""
    would = machine.tools.packaged_bpftrace
    if would is None or would >= (0, 16, 0) or not _is_ubuntu(machine):
        return skip("bpftrace is not installed")
    return warn(
        f"BEGIN and END of Ubuntu's bpftrace {'.'.join(map(str, would))} require its debug symbols",
        reason="the package was stripped of the functions that they are uprobes on",
        remedies=_NAMES,
    )


def _on_demand(machine: Machine) -> bool:
    try:
        return machine.bpf.test_run.ok
    except Unavailable:
        return False


def _ubuntus(machine: Machine) -> bool:
    tool = machine.tools.bpftrace
    packaged = tool is not None and tool.origin.startswith("package")
    old = tool is not None and tool.version is not None and tool.version < (0, 16, 0)
    return packaged and old and _is_ubuntu(machine)


def _is_ubuntu(machine: Machine) -> bool:
    try:
        system = machine.kernel.os_release
    except Unavailable:
        return False
    return system is not None and system.descends_from("ubuntu")


_NAMES = (
    Remedy(
        "bpftrace.names",
        "Install bpftrace's debug symbols (Ubuntu: bpftrace-dbgsym, from its repository of debug symbols, ddebs)",
        "manual",
        needs=("root", "network"),
    ),
    Remedy("bpftrace.newer", "Use bpftrace 0.16 or newer, on Linux 5.10 or newer", "manual"),
    Remedy("bpftrace.no-begin", "Leave BEGIN and END out of the script", "manual"),
)


@check("tools.bcc-start", "BCC's tools start")
def bcc(machine: Machine) -> Iterator[Finding]:
    """Whether the interpreter of BCC's tools finds the module bcc, and that the library libbcc. See it yourself:
    `python3 -c 'import bcc'`.
    """
    start = machine.tools.bcc.start
    if start is None:
        yield skip("BCC's tools are not installed")
    elif start.runs is False:
        yield _stops(_BCC, start, reinstall(machine, "bcc.reinstall", bcc_package(machine)))
    else:
        yield _told(_BCC, start)


@check("tools.bpftool-start", "bpftool starts")
def bpftool(machine: Machine) -> Iterator[Finding]:
    """Whether `bpftool version` runs. Ubuntu's is a script that looks for the bpftool of the running kernel, which
    linux-tools of that very kernel brings, and says so where it is not installed. See it yourself: `bpftool version`.
    """
    start, path = machine.tools.bpftool_start, machine.tools.bpftool_path or ""
    if start is None:
        yield skip("bpftool is not installed")
    elif start.runs is not False:
        yield _told(_BPFTOOL, start)
    elif "not found for kernel" in start.words:
        yield _stops(_BPFTOOL, start, _for_this_kernel(machine, path))
    else:
        yield _stops(_BPFTOOL, start, reinstall(machine, "bpftool.reinstall", bpftool_package(machine)))


def _for_this_kernel(machine: Machine, path: str) -> tuple[Remedy, ...]:
    """Behind the script: the tools of this kernel, where Ubuntu built it; and those of any other, which do as well."""
    identity, package = machine.kernel.identity, bpftool_package(machine)
    remedies: tuple[Remedy, ...] = ()
    if package == "linux-tools-generic":
        # No archive has tools of a kernel that is not Ubuntu's, as of a mainline build, WSL's or linuxkit's.
        title = (
            f"Install {package} and call /usr/lib/linux-tools/*/bpftool: any bpftool works with this kernel"
        )
        remedies = tuple(r._replace(title=title) for r in install(machine, "bpftool.install", package))
    elif identity is not None and identity.family.startswith("ubuntu"):
        remedies = install(machine, "bpftool.install", package)
    for directory in ("/usr/lib/linux-tools", *_tools_of_others(machine)):
        try:
            names = machine.system.listdir(directory) or ()
        except Unavailable:
            continue
        place = directory if "bpftool" in names else f"{directory}/{names[-1]}" if names else ""
        program = f"{place}/bpftool"
        if place and program != path and machine.system.stat(program) is not None:
            title = "Use that of another kernel, which works for this one, too"
            return (*remedies, Remedy("bpftool.other", title, "manual", (f"{program} version",)))
    return remedies


def _tools_of_others(machine: Machine) -> list[str]:
    """Ubuntu's linux-tools of a kernel: /usr/lib/linux-tools-6.8.0-40."""
    try:
        names = machine.system.listdir("/usr/lib") or ()
    except Unavailable:
        return []
    return [f"/usr/lib/{name}" for name in sorted(names, reverse=True) if name.startswith("linux-tools-")]


def _told(tool: Subject, start: Start) -> Finding:
    verb = tool.verb("starts", "start")
    if start.runs:
        return ok(f"{tool} {verb}", evidence=(Evidence(start.command, start.words or "status 0"),))
    return expected(
        f"whether {tool} {verb} was not tried",
        reason=start.words,
        evidence=(Evidence(start.command, start.words),),
    )


def _stops(tool: Subject, start: Start, remedies: tuple[Remedy, ...]) -> Finding:
    return fail(
        f"{tool} {tool.verb('does', 'do')} not start: {start.words}",
        reason="nothing that it can do otherwise is reached",
        evidence=(Evidence(start.command, start.words),),
        remedies=remedies,
    )


def _another(machine: Machine, path: str) -> tuple[Remedy, ...]:
    """The package again, or the package's program where another one comes before it in PATH."""
    if path not in _PACKAGED:
        for place in _PACKAGED:
            info = machine.system.stat(place)
            if info is not None and info.kind == "file":
                title = f"Remove {path}, or rebuild it: it comes before {place} in PATH"
                return (Remedy("bpftrace.other", title, "manual", needs=("root",)),)
    return reinstall(machine, "bpftrace.reinstall", "bpftrace")
