"""Where type information is read from: a kernel, this one or a recorded one, with its modules.

A file that the user names is read by `kdiag.btf.files`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.console.printable import line
from kdiag.parse.btf import BtfError, parse
from kdiag.parse.btf.graph import Graph
from kdiag.system import Unavailable
from kdiag.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kdiag.parse.btf.value import Btf
    from kdiag.system import System

#: What is raised for BTF that is not what it claims to be, when the damage is met.
Damaged = BtfError
SYSFS = "/sys/kernel/btf"
VMLINUX = "vmlinux"
#: Ten times what the largest kernels have.
LIMIT = 64 * 1024 * 1024


class NoTypes(Exception):
    """There is no type information. known: that is certain; else it could not be looked at, or it is damaged."""

    def __init__(self, message: str, *, known: bool = False) -> None:
        super().__init__(message)
        self.known = known


class NoModule(NoTypes):
    """There is no BTF of the module that was named."""


class BadFile(Exception):
    """A file that the user named does not hold what it should; the message names it."""


class Types(NamedTuple):
    """BTF that was read. place: the file; module: whose it is, "" for the kernel's own and for any file."""

    place: str
    module: str
    graph: Graph
    data: bytes

    @property
    def btf(self) -> Btf:
        """The BTF itself."""
        return self.graph.btf


class Source(NamedTuple):
    """One kernel's types, or one file's. system: what its modules are read from, None for a file."""

    name: str
    release: str
    main: Types
    system: System | None = None

    def modules(self) -> tuple[str, ...]:
        """The modules that provide BTF; none where that cannot be seen."""
        try:
            names = self.system.listdir(SYSFS) if self.system else None
        except Unavailable:
            names = None
        return tuple(name for name in names or () if name != VMLINUX)

    def module_size(self, name: str) -> int | None:
        """The bytes of a module's BTF, None where that cannot be seen."""
        try:
            info = self.system.stat(f"{SYSFS}/{name}") if self.system else None
        except Unavailable:
            return None
        return info.size if info else None

    def module(self, name: str) -> Types:
        """The types of a module, on top of the kernel's. Raises NoTypes."""
        data = _provided(self.system, name) if self.system and "/" not in name else None
        if data is None:
            known = self.modules()
            those = f"those that provide it are {listed(known)}" if known else "no module provides it here"
            raise NoModule(f"there is no BTF of a module {name!r}: {those}", known=True)
        place = f"{SYSFS}/{name}"
        try:
            return Types(place, name, Graph(parse(data, base=self.main.btf, lazy=True), line), data)
        except BtfError as error:
            raise NoTypes(f"{place}: {error}") from None

    def others(self, name: bytes) -> Iterator[Types]:
        """The modules whose BTF has these bytes in it; those that cannot be read are passed over."""
        for module in self.modules():
            try:
                data = _provided(self.system, module) if self.system else None
                if data is not None and name in data:
                    yield self.module(module)
            except NoTypes:
                continue


def of_kernel(system: System, name: str) -> Source:
    """The types of the kernel that a system runs. name: what people call it. Raises NoTypes."""
    place = f"{SYSFS}/{VMLINUX}"
    data = _provided(system, VMLINUX)
    if data is None:
        raise NoTypes(f"the kernel does not provide BTF: there is no {place}", known=True)
    try:
        main = Types(place, "", Graph(parse(data, lazy=True), line), data)
    except BtfError as error:
        raise NoTypes(f"{place}: {error}") from None
    try:
        release = system.uname().release
    except Unavailable:
        release = ""
    return Source(name, release, main, system)


def _provided(system: System | None, name: str) -> bytes | None:
    """What sysfs has under this name, None for nothing. Raises NoTypes."""
    if system is None:
        return None
    try:
        return system.read(f"{SYSFS}/{name}", LIMIT)
    except Unavailable as gap:
        raise NoTypes(f"cannot read {gap.reason}" if gap.errno else gap.reason) from None
