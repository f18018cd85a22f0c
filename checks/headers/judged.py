"""A header tree, judged: whole, of this kernel, with what it lacks and how to get a better one."""

from __future__ import annotations

from kdiag.machine import Machine
from kdiag.machine.trees.tree import Selection, Tree
from kdiag.model import Evidence, Finding, Remedy, fail, ok, warn
from kdiag.remedies.host import link_headers
from kdiag.remedies.packages import header_package
from kdiag.system import Unavailable


def links(machine: Machine) -> tuple[Evidence, ...]:
    """Where the links of the module directory lead."""
    return tuple(Evidence(chain.path, chain.describe()) for chain in machine.headers.links.values())


def _describe(machine: Machine, tree: Tree) -> tuple[str, str]:
    """(what is wrong, why it matters) of a tree that cannot be used, both empty for another."""
    if tree.uapi_only:
        return (
            "holds user-space (UAPI) headers only",
            "packages such as linux-libc-dev and kernel-headers are for compiling programs, not for tracing",
        )
    arch = _arch(machine)
    if arch and tree.arches and arch not in tree.arches:
        return f"is for {', '.join(tree.arches[:3])}, not for {arch}", "the tree is of another architecture"
    if tree.missing:
        names = ", ".join(
            path.removeprefix(f"{tree.source}/").removeprefix(f"{tree.build}/") for path in tree.missing[:3]
        )
        return f"is incomplete: no {names}", _half(tree)
    return "", ""


def _half(tree: Tree) -> str:
    lacks = {path.rpartition("/")[2] for path in tree.missing}
    if tree.source == tree.build and "kconfig.h" in lacks and "autoconf.h" not in lacks:
        return "Debian and Ubuntu split the headers: this is the half of this architecture, without the -common package"
    if any(path.endswith("autoconf.h") for path in tree.missing):
        return "it was never configured: generated files are missing (`make modules_prepare` makes them)"
    return "the tools find it and stop at the first missing file"


def _arch(machine: Machine) -> str | None:
    try:
        return machine.kernel.source_arch
    except Unavailable:
        return None


def judged(
    machine: Machine, chosen: Selection, found: Tree, links: tuple[Evidence, ...], tool: str = "bpftrace"
) -> Finding:
    evidence = (
        Evidence(
            chosen.via,
            f"leads to {found.source}"
            if found.source == found.build
            else f"source {found.source}, build {found.build}",
        ),
        *(Evidence(path, "absent") for path in found.missing),
        *links,
    )
    if chosen.missing:
        return fail(
            f"the headers that {chosen.via} names are not there",
            evidence=evidence,
            causes=("headers.env", "headers.bcc-env"),
        )
    problem, why = _describe(machine, found)
    if problem:
        return fail(
            f"{found.source} {problem}",
            reason=why,
            evidence=evidence,
            causes=("headers.package", "kernel.rebooted"),
            remedies=ways_to_a_tree(machine, tool),
        )
    release = machine.kernel.release
    if found.release is not None and found.release != release and tool == "BCC" and _compared(machine):
        return fail(
            f"{found.source} is for {found.release}, not for {release}, and this kernel compares",
            reason="before 5.0 the kernel refuses kprobe programs with another LINUX_VERSION_CODE than its own "
            "(kernel/bpf/syscall.c), and BCC takes that of the headers",
            evidence=evidence,
            causes=("headers.package", "kernel.rebooted"),
            remedies=(*ways_to_a_tree(machine, tool), _version_code(machine)),
        )
    if found.release is not None and found.release != release:
        # Tried in the lab: 6.1's headers under 6.12 and 7.3, with bpftrace 0.17 and 0.27. Nothing stops, nothing warns.
        return warn(
            f"{found.source} is for {found.release}, not for {release}",
            reason=f"{tool} takes it without a word: programs compile, with another kernel's constants and layouts",
            evidence=evidence,
            causes=("headers.package", "kernel.rebooted"),
            remedies=ways_to_a_tree(machine, tool),
        )
    if found.untrusted:
        return warn(
            f"{found.source} could be changed by others: {found.untrusted}",
            reason="root compiles what is in it",
            evidence=evidence,
        )
    if found.release is None:
        return warn(f"headers in {found.source}, for which kernel they do not say", evidence=evidence)
    return ok(f"complete headers for {found.release} in {found.source}", evidence=evidence)


def ways_to_a_tree(machine: Machine, tool: str = "bpftrace") -> tuple[Remedy, ...]:
    """In order of preference: a tree that is there, the kernel's own archive, the exact package."""
    found: list[Remedy] = []
    variable, program = "BPFTRACE_KERNEL_SOURCE", "bpftrace ..."
    if tool == "BCC":
        variable, program = "BCC_KERNEL_SOURCE", machine.tools.bcc.program or "execsnoop-bpfcc"
    # What root compiles has to be root's.
    for elsewhere in [tree for tree in machine.headers.elsewhere() if not tree.untrusted][:1]:
        ours = "/kdiag/headers/" in elsewhere.source
        split = elsewhere.build != elsewhere.source
        if split and tool == "BCC":
            # BCC_KERNEL_SOURCE is one directory, with the generated files in it (kbuild_helper.cc)
            found += link_headers(machine)
            continue
        build = f"BPFTRACE_KERNEL_BUILD={elsewhere.build} " if split else ""
        pointed = f"sudo {variable}={elsewhere.source} {build}{program}"
        command = f"sudo kdiag run -- {program}" if ours else pointed
        found.append(
            Remedy(
                "headers.use-tree",
                f"Point {tool} to the headers that are there",
                commands=(command,),
                needs=("root",),
            )
        )
    state = machine.kheaders.module.state
    try:
        served = machine.kheaders.archive is not None and not machine.kheaders.problem
    except Unavailable:
        served = False
    if served or state in ("loadable", "blocked"):
        found.append(
            Remedy(
                "kheaders.extract" if served or state == "loadable" else "kheaders.extract-module",
                "Unpack the kernel's own headers",
                commands=("sudo kdiag fix",),
                needs=("root",),
                undo=("sudo kdiag fix --undo",),
            )
        )
    package = header_package(machine)
    return (*found, package) if package is not None else tuple(found)


def _compared(machine: Machine) -> bool:
    return machine.kernel.version_numbers < (5, 0, 0)


def _version_code(machine: Machine) -> Remedy:
    """BCC's own variable; what uname -r ends in is not always what the kernel was built as (Debian's 4.19.0-21)."""
    major, minor, patch = machine.kernel.version_numbers
    program = machine.tools.bcc.program or "execsnoop-bpfcc"
    built = f"{major}.{minor}.{patch}"
    return Remedy(
        "bcc.version-code",
        f"Tell BCC the kernel's own version; {(major << 16) + (minor << 8) + min(patch, 255)} is {built}, "
        "and what /proc/version or /proc/version_signature adds counts",
        "unsafe",
        (f"sudo BCC_LINUX_VERSION_CODE={(major << 16) + (minor << 8) + min(patch, 255)} {program}",),
        needs=("root",),
    )
