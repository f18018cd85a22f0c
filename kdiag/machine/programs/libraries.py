"""Where shared libraries are on this user space, and which releases of one there are."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

Version = tuple[int, int, int]

#: Debian's directory of an architecture (https://wiki.debian.org/Multiarch/Tuples), by `uname -m` or the ELF machine.
_MULTIARCH = {
    "x86_64": ("x86_64-linux-gnu",),
    "i386": ("i386-linux-gnu",),
    "i486": ("i386-linux-gnu",),
    "i586": ("i386-linux-gnu",),
    "i686": ("i386-linux-gnu",),
    "aarch64": ("aarch64-linux-gnu",),
    "arm": ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    "armv6l": ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    "armv7l": ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    "armv8l": ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    "ppc": ("powerpc-linux-gnu",),
    "ppc64": ("powerpc64-linux-gnu",),
    "ppc64le": ("powerpc64le-linux-gnu",),
    "riscv64": ("riscv64-linux-gnu",),
    "s390x": ("s390x-linux-gnu",),
    "loongarch64": ("loongarch64-linux-gnu",),
    "mips": ("mipsel-linux-gnu", "mips-linux-gnu"),
    "mips64": ("mips64el-linux-gnuabi64", "mips64-linux-gnuabi64", "mipsel-linux-gnu", "mips-linux-gnu"),
}
_DIRECTORIES = (
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
    "/lib64",
)


class Libraries:
    """The shared libraries in the directories of this architecture and the common ones."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def of_architecture(self) -> tuple[str, ...]:
        """Of the directories of architectures those of this user space: on a kernel of 64 bits it may have 32."""
        kernel = self._machine.kernel
        try:
            named = [kernel.arch]
        except Unavailable:
            named = []
        if kernel.interpreter is not None:
            named.insert(0, kernel.interpreter.machine)
        known = [name for machine in named for name in _MULTIARCH.get(machine, ())]
        every = [name for names in _MULTIARCH.values() for name in names]
        return tuple(f"/usr/lib/{name}" for name in dict.fromkeys(known or every))

    def file(self, name: str) -> str | None:
        """The file of a shared library by its name without an ending (`libc`), None if there is none. Raises
        Unavailable where no directory of libraries could be looked at.
        """
        pattern = re.compile(re.escape(name) + r"\.so(\.[0-9]+)*")
        seen = False
        for directory in (*self.of_architecture, *_DIRECTORIES):
            try:
                names = self._system.listdir(directory)
            except Unavailable:
                continue
            seen = seen or names is not None
            found = [one for one in names or () if pattern.fullmatch(one)]
            if found:
                # libc.so of a development package is a text; the one with the number is the library.
                return f"{directory}/{max(found, key=len)}"
        if not seen:
            raise Unavailable("the directories of libraries: not recorded")
        return None

    def releases(self, name: str) -> tuple[tuple[str, Version], ...]:
        """Every library of this name (`libbpf`), the newest first: path and release by its file name."""
        pattern = re.compile(re.escape(name) + r"\.so\.(\d+)\.(\d+)\.(\d+)$")
        found: list[tuple[Version, str]] = []
        for directory in (*self.of_architecture, *_DIRECTORIES):
            try:
                names = self._system.listdir(directory) or ()
            except Unavailable:
                continue
            for file in names:
                match = pattern.match(file)
                if match:
                    found.append(((int(match[1]), int(match[2]), int(match[3])), f"{directory}/{file}"))
        return tuple((path, version) for version, path in sorted(found, reverse=True))
