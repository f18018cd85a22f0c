"""Where the machine runs, and what that means for headers, modules and mounts."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.surroundings.place import Place
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail, ok, unknown, warn
from kdiag.system import Unavailable

from .granted import WHOLE_PROC


def _signs(place: Place) -> tuple[Evidence, ...]:
    return tuple(Evidence(path, seen) for path, seen in place.signs)


@check("environment.container", "Container")
def container(machine: Machine) -> Iterator[Finding]:
    """Whether this is a container, by the signs that container managers leave, in systemd's order; from
    files only.

    In a container the kernel is the host's and the files are the image's: /proc, /sys/kernel/btf and
    kheaders are the same as outside, /lib/modules, /boot, /usr/src and the package manager are not.
    """
    place = machine.environment.container
    if place is None:
        leftover = machine.environment.leftover_markers
        if leftover:
            yield ok(
                "no container: all namespaces are the machine's own",
                reason=f"{', '.join(leftover)} was left by the image that this machine boots",
                evidence=tuple(Evidence(path, "exists") for path in leftover),
            )
        else:
            yield _none(machine)
        return
    yield warn(
        f"in {place.name}",
        reason="the kernel is the host's, the files are the image's: modules, headers and mounts come from outside",
        evidence=_signs(place),
        wrong_remedies=(
            WrongRemedy(
                "installing kernel headers from the image's distribution", "they belong to another kernel"
            ),
        )
        if machine.packages.advice.here == "no"
        else (),
    )


def _none(machine: Machine) -> Finding:
    """No sign of a container: that is an answer only where the namespaces or the first process could be looked at."""
    foreign = machine.environment.foreign_namespaces
    if foreign is not None:
        seen = f"not the machine's own: {', '.join(foreign)}" if foreign else "the machine's own"
        return ok("no container", evidence=(Evidence("/proc/self/ns", seen),))
    if machine.environment.hidden_namespaces:
        return unknown(
            "whether this is a container cannot be seen", reason=machine.environment.hidden_namespaces[0]
        )
    try:
        environ = machine.system.stat("/proc/1/environ")
    except Unavailable as gap:
        return unknown("whether this is a container cannot be seen", reason=gap.reason)
    if environ is None:
        return unknown("whether this is a container cannot be seen", reason="/proc/1/environ is absent")
    return ok("no container", evidence=(Evidence("/proc/1/environ, marker files", "no sign of one"),))


_VM_ADVICE = {
    "wsl2": "the kernel is Microsoft's: no distribution has headers for it; `wsl --update` installs newer kernels",
    "wsl1": "WSL 1 is not a Linux kernel: no eBPF at all; `wsl --set-version DISTRO 2` converts",
    "linuxkit": "the kernel comes with Docker Desktop: no distribution has headers for it; newer versions have BTF",
    "orbstack": "one kernel, by OrbStack, runs every machine and container; it provides kheaders without a module",
    "gvisor": "gVisor is not Linux: it has no bpf(2) tracing",
    "firecracker": "a guest kernel built for microVMs: what is not built in cannot be added from inside",
    "uml": "User Mode Linux has no kprobes, uprobes or BTF",
}


#: What turns a machine without eBPF into one that has it, where something does.
_VM_REMEDIES = {
    "wsl1": Remedy(
        "vm.wsl2",
        "Turn this distribution into one of WSL 2",
        "manual",
        ("wsl --set-version DISTRIBUTION 2",),
        "Windows",
    ),
    "gvisor": Remedy(
        "vm.runtime",
        "Start the container with a runtime that uses the host's kernel (runc or crun instead of runsc)",
        "manual",
        (),
        "the host",
    ),
}


@check("environment.vm", "Virtual machine")
def vm(machine: Machine) -> Iterator[Finding]:
    """Which virtual machine the kernel runs in, by release string, DMI tables, device tree and processor
    flags; from files only.
    """
    place = machine.environment.vm
    if place is None:
        places = "/sys/class/dmi/id, /sys/hypervisor, /proc/device-tree, /proc/cpuinfo"
        yield ok("no sign of a virtual machine in files", evidence=(Evidence(places, "no sign of one"),))
        return
    advice = _VM_ADVICE.get(place.kind)
    if place.kind in ("wsl1", "gvisor", "uml"):
        remedy = _VM_REMEDIES.get(place.kind)
        yield fail(
            f"{place.name} has no eBPF",
            reason=advice or "",
            evidence=_signs(place),
            remedies=(remedy,) if remedy else (),
        )
    elif advice:
        yield warn(f"in {place.name}", reason=advice, evidence=_signs(place))
    else:
        yield ok(f"in {place.name}", evidence=_signs(place))


@check("environment.immutable", "Immutable system")
def immutable(machine: Machine) -> Iterator[Finding]:
    """Systems whose files no package manager changes at run time: header packages have to come another way."""
    place = machine.environment.immutable
    if place is None:
        seen = Evidence("/run/ostree-booted, /etc/os-release", "no sign of an immutable system")
        yield ok("packages can be installed the usual way", evidence=(seen,))
        return
    image = machine.environment.image
    how = image.how if image is not None else "packages are layered or absent"
    yield warn(f"{place.name}: {how}", evidence=_signs(place))


@check("kernel.modules", "Loadable modules")
def modules(machine: Machine) -> Iterator[Finding]:
    """Whether this kernel has loadable modules at all (/proc/modules). bpftrace 0.25 refuses to start
    without.
    """
    try:
        loaded = machine.modules.loaded
    except Unavailable as gap:
        if machine.system.stat("/proc/self/status") is None:
            raise
        # What the kernel has is not known; what the tools find is: no file.
        yield fail(
            "/proc/modules is not shown here",
            reason=gap.reason,
            evidence=(Evidence("/proc/modules", "absent"), Evidence("/proc/version", "absent")),
            remedies=(WHOLE_PROC,),
        )
        return
    if loaded is None:
        yield fail(
            "this kernel has no loadable modules",
            evidence=(Evidence("/proc/modules", "absent"),),
            causes=("config.MODULES",),
        )
    else:
        yield ok(
            f"{len(loaded)} modules are loaded", evidence=(Evidence("/proc/modules", f"{len(loaded)} lines"),)
        )


@check("environment.host", "The host's files")
def host(machine: Machine) -> Iterator[Finding]:
    """Whether the root of the host is mounted here, as in pods (/host), toolbox and distrobox (/run/host), or named by
    `kdiag check --host DIR` (or $KDIAG_HOST). The running kernel is the host's: its configuration, headers, modules and
    packages are then looked up there, too, and paths that begin with this directory are the host's side. Without such a
    root there is no answer.

    Only a root that has modules of the running release is taken without being named: another one may be a system that
    was mounted to be repaired. See it yourself: `ls DIR/lib/modules/$(uname -r)`.
    """
    found = machine.host.found
    if found is None:
        return
    name = machine.host.name
    evidence = (
        Evidence("--host, $KDIAG_HOST" if found.asked else "/proc/self/mountinfo", found.directory, "here"),
        Evidence(
            found.sure or f"{found.directory}/lib/modules/{machine.kernel.release}",
            "exists" if found.sure else "absent",
        ),
    )
    if found.sure or found.asked:
        yield ok(
            f"the host's files ({name}) are in {found.directory}",
            reason="" if found.sure else "the caller says so; the running kernel's modules are not there",
            evidence=evidence,
        )
        return
    yield unknown(
        f"{found.directory} has the files of a system ({name}), the host's or not",
        reason=f"it has no modules of {machine.kernel.release}; --host {found.directory} says that it is the host's",
        evidence=evidence,
    )
