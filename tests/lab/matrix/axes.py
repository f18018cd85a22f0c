"""The axes of the matrix and what a cell is; which values go together.

A value that cannot exist is left out, not faked: Debian has packages for its own kernels only, and only a kernel with
``CONFIG_IKHEADERS`` has kheaders to load or to extract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product

from .. import build
from ..errors import LabError

_DEBIAN = ("debian-5.10", "debian-6.1", "debian-6.12", "debian-7.2", "debian-7.3")
_MODULE = ("nobtf-ikheaders-m", "btf-ikheaders-m", "nokprobes")

KERNELS = (*_DEBIAN, *_MODULE, "btf-ikheaders-y", "nomodules")

#: a set of its own beside the matrix: what is different there is the architecture
ARM64 = "debian-6.12-arm64"

#: root -> what of it matters here
ROOTS: Mapping[str, str] = {
    "debian11": "bpftrace 0.11",
    "debian12": "bpftrace 0.17",
    "debian13": "bpftrace 0.23",
    "sid": "bpftrace 0.27",
}

HEADERS: Mapping[str, str] = {
    "none": "nothing is installed and no variable is set",
    "package": "Debian's header packages, all of them",
    "half": "only the architecture's half of Debian's split package",
    "module": "kheaders.ko is installed, not loaded",
    "extracted": "kheaders extracted to /opt/kheaders/RELEASE, BPFTRACE_KERNEL_SOURCE names it",
    "wrong-path": "BPFTRACE_KERNEL_SOURCE=/usr/src/linux-headers-RELEASE, which is not there",
    "wrong-arch": "BPFTRACE_KERNEL_SOURCE names headers of another architecture",
    "wrong-release": "BPFTRACE_KERNEL_SOURCE names headers of another kernel",
}

WHO: Mapping[str, str] = {
    "root": "root, all capabilities",
    "no-capabilities": "root without CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN",
    "user": "an ordinary user",
    "user-namespace": "an ordinary user, root in a user namespace of its own",
    "container": "root in namespaces of its own, /sys read-only, no tracefs",
    "integrity": "root, kernel started with lockdown=integrity",
    "confidentiality": "root, kernel started with lockdown=confidentiality",
}


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One combination of values, a name of each axis."""

    kernel: str
    root: str
    headers: str
    who: str

    @property
    def name(self) -> str:
        """``debian-6.12/debian13/package/root``."""
        return "/".join((self.kernel, self.root, self.headers, self.who))

    @property
    def file(self) -> str:
        """The name as a file's, without suffix."""
        return self.name.replace("/", "_")


def possible(kernel: str, headers: str) -> bool:
    """Can this kernel have its headers in this state?"""
    if headers in ("package", "half"):
        return kernel in (*_DEBIAN, ARM64)
    if headers == "module":
        return kernel in _MODULE
    if headers == "extracted":
        return kernel in (*_MODULE, "btf-ikheaders-y")
    return True


def everything() -> Iterator[Cell]:
    """The full product, less what cannot exist."""
    for kernel, root, headers, who in product(KERNELS, ROOTS, HEADERS, WHO):
        if possible(kernel, headers):
            yield Cell(kernel, root, headers, who)


def chosen(cells: Iterable[Cell], globs: Iterable[str]) -> list[Cell]:
    """The cells whose name one of the globs matches (``debian-6.12/*/none/*``); all without a glob.

    Raises LabError for a glob that matches nothing.
    """
    cells, globs = list(cells), list(globs)
    for glob in globs:
        if not any(fnmatchcase(cell.name, glob) for cell in cells):
            raise LabError(
                f"no cell of this matrix is called {glob!r}",
                f"KERNEL/ROOT/HEADERS/WHO, e.g. {cells[0].name}; `matrix plan` lists them",
            )
    return [cell for cell in cells if not globs or any(fnmatchcase(cell.name, glob) for glob in globs)]


def needs_toolchain(kernel: str) -> bool:
    """Is this kernel built from source, not fetched?"""
    return kernel in build.VARIANTS
