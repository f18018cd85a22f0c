"""Packages: what this system's package database lists, and which package would hold headers for the running
kernel.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.knowledge.managers import PROGRAMS, family_of
from kdiag.knowledge.package_kinds import UAPI_PACKAGES, is_headers, is_meta, kernel_stem
from kdiag.knowledge.package_owners import Owner
from kdiag.knowledge.packages import SAFE_RELEASE, Place, header_package
from kdiag.machine.package_database import PLACES, is_package, read_database
from kdiag.machine.text import read_text
from kdiag.parse.errors import ParseError
from kdiag.parse.packages import listed
from kdiag.parse.packages.apt_sources import parse
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kdiag.knowledge.managers import Family
    from kdiag.knowledge.package_owners import Owner
    from kdiag.knowledge.packages import HeaderPackage
    from kdiag.machine import Machine
    from kdiag.parse.osrelease import OsRelease
    from kdiag.parse.packages import Package
    from kdiag.parse.packages.apt_sources import Source

#: The package manager that writes each kind of database, where os-release says no more.
_MANAGERS = {"dpkg": "apt", "rpm": "dnf", "apk": "apk", "pacman": "pacman", "xbps": "xbps"}
_APT_PARTS = "/etc/apt/sources.list.d"
_MOST_SOURCES = 100
_TOOLS = ("bpftrace", "bpftool", "bpfcc-tools", "bcc-tools", "bcc")


class _Question(NamedTuple):
    """How a manager is asked for names, without the network. places, files: where lists lie if there are any."""

    places: tuple[str, ...]
    files: str
    command: tuple[str, ...]
    parse: Callable[[str, Iterable[str]], frozenset[str]]


_LISTS = {
    "apt": _Question(
        ("/var/lib/apt/lists",), r"_Packages(?:\.\w+)?$", ("/usr/bin/apt-cache", "policy"), listed.apt
    ),
    "dnf": _Question(
        ("/var/cache/dnf", "/var/cache/libdnf5"),
        r"\.solvx?$|-[0-9a-f]{16}$",
        (
            "/usr/bin/dnf",
            "-q",
            "--cacheonly",
            "repoquery",
            "--queryformat",
            "%{name}\n%{name}-%{version}-%{release}.%{arch}\n",
        ),
        listed.lines,
    ),
    "pacman": _Question(
        ("/var/lib/pacman/sync",), r"\.db$", ("/usr/bin/pacman", "--sync", "--info"), listed.fields
    ),
}
#: apt-cache without its own cache, as in Docker's images, reads all lists: 0.6 s of a processor.
_LISTS_TIMEOUT = 10.0


class Packages:
    """The package database as files, and the header package for this kernel."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def _family(self) -> Family | None:
        """The distribution's, None if os-release does not say."""
        return family_of(self._os_release)

    @property
    def _os_release(self) -> OsRelease | None:
        try:
            return self._machine.kernel.os_release
        except Unavailable:
            return None

    @cached_property
    def database(self) -> tuple[str, str] | None:
        """(kind, path) of the package database: dpkg, rpm, apk, pacman, xbps; None if there is none.

        The distribution decides which one counts: Fedora has a package of dpkg, Debian one of rpm.
        """
        family = self._family
        for kind, paths in PLACES.items():
            if family is None or kind == family.database:
                for path in paths:
                    if self._system.stat(path) is not None:
                        return kind, path
        return None

    @cached_property
    def manager(self) -> str | None:
        """apt, dnf, yum, zypper, apk, pacman, xbps, ...: by os-release and by what is there; None if not known."""
        family = self._family
        if family is not None:
            return next(filter(self._has, family.managers), family.managers[0])
        try:
            found = self.database
        except Unavailable:
            return None
        return None if found is None else _MANAGERS[found[0]]

    def _has(self, manager: str) -> bool:
        """Whether the program of a manager is there."""
        try:
            return self._system.stat(f"/usr/bin/{PROGRAMS.get(manager, manager)}") is not None
        except Unavailable:
            return False

    @cached_property
    def advice(self) -> HeaderPackage:
        """The header package for exactly this kernel, by its release string."""
        try:
            arch: str | None = self._machine.kernel.arch
        except Unavailable:
            arch = None
        kernel = self._machine.kernel
        place = Place(self.manager, self.apt_sources, self._owner)
        return header_package(kernel.release, kernel.identity, arch, self._os_release, place)

    @cached_property
    def _owner(self) -> Owner | None:
        """The package that provides the running kernel; None if no database says."""
        try:
            kind, path = self.database or ("", "")
            if kind == "pacman":
                return self._pkgbase(path)
            release = self._machine.kernel.release
            for package in self._interesting:
                stem = kernel_stem(kind, package.name)
                mine = {
                    "dpkg": stem == release,
                    "rpm": is_package(package, f"{package.name}-{release}", None),
                    "xbps": package.version == release,
                }.get(kind, False)
                if stem is not None and mine:
                    return Owner(kind, package.name, stem, package.version)
        except Unavailable:
            pass
        return None

    def _pkgbase(self, database: str) -> Owner | None:
        """Arch's kernel packages leave their name beside the modules."""
        directory = self._machine.modules.directory
        name = read_text(self._system, f"{directory}/pkgbase", 256) if directory is not None else None
        if not name or SAFE_RELEASE.fullmatch(name) is None:
            return None
        found = read_database(self._system, "pacman", database, lambda package: package == name)
        return Owner("pacman", name, name, found[0].version) if found else None

    @cached_property
    def apt_sources(self) -> tuple[Source, ...] | None:
        """Where apt takes packages from; None if that cannot be told, or nothing is set up."""
        found: list[Source] = []
        try:
            names = self._system.listdir(_APT_PARTS) or ()
            parts = [f"{_APT_PARTS}/{name}" for name in names if name.endswith((".list", ".sources"))]
            for path in ("/etc/apt/sources.list", *parts[:_MOST_SOURCES]):
                found += parse(path, self._system.read(path, 1024 * 1024) or b"")
        except Unavailable:
            return None
        return tuple(found) or None

    @cached_property
    def _interesting(self) -> tuple[Package, ...]:
        """Installed packages that matter here: one pass over the database."""
        if self.database is None:
            return ()
        kind, path = self.database
        named = {*_TOOLS, *UAPI_PACKAGES}
        try:
            return read_database(
                self._system,
                kind,
                path,
                lambda name: name in named or is_headers(kind, name) or kernel_stem(kind, name) is not None,
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
        kind = self.database[0]
        found = (package for package in self._interesting if is_headers(kind, package.name))
        return tuple(sorted(found, key=lambda p: (p.name, p.version)))

    @cached_property
    def other_headers(self) -> tuple[Package, ...]:
        """Installed packages with headers that are not for this kernel; meta packages are for none. Raises
        Unavailable.
        """
        kind = self.database[0] if self.database else ""
        advice, lacking = self.advice, self.lacking
        mine = {advice.name, *self.parts} - set(lacking)
        return tuple(
            p
            for p in self.installed_headers
            if not is_meta(kind, p.name)
            and not (p.name in mine or self._is_mine(p))
            and not p.name.startswith(("linux-kbuild", "kernel-macros"))
        )

    def _is_mine(self, package: Package) -> bool:
        advice = self.advice
        like = advice.parts_like
        if advice.name is not None and is_package(package, advice.name, advice.version):
            return True
        return is_package(package, package.name, self._machine.kernel.release) or (
            like is not None and re.fullmatch(like, package.name) is not None
        )

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """What the header package of this kernel needs: by its own dependencies where it is installed, else by the
        names that the distribution gives. Raises Unavailable.
        """
        advice = self.advice
        kind = self.database[0] if self.database else ""
        for package in self.installed_headers:
            if is_package(package, advice.name or "", advice.version):
                needed = [n for n in package.depends if is_headers(kind, n) and not is_meta(kind, n)]
                if needed:
                    return tuple(needed)
        return advice.parts

    @cached_property
    def lacking(self) -> tuple[str, ...]:
        """The packages of `advice` (its parts included) that are not installed in the version for this kernel."""
        advice = self.advice
        wanted = [(advice.name or "", advice.version), *((part, None) for part in self.parts)]
        there = [
            (name, any(is_package(p, name, version) for p in self.installed_headers))
            for name, version in wanted
        ]
        # Which of Ubuntu's sources a kernel is from decides how its common half is called: whatever it is called, it
        # has the number of this kernel.
        like = advice.parts_like
        half = like is not None and any(re.fullmatch(like, p.name) for p in self.installed_headers)
        return tuple(name for name, found in there if not found and (name == advice.name or not half))

    @cached_property
    def _asked_for(self) -> tuple[str, ...]:
        """The packages that a remedy may name."""
        advice = self.advice
        release = self._machine.kernel.release
        names = [advice.name or "", *advice.parts, *_TOOLS]
        if self._os_release is not None and self._os_release.id == "ubuntu":
            names.append(f"linux-tools-{release}")
        return tuple(name for name in dict.fromkeys(names) if SAFE_RELEASE.fullmatch(name))

    @cached_property
    def _listed(self) -> frozenset[str] | None:
        """Those of them that the manager's fetched lists have; None where there are no lists, or none can be asked."""
        question = _LISTS.get(self.manager or "")
        if question is None or not self._asked_for:
            return None
        try:
            names = [name for place in question.places for name in self._system.listdir(place) or ()]
            if not any(re.search(question.files, name) for name in names):
                return None
            said = self._system.run((*question.command, *self._asked_for), _LISTS_TIMEOUT)
        except Unavailable:
            return None
        # pacman and dnf end with 1 where they do not know one of several names.
        found = question.parse(said.stdout, self._asked_for)
        return found if said.status == 0 or found else None

    def listed(self, name: str) -> bool | None:
        """Whether the lists that this system's manager has fetched have a package, None if that cannot be told."""
        there = self._listed if name in self._asked_for else None
        return None if there is None else name in there

    @cached_property
    def uapi(self) -> tuple[str, ...]:
        """Installed packages of user-space headers."""
        try:
            return tuple(sorted({p.name for p in self._interesting if p.name in UAPI_PACKAGES}))
        except Unavailable:
            return ()
