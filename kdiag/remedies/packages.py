"""Installing a package: on this system, or where the kernel's own system is."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kdiag.knowledge.distributions import next_with
from kdiag.knowledge.managers import install_commands, reinstall_commands
from kdiag.model import Remedy
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.image_systems import ImageSystem
    from kdiag.knowledge.suites import Suite
    from kdiag.machine import Machine

#: The remedy that `kdiag fix --packages` can carry out.
INSTALL_HEADERS = "headers.package"
#: Where a container's kernel is from.
HOST = "the host"


def header_package(machine: Machine) -> Remedy | None:
    """Installing this kernel's header package, if this system's package manager can have it; else from where it has to
    come. None where no package is known, or none is of use: the kernel that runs is no longer the installed one.
    """
    inside, machine = machine.environment.container is not None, machine.origin
    advice = machine.packages.advice
    if advice.obtainable != "yes" or not advice.install or machine.modules.outdated:
        return None
    if _by_rpi_update(machine):
        return Remedy(
            "headers.rpi-update",
            "Go back to the packaged kernel, which has headers: rpi-update installed this one",
            "unsafe",
            ("sudo apt-get install --reinstall raspberrypi-kernel raspberrypi-bootloader", "sudo reboot"),
            needs=("root", "network", "reboot"),
        )
    if machine.of_host and _complete(machine):
        return None
    wanted = _wanted(machine)
    install = install_commands(advice.manager or "", wanted) if wanted else advice.install
    commands = _as_root(install)
    title = f"Install {' '.join(wanted) or advice.name}"
    suite = advice.suite
    if suite is not None and not suite.usual:
        title += f" (from {suite.name})"
    if machine.of_host and (image := machine.environment.image) is not None:
        return _onto_host(image, advice.name or "") if image.layers else None
    if machine.of_host and machine.environment.container is None:
        title = f"{title} on the host; they are then in {machine.system.root} here"
        return Remedy("headers.package-outside", title, "manual", commands, HOST, ("root", "network"))
    if advice.here == "no" or machine.environment.container is not None:
        pass_in = ", and start the container with /lib/modules and /usr/src of that" if inside else ""
        return Remedy(
            "headers.package-outside",
            f"{title} where this kernel's system is{pass_in}",
            "manual",
            commands,
            HOST,
            ("root", "network"),
        )
    image = machine.environment.image
    if image is not None:
        return _onto_image(image, "headers.package-image", advice.name or "") if image.layers else None
    if suite is not None and advice.suite_used != "yes" and (not suite.usual or advice.suite_used == "no"):
        return _from_elsewhere(machine, suite, commands)
    title += _unlisted(machine, *(wanted or (advice.name or "",)))
    return Remedy(INSTALL_HEADERS, title, "safe", commands, needs=("root", "network"))


def _unlisted(machine: Machine, *names: str) -> str:
    """A word on packages that the lists of this system do not have: what is named may then not be had."""
    missing = [name for name in names if machine.packages.listed(name) is False]
    manager = machine.packages.manager
    return (
        f"; {manager}'s lists here do not have {' '.join(missing)}, perhaps newer ones do" if missing else ""
    )


def newest_kernel(machine: Machine) -> tuple[Remedy, ...]:
    """The way out where the lists have no headers for this kernel: archives keep those of the newest kernel only."""
    name = machine.packages.advice.name
    if (
        name is None
        or machine.packages.listed(name) is not False
        or machine.environment.container is not None
    ):
        return ()
    upgrade = {"apt": "sudo apt-get update && sudo apt-get dist-upgrade", "dnf": "sudo dnf upgrade --refresh"}
    command = upgrade.get(machine.packages.manager or "", "sudo pacman -Syu")
    return (
        Remedy(
            "headers.newest-kernel",
            "Upgrade to the newest kernel, reboot, and install its headers: archives keep no old ones",
            "unsafe",
            (command, "sudo reboot"),
            needs=("root", "network", "reboot"),
        ),
    )


def _onto_host(image: ImageSystem, package: str) -> Remedy:
    """The same for a host that is an image: where it is not said otherwise, its commands are for the host."""
    remedy = _onto_image(image, "headers.package-image", package)
    return remedy._replace(kind="manual", run_on=HOST if remedy.run_on == "here" else remedy.run_on)


def _from_elsewhere(machine: Machine, suite: Suite, commands: tuple[str, ...]) -> Remedy:
    """The package is in a part of the archive that this system is not known to use."""
    name = machine.packages.advice.name
    uses = "does not use" if machine.packages.advice.suite_used == "no" else "may not use"
    if suite.enabling:
        return Remedy(
            "headers.suite",
            f"Enable {suite.name}, which this system {uses}, and install {name} from it: {suite.meaning}",
            "unsafe",
            (*suite.enabling, *commands),
            needs=("root", "network"),
        )
    if not suite.usual:
        return Remedy(
            "headers.suite",
            f"Set up {suite.name}, which has {name} and which this system {uses}",
            "manual",
        )
    system = machine.kernel.os_release
    mine = (system.pretty_name or system.id or "this system") if system is not None else "this system"
    return Remedy(
        "headers.own-kernel",
        f"Install a kernel of {mine} with its headers and reboot: {name} is in {suite.name}, of {suite.of}, which this "
        f"system {uses}",
        "manual",
        needs=("root", "network", "reboot"),
    )


def _by_rpi_update(machine: Machine) -> bool:
    """rpi-update put a kernel there that no package belongs to (Hexxeh/rpi-update writes this file)."""
    return any(
        machine.system.stat(f"{directory}/.firmware_revision") for directory in ("/boot", "/boot/firmware")
    )


def _complete(machine: Machine) -> bool:
    """Whether nothing of it is missing: what the host has is of use here only where it can be seen."""
    try:
        return not machine.packages.lacking
    except Unavailable:
        return False


def _wanted(machine: Machine) -> tuple[str, ...]:
    """The parts that are missing where the package itself is there; () to install the package."""
    try:
        lacking = machine.packages.lacking
    except Unavailable:
        return ()
    return () if not lacking or machine.packages.advice.name in lacking else lacking


def install(machine: Machine, remedy_id: str, package: str) -> tuple[Remedy, ...]:
    """Installing a package of this distribution, if it is known how; () where it is not."""
    image = machine.environment.image
    if image is not None and machine.environment.container is None:
        return (_onto_image(image, remedy_id, package),)
    commands = _as_root(install_commands(machine.packages.manager or "", (package,)))
    if not commands:
        return ()
    title = f"Install {package}{_unlisted(machine, package)}"
    return (Remedy(remedy_id, title, commands=commands, needs=("root", "network")),)


def newer_bpftrace(machine: Machine, needed: tuple[int, int, int]) -> Remedy:
    """A bpftrace that can what the installed one is too old for: this distribution's, where that is new enough."""
    packaged = machine.tools.packaged_bpftrace
    if packaged is not None and packaged >= needed:
        for way in install(machine, "bpftrace.newer", "bpftrace"):
            return way._replace(title=f"Install bpftrace {_dotted(packaged)}, which this distribution has")
    try:
        system = machine.kernel.os_release
    except Unavailable:
        system = None
    known = [f"this distribution has {_dotted(packaged)}"] if packaged is not None else []
    later = next_with(system.id, needed) if system is not None else None
    if later is not None and system is not None:
        known.append(f"{(system.id or '').capitalize()} {later[0]} has {_dotted(later[1])}")
    known.append("the project's own binary is at github.com/bpftrace/bpftrace/releases")
    return Remedy(
        "bpftrace.newer",
        f"Use bpftrace {_dotted(needed)} or newer: {', '.join(known)}",
        "manual",
        needs=("root", "network"),
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def reinstall(machine: Machine, remedy_id: str, package: str) -> tuple[Remedy, ...]:
    """Putting a package there once more, with the libraries that it is linked to now."""
    if machine.environment.image is not None and machine.environment.container is None:
        return install(machine, remedy_id, package)
    commands = _as_root(reinstall_commands(machine.packages.manager or "", package))
    if not commands:
        return ()
    title = f"Install {package} again, with the libraries that it needs"
    return (Remedy(remedy_id, title, commands=commands, needs=("root", "network")),)


def _onto_image(image: ImageSystem, remedy_id: str, package: str) -> Remedy:
    """How a package comes onto a system that is an image."""
    return Remedy(
        remedy_id,
        image.way.format(package=package),
        "unsafe" if image.commands and image.run_on == "here" else "manual",
        tuple(command.format(package=package) for command in image.commands),
        image.run_on,
        image.needs,
    )


def bcc_package(machine: Machine) -> str:
    """What BCC's tools are called here: Debian and its family have a name of their own for them."""
    image = machine.environment.image
    apt = image.apt if image is not None else machine.packages.manager == "apt"
    return "bpfcc-tools" if apt else "bcc-tools"


def bpftool_package(machine: Machine) -> str:
    """What has bpftool here: Ubuntu builds one for each kernel, Arch has it in a package of several tools."""
    system = machine.kernel.os_release
    if system is not None and system.id == "ubuntu":
        # Of kernels that are not Ubuntu's there is none; bpftool of another kernel does as well.
        own = machine.packages.advice.obtainable == "yes"
        return f"linux-tools-{machine.kernel.release}" if own else "linux-tools-generic"
    return "bpf" if machine.packages.manager == "pacman" else "bpftool"


#: What has <sys/socket.h>, by the package manager; others call it glibc-devel.
_LIBC = {"apt": "libc6-dev", "apk": "musl-dev", "pacman": "glibc"}


def libc_package(machine: Machine) -> str:
    """What has the C library's headers here."""
    return _LIBC.get(machine.packages.manager or "", "glibc-devel")


def instead(machine: Machine) -> tuple[Remedy, ...]:
    """What helps where no package is to be had: only what this machine lacks, each with who can do it."""
    return tuple(
        Remedy("headers.instead", way.do, "manual", way.commands, way.on, way.needs)
        for way in machine.origin.packages.advice.instead
        if _of_use(machine, way.when)
    )[:2]


def _of_use(machine: Machine, when: str) -> bool:
    if when in ("btf", "no-btf"):
        return _has_btf(machine) is (when == "btf")
    if when == "kheaders":
        state = machine.kheaders.module.state
        hidden = state in ("absent", "unknown") and machine.environment.container is not None
        return hidden or state in ("loadable", "unknown")
    return True


def _has_btf(machine: Machine) -> bool:
    try:
        machine.btf.vmlinux  # noqa: B018  asked for whether it is there
    except (Unavailable, ValueError):
        return False
    return True


def _as_root(commands: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return tuple(f"sudo {shlex.join(command)}" for command in commands)
