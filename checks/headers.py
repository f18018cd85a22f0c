"""Kernel header trees: what bpftrace and BCC would take, and the package. The traps are in `header_traps`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.knowledge.recipes import RECIPE
from kdiag.machine import Machine
from kdiag.machine.compilers.bcc import Bcc
from kdiag.machine.headers import Selection, Tree
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail, ok, unknown, warn
from kdiag.remedies.host import link_headers
from kdiag.remedies.packages import header_package, instead, newest_kernel
from kdiag.system import Unavailable


def _links(machine: Machine) -> tuple[Evidence, ...]:
    found = []
    for chain in machine.headers.links.values():
        found.append(Evidence(chain.path, chain.describe()))
    return tuple(found)


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


@check("headers.tree", "Kernel headers for bpftrace")
def tree(machine: Machine) -> Iterator[Finding]:
    """The directory that bpftrace would take, in its own order (variable, /lib/modules/R/source,
    /lib/modules/R/build), tested for completeness, version and architecture. Links are followed hop by hop.

    With BTF, headers are needed for `#include <linux/...>` only. See it yourself: `ls $(readlink -f
    /lib/modules/$(uname -r)/build)/include/linux/kconfig.h`.
    """
    headers = machine.headers
    chosen = headers.for_bpftrace
    if chosen is None:
        yield _none(machine)
        return
    if headers.bpftrace_tree is not None:
        yield _judged(machine, chosen, headers.bpftrace_tree, _links(machine))


def _judged(
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
            f"the headers that {chosen.via} names are not there", evidence=evidence, causes=("headers.env",)
        )
    problem, why = _describe(machine, found)
    if problem:
        return fail(
            f"{found.source} {problem}",
            reason=why,
            evidence=evidence,
            causes=("headers.package", "kernel.rebooted"),
            remedies=_remedies(machine, tool),
        )
    release = machine.kernel.release
    if found.release is not None and found.release != release and tool == "BCC" and _compared(machine):
        return fail(
            f"{found.source} is for {found.release}, not for {release}, and this kernel compares",
            reason="before 5.0 the kernel refuses kprobe programs with another LINUX_VERSION_CODE than its own "
            "(kernel/bpf/syscall.c), and BCC takes that of the headers",
            evidence=evidence,
            causes=("headers.package", "kernel.rebooted"),
            remedies=(*_remedies(machine, tool), _version_code(machine)),
        )
    if found.release is not None and found.release != release:
        # Tried in the lab: 6.1's headers under 6.12 and 7.3, with bpftrace 0.17 and 0.27. Nothing stops, nothing warns.
        return warn(
            f"{found.source} is for {found.release}, not for {release}",
            reason=f"{tool} takes it without a word: programs compile, with another kernel's constants and layouts",
            evidence=evidence,
            causes=("headers.package", "kernel.rebooted"),
            remedies=_remedies(machine, tool),
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


#: Where only /lib/modules of the host is there, its links lead into a directory that is not.
_MOUNT_SOURCE = Remedy(
    "headers.mount-source",
    "Start the container with /usr/src of the host as well, if that has the headers: -v /usr/src:/usr/src:ro",
    "manual",
    run_on="the host",
)


def _none(machine: Machine) -> Finding:
    evidence = _links(machine)
    elsewhere = machine.headers.elsewhere()
    broken = [chain for chain in machine.headers.links.values() if chain.hops and chain.broken]
    summary, reason = "bpftrace finds no kernel headers", ""
    remedies = _remedies(machine)
    if broken:
        summary = f"{broken[0].path} is a dangling link: {broken[0].broken} is not there"
        reason = "the link is installed, what it points to is not"
        in_container = (
            machine.environment.container is not None and machine.origin.packages.advice.obtainable != "no"
        )
        if in_container and (broken[0].broken or "").startswith("/usr/src"):
            reason += (
                "; in a container, /usr/src of the host has to be mounted as well (-v /usr/src:/usr/src:ro)"
            )
            remedies = (*remedies, _MOUNT_SOURCE)
    if elsewhere:
        evidence += tuple(Evidence(found.source, "complete, for this release") for found in elsewhere)
        reason = f"{elsewhere[0].source} is complete and fits; bpftrace does not look there unless told to"
    elif machine.origin.headers.other_releases:
        others = ", ".join(machine.origin.headers.other_releases[:3])
        reason = "; ".join(filter(None, (reason, f"headers are there for other kernels: {others}")))
    return fail(
        summary,
        reason=reason,
        evidence=evidence,
        causes=("headers.package", "kheaders.available", "kernel.rebooted"),
        remedies=remedies,
        wrong_remedies=_wrong(machine),
    )


def _wrong(machine: Machine) -> tuple[WrongRemedy, ...]:
    advice = machine.origin.packages.advice
    wrong = (
        [RECIPE]
        if machine.kheaders.module.state != "off"
        else [WrongRemedy("modprobe kheaders", "CONFIG_IKHEADERS is off in this kernel")]
    )
    if advice.obtainable == "no":
        wrong.append(WrongRemedy(f"apt install linux-headers-{machine.kernel.release}", advice.reason))
    return tuple(wrong)


def _remedies(machine: Machine, tool: str = "bpftrace") -> tuple[Remedy, ...]:
    """In order of preference: a tree that is there, the kernel's own archive, the exact package."""
    found: list[Remedy] = []
    variable, program = "BPFTRACE_KERNEL_SOURCE", "bpftrace ..."
    if tool == "BCC":
        variable, program = "BCC_KERNEL_SOURCE", machine.tools.bcc_program or "execsnoop-bpfcc"
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


