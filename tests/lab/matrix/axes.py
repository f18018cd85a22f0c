"""The axes of the matrix and what a cell is; which values go together.

The values are data, in ``lab.toml``. One that cannot exist is left out, not faked: Debian has packages for its own
kernels only, and only a kernel with ``CONFIG_IKHEADERS`` has kheaders to load or to extract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product

from .. import build
from ..catalogue import catalogue
from ..errors import LabError

_ALL = catalogue()

#: of the standard matrix; lab.toml has the others
KERNELS = (
    *(name for name, kernel in _ALL.sources.items() if kernel.matrix),
    *(name for name, kernel in _ALL.variants.items() if kernel.matrix),
)
#: a set of its own beside the matrix: what is different there is the architecture
ARM64 = "debian-6.12-arm64"
#: root -> what of it matters here
ROOTS: Mapping[str, str] = {name: root.means for name, root in _ALL.roots.items()}
#: the same with what they may have more
EXTRA_ROOTS: Mapping[str, str] = {
    f"{root}+{extra.name}": f"{_ALL.roots[root].means}, {extra.means}"
    for extra in _ALL.extras.values()
    for root in extra.packages
}
#: state of the headers -> what it means
HEADERS: Mapping[str, str] = {name: state.means for name, state in _ALL.headers.items()}
#: who asks, and in what -> what it means
WHO: Mapping[str, str] = {name: who.means for name, who in _ALL.who.items()}
STANDARD_HEADERS = tuple(name for name, state in _ALL.headers.items() if state.matrix)
STANDARD_WHO = tuple(name for name, who in _ALL.who.items() if not who.conditions)
CONDITIONS = tuple(name for name, who in _ALL.who.items() if who.conditions)


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
    state = _ALL.headers[headers]
    arch = _ALL.sources[kernel].arch if kernel in _ALL.sources else "amd64"
    if state.of and not any(name != kernel for name in state.of.get(arch, ())):
        return False
    if state.kernels == "debian":
        return kernel in _ALL.sources
    kheaders = _ALL.variants[kernel].kheaders if kernel in _ALL.variants else ""
    return {"": True, "kheaders": kheaders != "", "kheaders-module": kheaders == "module"}[state.kernels]


def can_ask(kernel: str, root: str, who: str) -> bool:
    """Can there be this person, in these surroundings, on this kernel with this root?"""
    person = _ALL.who[who]
    if person.kernels == "debian" and kernel not in _ALL.sources:
        return False
    return not person.roots or root.partition("+")[0] in person.roots


def everything() -> Iterator[Cell]:
    """The full product of the standard axes, less what cannot exist."""
    return _product(KERNELS, ROOTS, STANDARD_HEADERS, STANDARD_WHO)


def anything() -> Iterator[Cell]:
    """The full product of all that lab.toml has, less what cannot exist."""
    roots = (*ROOTS, *EXTRA_ROOTS)
    return _product((*_ALL.sources, *_ALL.variants), roots, tuple(HEADERS), tuple(WHO))


def _product(
    kernels: Iterable[str], roots: Iterable[str], headers: Iterable[str], who: Iterable[str]
) -> Iterator[Cell]:
    for kernel, root, state, person in product(kernels, roots, headers, who):
        if possible(kernel, state) and can_ask(kernel, root, person):
            yield Cell(kernel, root, state, person)


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
