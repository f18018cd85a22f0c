"""Packages: what this system's package database lists, and which package would hold headers for the running
kernel.
"""

from __future__ import annotations

import re
import shlex
from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.model import Remedy
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.packages import HeaderPackage
    from kdiag.machine import Machine
    from kdiag.parse.packages import Package, Wanted
    from kdiag.system import System

_DPKG = "/var/lib/dpkg/status"
_APK = "/lib/apk/db/installed"
_PACMAN = "/var/lib/pacman/local"
_RPM = (
    "/var/lib/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/Packages.db",
    "/var/lib/rpm/Packages.db",
    "/var/lib/rpm/Packages",
)
#: The package manager that writes each kind of database.
_MANAGERS = {"dpkg": "apt", "rpm": "dnf", "apk": "apk", "pacman": "pacman"}
#: Databases of large systems have 10 to 200 MB.
_LIMIT = 512 * 1024 * 1024
_TOOLS = ("bpftrace", "bpftool", "bpfcc-tools", "bcc-tools", "bcc")


class Packages:
    """The package database as files, and the header package for this kernel."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def database(self) -> tuple[str, str] | None:
        """(kind, path) of the package database: dpkg, rpm, apk, pacman; None if there is none."""
        for kind, path in (("dpkg", _DPKG), ("apk", _APK), ("pacman", _PACMAN), *(("rpm", p) for p in _RPM)):
            if self._system.stat(path) is not None:
                return kind, path
        return None

    @cached_property
    def manager(self) -> str | None:
        """apt, dnf, zypper, apk, pacman: by the database and os-release; None if not known."""
        try:
            found = self.database
            system = self._machine.kernel.os_release
        except Unavailable:
            return None
        if found is None:
            return None
        if found[0] == "rpm" and system is not None:
            names = {system.id or "", *system.id_like}
            if names & {"opensuse", "suse", "sles", "opensuse-leap", "opensuse-tumbleweed"}:
                return "zypper"
            if "azurelinux" in names or "mariner" in names or "photon" in names:
                return "tdnf"
        return _MANAGERS[found[0]]

    @cached_property
    def advice(self) -> HeaderPackage:
        """The header package for exactly this kernel, by its release string."""
        from kdiag.knowledge.packages import header_package

        try:
            system = self._machine.kernel.os_release
        except Unavailable:
            system = None
        try:
            arch: str | None = self._machine.kernel.arch
        except Unavailable:
            arch = None
        return header_package(self._machine.kernel.release, self._machine.kernel.identity, arch, system)

    @cached_property
    def remedy(self) -> Remedy | None:
        """Installing that package, if this system's package manager can have it; else from where it has to
        come.
        """
        from kdiag.knowledge.packages import install_commands

        advice = self.advice
        if advice.obtainable != "yes" or not advice.install:
            return None
        if self._system.stat("/boot/.firmware_revision") or self._system.stat(
            "/boot/firmware/.firmware_revision"
        ):
            # rpi-update put a kernel there that no package belongs to (Hexxeh/rpi-update writes this file).
            return Remedy(
                "headers.rpi-update",
                "Go back to the packaged kernel, which has headers: rpi-update installed this one",
                "unsafe",
                ("sudo apt-get install --reinstall raspberrypi-kernel raspberrypi-bootloader", "sudo reboot"),
                needs=("root", "network", "reboot"),
            )
        wanted = self._wanted()
        install = install_commands(advice.manager or "", wanted) if wanted else advice.install
        commands = tuple(f"sudo {shlex.join(command)}" for command in install)
        title = f"Install {' '.join(wanted) or advice.name}" + self._from_suite()
        if advice.here == "no" or self._machine.environment.container is not None:
            return Remedy(
                "headers.package-outside",
                f"{title} where this kernel's system is",
                "manual",
                commands,
                "the host",
                ("root", "network"),
            )
        return Remedy("headers.package", title, "safe", commands, needs=("root", "network"))

    def _wanted(self) -> tuple[str, ...]:
        """The parts that are missing where the package itself is there; () to install the package."""
        try:
            lacking = self.lacking
        except Unavailable:
            return ()
        return () if not lacking or self.advice.name in lacking else lacking

    def _from_suite(self) -> str:
        """A hint where the kernel belongs to another release of the same distribution than the files (a backport)."""
        identity, system = self._machine.kernel.identity, self._machine.kernel.os_release
        found = re.search(r"-(\d+(?:\.\d+)?)(?:-|$)", identity.id) if identity is not None else None
        if found is None or identity is None or system is None or system.version_id in (None, found[1]):
            return ""
        return (
            f" (from the repository of {identity.family.capitalize()} {found[1]})"
            if identity.family == system.id
            else ""
        )

    def install_command(self, package: str) -> tuple[str, ...] | None:
        """The shell lines that install `package` on this system, None if the manager is not known."""
        from kdiag.knowledge.packages import install_commands

        if self.manager is None or self._machine.environment.immutable is not None:
            return None
        commands = install_commands(self.manager, (package,))
        return tuple(f"sudo {shlex.join(command)}" for command in commands) or None

    @cached_property
    def _interesting(self) -> tuple[Package, ...]:
        """Installed packages that matter here: one pass over the database."""
        from kdiag.knowledge.packages import UAPI_PACKAGES

        if self.database is None:
            return ()
        kind, path = self.database
        advice = self.advice
        wanted = {*_TOOLS, *UAPI_PACKAGES, *(name for name in (advice.name, *advice.parts) if name)}
        try:
            return read_database(
                self._system, kind, path, lambda name: name in wanted or _is_header_package(name)
            )
        except ParseError as error:
            raise Unavailable(f"{path}: {error}") from None

    def version_of(self, name: str) -> str | None:
        """The version of an installed package among those that matter, None if not installed."""
        return next((p.version for p in self._interesting if p.name == name), None)

    @cached_property
    def installed_headers(self) -> tuple[Package, ...]:
        """Installed header packages, also those of other kernels. Raises Unavailable."""
        if self.database is None:
            raise Unavailable("no package database that kdiag can read")
        found = (package for package in self._interesting if _is_header_package(package.name))
        return tuple(sorted(found, key=lambda p: (p.name, p.version)))

    @cached_property
    def lacking(self) -> tuple[str, ...]:
        """The packages of `advice` (its parts included) that are not installed in the version for this kernel."""
        advice = self.advice
        wanted = [(advice.name or "", advice.version), *((part, None) for part in advice.parts)]
        return tuple(
            n for n, version in wanted if not any(is_package(p, n, version) for p in self.installed_headers)
        )

    @cached_property
    def uapi(self) -> tuple[str, ...]:
        """Installed packages of user-space headers."""
        from kdiag.knowledge.packages import UAPI_PACKAGES

        try:
            return tuple(sorted({p.name for p in self._interesting if p.name in UAPI_PACKAGES}))
        except Unavailable:
            return ()


def read_database(system: System, kind: str, path: str, matters: Wanted) -> tuple[Package, ...]:
    """The packages of one database whose name `matters`.

    `kind` and `path` as in `Packages.database`. Raises Unavailable (unreadable) and ParseError (damaged).
    """
    if kind == "pacman":
        from kdiag.parse.packages import pacman

        return pacman.installed(system.listdir(path) or (), matters)
    data = system.read(path, _LIMIT) or b""
    if kind == "dpkg":
        from kdiag.parse.packages import dpkg

        return dpkg.installed(data, matters)
    if kind == "apk":
        from kdiag.parse.packages import apk

        return apk.installed(data, matters)
    from kdiag.parse.packages import rpm

    return rpm.installed(data, matters)


def is_package(package: Package, wanted: str, version: str | None) -> bool:
    """Whether an installed package is the one called `wanted`, in `version` if one is given (`*` at its end: any
    rebuild). RPM packages are asked for as NAME-VERSION or NAME-VERSION.ARCH, and their version may have an epoch.
    """
    bare = package.version.partition(":")[2] or package.version
    if package.name == wanted:
        if version is None:
            return True
        return bare.startswith(version[:-1]) if version.endswith("*") else version in (bare, package.version)
    return wanted in (f"{package.name}-{bare}", f"{package.name}-{bare}.{package.arch}")


def _is_header_package(name: str) -> bool:
    """Whether a package name is that of kernel headers or their parts, of any kernel."""
    return (
        name.startswith(
            (
                "linux-headers",
                "linux-kbuild",
                "proxmox-headers",
                "pve-headers",
                "kernel-devel",
                "kernel-uek-devel",
            )
        )
        or (name.startswith("kernel") and name.endswith("-devel"))
        or (name.startswith("linux-") and name.endswith(("-headers", "-dev")))
        or name.endswith("-kernel-headers")
    )