@check("headers.bcc", "Kernel headers for BCC")
def bcc(machine: Machine) -> Iterator[Finding]:
    """The tree that BCC takes: BCC_KERNEL_SOURCE, /lib/modules/R/build (with source), else kheaders, which
    it unpacks automatically into $TMPDIR or /tmp after `modprobe kheaders`, and takes from there ever after. BCC
    compiles every tool with headers, BTF or not.
    """
    headers, facts = machine.headers, Bcc(machine)
    chosen = headers.for_bcc
    if (
        chosen is not None
        and headers.bcc_tree is not None
        and not _left_aside(facts, chosen, headers.bcc_tree)
    ):
        yield _judged(machine, chosen, headers.bcc_tree, _links(machine), "BCC")
        return
    before = _unpacked(machine, facts)
    if before is not None:
        yield before
        return
    served = False
    try:
        served = machine.kheaders.archive is not None and not machine.kheaders.problem
    except Unavailable as gap:
        yield unknown(
            "no header tree for BCC; whether the kernel provides kheaders is not known", reason=gap.reason
        )
        return
    if served:
        yield ok(f"BCC unpacks the kernel's own headers into {facts.unpacked}", evidence=_links(machine))
    elif machine.kheaders.module.state == "loadable":
        yield warn(
            f"BCC loads kheaders and unpacks it into {facts.unpacked} automatically",
            evidence=_links(machine),
            causes=("kheaders.module",),
        )
    else:
        yield fail(
            "no kernel headers for BCC",
            evidence=_links(machine),
            causes=("headers.tree", "headers.package", "kheaders.available"),
            remedies=_remedies(machine, "BCC"),
        )


def _left_aside(facts: Bcc, chosen: Selection, found: Tree) -> bool:
    """Whether BCC takes the kernel's archive although the directory is there: where one is, and kconfig.h is not."""
    if not facts.unpacks or chosen.missing:
        return False
    return f"{found.source}/include/linux/kconfig.h" in found.missing and facts.archive


def _unpacked(machine: Machine, facts: Bcc) -> Finding | None:
    """What lies where BCC would unpack, None if nothing does."""
    path = facts.unpacked
    try:
        info = machine.system.stat(path)
    except Unavailable:
        return None
    if info is None:
        return None
    evidence = (Evidence(path, f"{info.kind}, uid {info.uid}, mode {info.mode:04o}"), *_links(machine))
    away = Remedy(
        "bcc.unpack-again",
        "Remove it; BCC then unpacks the kernel's own headers again",
        "unsafe",
        (f"sudo rm -r {path}",),
        needs=("root",),
    )
    if info.uid != 0:
        return fail(
            f"BCC does not use {path}, which belongs to uid {info.uid}",
            reason="it takes only a directory of root, and unpacks nothing where there is another",
            evidence=evidence,
            remedies=(away,),
        )
    if facts.source != path:
        return fail(
            f"BCC takes {path}, an emptied tree: include/linux/kconfig.h is not in it",
            reason="it unpacks nothing where the directory is there; whatever cleans up /tmp took the files",
            evidence=evidence,
            remedies=(away,),
        )
    return ok(f"BCC takes the kernel's headers that it unpacked into {path}", evidence=evidence)


def _compared(machine: Machine) -> bool:
    return machine.kernel.version_numbers < (5, 0, 0)


def _version_code(machine: Machine) -> Remedy:
    """BCC's own variable; what uname -r ends in is not always what the kernel was built as (Debian's 4.19.0-21)."""
    major, minor, patch = machine.kernel.version_numbers
    program = machine.tools.bcc_program or "execsnoop-bpfcc"
    built = f"{major}.{minor}.{patch}"
    return Remedy(
        "bcc.version-code",
        f"Tell BCC the kernel's own version; {(major << 16) + (minor << 8) + min(patch, 255)} is {built}, "
        "and what /proc/version or /proc/version_signature adds counts",
        "unsafe",
        (f"sudo BCC_LINUX_VERSION_CODE={(major << 16) + (minor << 8) + min(patch, 255)} {program}",),
        needs=("root",),
    )


