"""The kernel that is examined: its release, its architecture, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from kdiag.machine.text import read_text
from kdiag.parse.elf import ElfIdent
from kdiag.parse.elf import machine as elf_machine
from kdiag.parse.errors import ParseError
from kdiag.parse.osrelease import OsRelease
from kdiag.parse.osrelease import parse as parse_os_release
from kdiag.system import Uname, Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.kernels import KernelIdentity
    from kdiag.machine import Machine

T = TypeVar("T")

#: uname -m -> the directory below arch/ in the kernel's source (scripts/subarch.include).
_SOURCE_ARCH = {
    "x86_64": "x86",
    "i386": "x86",
    "i486": "x86",
    "i586": "x86",
    "i686": "x86",
    "amd64": "x86",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "ppc64le": "powerpc",
    "ppc64": "powerpc",
    "s390x": "s390",
    "riscv64": "riscv",
    "riscv32": "riscv",
    "loongarch64": "loongarch",
    "mips": "mips",
    "mips64": "mips",
}

#: Options that are on for one machine of `uname -m` only (arch/*/Kconfig).
_CONFIGURED_ARCH = (("X86_64", "x86_64"), ("ARM64", "aarch64"), ("S390", "s390x"))

#: Machines of `uname -m` whose kernels are big-endian, and those that are either.
_BIG_ENDIAN = (
    "s390x",
    "s390",
    "ppc64",
    "ppc",
    "sparc64",
    "sparc",
    "parisc64",
    "parisc",
    "m68k",
    "aarch64_be",
    "armeb",
)
_EITHER = ("mips", "mips64")

MODULE_DIRS = ("/lib/modules", "/usr/lib/modules", "/run/booted-system/kernel-modules/lib/modules")


class Kernel:
    """The running kernel, or for a mounted root the only kernel installed there."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def uname(self) -> Uname:
        """uname(2). Raises Unavailable for a mounted root."""
        return self._system.uname()

    @cached_property
    def release(self) -> str:
        """The release that was asked for, or `uname -r`; for a mounted root that of the only kernel installed in it.

        Raises Unavailable where there is none, or more than one.
        """
        if self._machine.installed:
            return self._machine.installed
        try:
            return self.uname.release
        except Unavailable as gap:
            found = releases(
                name for directory in MODULE_DIRS[:2] for name in self._system.listdir(directory) or ()
            )
            if len(found) == 1:
                return found[0]
            what = f"{len(found)} kernels are installed" if found else "no kernel is installed"
            raise Unavailable(f"{gap.reason}, and {what} below {MODULE_DIRS[0]}") from None

    @property
    def release_is_running(self) -> bool:
        """Whether `release` is that of a running kernel (False: read off a mounted root)."""
        try:
            return bool(self.uname.release)
        except Unavailable:
            return False

    @cached_property
    def version_numbers(self) -> tuple[int, int, int]:
        """Major, minor, patch of the release: a hint only, distributions backport. (0, 0, 0) if unreadable."""
        found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", self.release)
        return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)

    @cached_property
    def stable_numbers(self) -> tuple[int, int, int]:
        """The upstream release that the build was made of, where its distribution says so beside a release of its own:
        Debian in uname's version ("#1 SMP Debian 6.1.174-1"), Ubuntu in /proc/version_signature ("Ubuntu
        5.15.0-91.101-generic 5.15.131"); else `version_numbers`.
        """
        told = []
        with suppress(Unavailable):
            told.append(self.uname.version)
        with suppress(Unavailable):
            told.append(read_text(self._system, "/proc/version_signature", 4096) or "")
        every = [
            (int(found[1]), int(found[2]), int(found[3]))
            for found in re.finditer(r"\s(\d+)\.(\d+)\.(\d+)(?=[-+~\s]|$)", " ".join(told))
        ]
        series = self.version_numbers[:2]
        return max([self.version_numbers, *(numbers for numbers in every if numbers[:2] == series)])

    @cached_property
    def proc_version(self) -> str | None:
        """/proc/version: release, builder, compiler, build number."""
        return read_text(self._system, "/proc/version")

    @cached_property
    def command_line(self) -> str:
        """/proc/cmdline, empty if it cannot be read."""
        try:
            return read_text(self._system, "/proc/cmdline") or ""
        except Unavailable:
            return ""

    @cached_property
    def os_release(self) -> OsRelease | None:
        """os-release of the user space; older systems without one by their own release files; None if
        nothing tells.

        Unavailable if there is an os-release that is not one.
        """
        for path in ("/etc/os-release", "/usr/lib/os-release"):
            data = self._system.read(path, 1024 * 1024)
            if data is None:
                continue
            try:
                return parse_os_release(data)
            except ParseError as error:
                raise Unavailable(f"{path}: {error}") from None
        found = self._system.distribution()
        return (
            None
            if found is None
            else OsRelease(id=found[0], version_id=found[1] or None, pretty_name=found[2] or None)
        )

    @cached_property
    def identity(self) -> KernelIdentity | None:
        """Whose kernel it is by the knowledge table, None if it knows no such release."""
        from kdiag.knowledge.kernels import identify

        system = self._or_none(self._native_os)
        return identify(
            self.release,
            proc_version=self._or_none(lambda: self.proc_version),
            version=self._or_none(lambda: self.uname.version),
            os_id=system.id if system else None,
            os_version=system.version_id if system else None,
            machine=self._or_none(lambda: self.arch),
            hints=self._or_none(self._hints) or (),
        )

    @staticmethod
    def _or_none(ask: Callable[[], T | None]) -> T | None:
        try:
            return ask()
        except Unavailable:
            return None

    def _native_os(self) -> OsRelease | None:
        """The distribution of the files, unless they are a container image's: those say nothing about the
        kernel.
        """
        origin = self._machine.origin
        return origin.kernel.os_release if origin.environment.container is None else None

    def _hints(self) -> tuple[str, ...]:
        vm = self._machine.environment.vm
        return (vm.kind,) if vm is not None else ()

    @property
    def arch(self) -> str:
        """`uname -m`, or for a kernel that is not running what its configuration says. Under emulation of user space
        this is not the kernel's: see `true_arch`.
        """
        try:
            return self.uname.machine
        except Unavailable:
            found = self._configured_arch()
            if found is None:
                raise
            return found

    def _configured_arch(self) -> str | None:
        """`uname -m` of the kernels whose configuration leaves no choice of it."""
        try:
            value = self._machine.config.value
            return next((machine for option, machine in _CONFIGURED_ARCH if value(option) == "y"), None)
        except Unavailable:
            return None

    @cached_property
    def byteorder(self) -> str | None:
        """`little` or `big`; None where uname(2) leaves it open and no program of this user space can be read."""
        if self.arch in _EITHER:
            return None if self.interpreter is None else self.interpreter.byteorder
        return "big" if self.arch in _BIG_ENDIAN or re.fullmatch(r"armv\d\w*b", self.arch) else "little"

    @cached_property
    def interpreter(self) -> ElfIdent | None:
        """The ELF identification of the Python that runs kdiag: the architecture of this user space."""
        try:
            path = self._system.identity().interpreter
        except Unavailable:
            return None
        if not path:
            return None
        try:
            head = self._system.head(path, 64)
            return None if head is None else elf_machine(head)
        except (Unavailable, ParseError):
            return None

    @cached_property
    def thumb(self) -> bool | None:
        """Whether the programs of this 32-bit ARM user space are Thumb code, by Python's: the lowest bit of a program's
        entry is set then (ELF for the Arm architecture, "program loading"). None where that was not seen.
        """
        path = self._system.identity().interpreter
        head = self._system.head(path, 64) if path else None
        ident = None if head is None else elf_machine(head)
        if head is None or ident is None or (ident.bits, ident.machine) != (32, "arm"):
            return None
        return bool(int.from_bytes(head[24:28], ident.byteorder) & 1)

    @cached_property
    def config_arch(self) -> str | None:
        """The source architecture by the kernel's own config (`x86`, `arm64`), None if no config says."""
        try:
            config = self._machine.config
            if config.value("ARM64") == "y":
                return "arm64"
            if config.value("X86_64") == "y" or config.value("X86") == "y":
                return "x86"
        except Unavailable:
            pass
        return None

    @cached_property
    def source_arch(self) -> str:
        """The name below arch/ that belongs to `uname -m`. Raises Unavailable for one that is not known."""
        try:
            return _SOURCE_ARCH[self.arch]
        except KeyError:
            raise Unavailable(f"no kernel source architecture is known for machine {self.arch!r}") from None


def source_arch_of(machine: str) -> str | None:
    """The name below arch/ for a machine name as of uname, ELF or a package, None if not known."""
    return _SOURCE_ARCH.get(machine)


def releases(names: Iterable[str]) -> list[str]:
    """Those of the names below /lib/modules that are kernel releases, the newest last. Others are there too
    (extramodules-arch, updates): a release begins with two numbers.
    """
    return sorted({name for name in names if re.match(r"\d+\.\d+", name)}, key=_age)


def _age(release: str) -> list[tuple[bool, int, str]]:
    """A release as numbers and words: 6.9.7 is older than 6.12.48."""
    parts = re.findall(r"\d+|[A-Za-z]+", release)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
