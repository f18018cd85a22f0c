"""A header tree, and the tests that show whether a tool can use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.machine.text import read_text
from kdiag.machine.trees.links import follow
from kdiag.parse import utsrelease
from kdiag.system import System, Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine


class Selection(NamedTuple):
    """The directories a tool takes. via: the variable or the links that led there; missing: a variable's
    path is not there.
    """

    source: str
    build: str
    via: str
    missing: bool = False


class Tree(NamedTuple):
    """A header tree (source and build side, often the same directory), judged.

    missing: files of the completeness test that are not there; release: UTS_RELEASE it was made for;
    arches: names below arch/; uapi_only: holds the user-space API alone; untrusted: who else could write it.
    """

    source: str
    build: str
    missing: tuple[str, ...]
    release: str | None
    arches: tuple[str, ...]
    uapi_only: bool
    untrusted: str | None

    @property
    def complete(self) -> bool:
        """Everything that clang needs is there."""
        return not self.missing


def judge(machine: Machine, source: str, build: str) -> Tree:
    """The completeness, version, architecture and trust tests on one pair of directories."""
    system = machine.system
    try:
        arch: str | None = machine.kernel.source_arch
    except Unavailable:
        arch = None
    wanted = [
        f"{source}/include/linux/kconfig.h",
        f"{source}/include/linux/types.h",
        f"{build}/include/generated/autoconf.h",
    ]
    if arch:
        wanted += [f"{source}/arch/{arch}/include", f"{build}/arch/{arch}/include/generated"]
    missing = [path for path in wanted if system.stat(path) is None]
    versions = (f"{build}/include/generated/uapi/linux/version.h", f"{build}/include/linux/version.h")
    if all(system.stat(path) is None for path in versions):
        missing.append(versions[0])
    # `make headers_install` puts the user-space API at include/linux, without kconfig.h and generated files.
    uapi = bool(missing) and any(
        system.stat(f"{source}/{path}") is not None
        for path in ("include/linux/types.h", "include/uapi/linux/types.h", "linux/types.h")
    )
    return Tree(
        source=source,
        build=build,
        missing=tuple(missing),
        release=_release(system, build),
        # the build side is made for one architecture; the source side of a split tree has them all
        arches=tuple(system.listdir(f"{build}/arch") or system.listdir(f"{source}/arch") or ()),
        uapi_only=uapi
        and system.stat(f"{source}/include/linux/kconfig.h") is None
        and system.stat(f"{build}/include/generated") is None,
        untrusted=untrusted(system, source) or (untrusted(system, build) if build != source else None),
    )


def _release(system: System, build: str) -> str | None:
    text = system.read(f"{build}/{utsrelease.PATH}", utsrelease.LIMIT)
    if text is not None and (release := utsrelease.release(text)):
        return release
    return read_text(system, f"{build}/include/config/kernel.release", 4096)


def untrusted(system: System, path: str) -> str | None:
    """Why root should not feed this tree to a compiler, or take headers out of this file: another user can write it
    or one of its parents.
    """
    place = follow(system, path).end
    try:
        mine = system.identity().euid
    except Unavailable:
        mine = 0
    while place:
        info = system.stat(place)
        if info is not None:
            if info.uid not in (0, mine):
                return f"{place} belongs to uid {info.uid}"
            if info.mode & 0o022 and not (info.mode & 0o1000 and info.kind == "dir"):
                return f"{place} is writable by others (mode {info.mode:04o})"
        place = place.rpartition("/")[0]
    return None