def _installed(machine: Machine, name: str, version: str | None, evidence: tuple[Evidence, ...]) -> Finding:
    """A package whose name and version say nothing of the release may hold another kernel's headers: files decide."""
    release = machine.kernel.release
    others = machine.headers.other_releases
    if version is None and release not in name and not machine.headers.links["build"].is_dir and others:
        return fail(
            f"{name} is installed, with headers for another kernel: {', '.join(others[:3])}",
            evidence=(*evidence, *_links(machine)),
            causes=("kernel.rebooted",),
            remedies=_own(machine),
        )
    return ok(f"{name} is installed", evidence=evidence)


def _own(machine: Machine) -> tuple[Remedy, ...]:
    """Installing the package, where that is possible and of use."""
    remedy = header_package(machine)
    return () if remedy is None else (remedy,)


def _of_others(machine: Machine) -> str:
    """Headers that are installed for other kernels, and are no use for this one."""
    try:
        others = [f"{package.name} {package.version}" for package in machine.packages.other_headers]
    except Unavailable:
        return ""
    return f"installed are headers for another kernel: {', '.join(others[:3])}" if others else ""


@check("headers.package", "The header package for this kernel")
def package(machine: Machine) -> Iterator[Finding]:
    """The package for exactly this release, decided by the release string and not by os-release; installed
    or not by the package database read as files; obtainable from this system's repositories, or never
    (vendor kernels).
    """
    # The kernel is the host's: where its files can be seen, its package database is the one that counts.
    for finding in _package(machine.origin):
        if machine.origin.of_host:
            evidence = (
                e if e.side or e.source == "decided by" else e._replace(side="host") for e in finding.evidence
            )
            yield replace(finding, evidence=tuple(evidence))
        else:
            yield finding


def _package(machine: Machine) -> Iterator[Finding]:
    packages = machine.packages
    advice = packages.advice
    evidence = [Evidence("decided by", text) for text in advice.decided_by]
    if machine.of_host:
        evidence.append(Evidence(machine.system.root, "the host's files: its package database is asked"))
    if advice.obtainable == "no":
        yield fail(
            "no package of headers exists for this kernel",
            reason=advice.reason,
            evidence=tuple(evidence),
            causes=("kernel.identity",),
            remedies=instead(machine),
            wrong_remedies=(
                WrongRemedy(f"apt install linux-headers-{machine.kernel.release}", advice.reason),
            ),
        )
        return
    if not advice.name:
        yield unknown(
            "which package has headers for this kernel is not known",
            reason="; ".join(filter(None, (advice.reason, _of_others(machine)))),
            evidence=tuple(evidence),
            causes=("kernel.identity",),
            remedies=instead(machine),
        )
        return
    try:
        installed = packages.installed_headers
    except Unavailable as gap:
        yield unknown(
            f"{advice.name} is the package; cannot tell whether it is installed",
            reason=gap.reason,
            evidence=tuple(evidence),
            remedies=_own(machine),
        )
        return
    evidence += [Evidence("installed", f"{package.name} {package.version}") for package in installed]
    lacking = packages.lacking
    if not lacking:
        yield _installed(machine, advice.name, advice.version, tuple(evidence))
        return
    if advice.name not in lacking:
        what = f"only half of the headers is installed; missing: {', '.join(lacking)}"
    elif len(lacking) <= len(advice.parts):
        what = f"only half of the headers is installed; missing: {advice.name}"
    else:
        what = f"{advice.name} is not installed"
    place = "/var/lib/dpkg/status" if advice.manager == "apt" else "package database"
    place = machine.seen_at(place) if place.startswith("/") else place
    names = {package.name for package in installed}
    absent = [
        Evidence(place, f"{name}: {'none for this kernel' if name in names else 'not installed'}")
        for name in lacking
    ]
    reason = _of_others(machine)
    if advice.obtainable == "unknown":
        reason = "; ".join(filter(None, (advice.reason, reason)))
    elif packages.listed(advice.name) is False:
        gone = f"{advice.manager}'s lists here have no {advice.name}: archives keep the newest kernel's only"
        reason = "; ".join(filter(None, (gone, reason)))
    if advice.here == "no":
        reason = f"{advice.here_reason}; {reason}" if reason else advice.here_reason
    yield fail(
        what,
        reason=reason,
        evidence=(*absent, *evidence),
        causes=("environment.container", "kernel.rebooted"),
        remedies=(*_own(machine), *newest_kernel(machine)) or instead(machine),
        wrong_remedies=tuple(
            WrongRemedy(f"installing {trap}", "user-space (UAPI) headers only") for trap in advice.traps[:2]
        ),
    )
