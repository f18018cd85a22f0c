"""Which package holds the kernel headers for exactly this kernel, and whether there can be one at all.

The release string decides, never os-release: the root file system may be a container image of another
distribution than the kernel. os-release only says whether the package manager here provides that kernel's packages.
No command is built from a release that is not plain (`SAFE_RELEASE`), so nothing in it can be interpreted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict, cast

from kdiag.knowledge.kernel_options import Confidence
from kdiag.knowledge.kernels import KernelIdentity
from kdiag.knowledge.managers import family_of, install_commands
from kdiag.knowledge.package_kinds import UAPI_PACKAGES
from kdiag.knowledge.package_names import NAMES, Names, ubuntu
from kdiag.knowledge.package_owners import Owner, by_owner, said_by
from kdiag.knowledge.suites import Answer, Suite, suite_of, used
from kdiag.knowledge.tables import table

if TYPE_CHECKING:
    from kdiag.parse.osrelease import OsRelease
    from kdiag.parse.packages.apt_sources import Source

#: What a release may consist of before it goes into a package name or a command; no option, no path, no
#: shell.
SAFE_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_~-]{0,127}", re.ASCII)


class Place(NamedTuple):
    """What is known of a system's packages. sources: where apt takes them from, None if not known. owner: what provides
    the running kernel, None if no database says.
    """

    manager: str | None = None
    sources: Iterable[Source] | None = None
    owner: Owner | None = None


NOTHING_KNOWN = Place()

_OF_RPM = frozenset({"dnf", "yum", "microdnf", "tdnf"})


class Way(NamedTuple):
    """Something to do where there is no package. on: who or where. when: it is of use with BTF (`btf`) or without it
    (`no-btf`), or where the module kheaders may be loaded (`kheaders`); empty: always.
    """

    do: str
    commands: tuple[str, ...] = ()
    on: str = "here"
    needs: tuple[str, ...] = ()
    when: str = ""


class HeaderPackage(NamedTuple):
    """The header package of one kernel.

    obtainable: `yes` says that the distribution makes it, not that the repository still has it (see
    `gone`); `no` that no package does; reason and instead say why and what else. name: exact; version: the
    one that belongs to the release where the name does not carry it (`*` at the end: any rebuild). parts:
    pulled in with it, needed; parts_like: a pattern for the names that they may have as well. metas: follow
    the newest kernel, so they fit after a reboot. here: whether the package manager of this root file system
    fits this kernel. suite: the part of the archive that has it, where that is known, and whether this
    machine uses it. install: argument lists, root needed, no sudo. trees: where the headers land. traps:
    packages and trees that look right and are not. decided_by: the signals behind all this.
    """

    obtainable: Answer
    reason: str
    decided_by: tuple[str, ...]
    name: str | None = None
    version: str | None = None
    parts: tuple[str, ...] = ()
    parts_like: str | None = None
    alternatives: tuple[str, ...] = ()
    metas: tuple[str, ...] = ()
    manager: str | None = None
    install: tuple[tuple[str, ...], ...] = ()
    here: Answer = "unknown"
    here_reason: str = ""
    suite: Suite | None = None
    suite_used: Answer = "unknown"
    gone: str = ""
    instead: tuple[Way, ...] = ()
    traps: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    confidence: Confidence = "unverified"


class _Way(TypedDict, total=False):
    do: str
    commands: list[str]
    on: str
    needs: list[str]
    when: str


class _Scheme(TypedDict, total=False):
    """One entry of packages.json."""

    manager: str
    package: str
    os_ids: list[str]
    maybe_ids: list[str]
    obtainable: Answer
    reason: str
    repository: str
    hosts: list[str]
    enable: list[str]
    stems: str
    traps: list[str]
    trees: list[str]
    gone: str
    instead: list[_Way]
    notes: list[str]
    confidence: Confidence


def _schemes() -> dict[str, _Scheme]:
    return cast("dict[str, _Scheme]", table("packages"))


def header_package(
    release: str,
    identity: KernelIdentity | None,
    arch: str | None = None,
    os_release: OsRelease | None = None,
    place: Place = NOTHING_KNOWN,
) -> HeaderPackage:
    """The header package for `release`, which `identity` (from `kernels.identify`) names the owner of.

    arch: uname -m, for archives that keep one tree per architecture. os_release: of this root file system.
    place: what is known of its package manager.
    """
    if SAFE_RELEASE.fullmatch(release) is None:
        return HeaderPackage(
            "unknown", "the release string is not one that a package could be named after", ()
        )
    if identity is None:
        return _unidentified(release, os_release, place)
    scheme = _schemes()[identity.headers]
    names = _names(identity, scheme, release, place.owner)
    suite = _suite(identity, scheme, os_release, place.sources)
    obtainable = _obtainable(scheme, place.owner)
    here, here_reason = _served_here(identity, scheme, os_release)
    usual = names.manager or scheme.get("manager")
    # Of one family, this system's own counts: yum where there is no dnf.
    manager = place.manager if here != "no" and {place.manager, usual} <= _OF_RPM else usual
    return HeaderPackage(
        obtainable=obtainable,
        reason=scheme["reason"],
        decided_by=identity.decided_by + said_by(place.owner),
        name=names.name,
        version=names.version,
        parts=names.parts,
        parts_like=names.parts_like,
        alternatives=names.alternatives,
        metas=names.metas,
        manager=manager,
        install=_install(manager, names, scheme) if obtainable != "no" else (),
        here="no" if obtainable == "no" else here,
        here_reason=scheme["reason"] if obtainable == "no" else here_reason,
        suite=suite,
        suite_used="unknown" if suite is None else used(suite, place.sources, _release_of(os_release)),
        gone=scheme["gone"],
        instead=(*_ways(scheme, release), *_cos_archive(identity, arch, os_release)),
        traps=_filled(scheme["traps"], release),
        trees=_filled(scheme["trees"], release),
        notes=_filled(scheme["notes"], release),
        confidence=_weaker(identity.confidence, names.confidence or scheme["confidence"]),
    )


def _install(manager: str | None, names: Names, scheme: _Scheme) -> tuple[tuple[str, ...], ...]:
    if not names.name or not manager:
        return ()
    commands = install_commands(manager, _wanted(names))
    enable = tuple(scheme.get("enable", ()))
    return tuple((command[0], *enable, *command[1:]) for command in commands)


def _obtainable(scheme: _Scheme, owner: Owner | None) -> Answer:
    """Of Arch's kernels, those that its repositories have; others were built from its user repository."""
    stems = scheme.get("stems")
    if owner is not None and owner.database == "pacman" and stems is not None:
        return "yes" if re.fullmatch(stems, owner.stem) else "unknown"
    return scheme["obtainable"]


def _names(identity: KernelIdentity, scheme: _Scheme, release: str, owner: Owner | None) -> Names:
    if (names := by_owner(owner, release, identity.headers)) is not None:
        return names
    if identity.headers == "ubuntu":
        return ubuntu(release, identity.build)
    if identity.headers in NAMES:
        return NAMES[identity.headers](release)
    template = scheme.get("package")
    return Names(template.format(release=release) if template else None)


def _suite(
    identity: KernelIdentity, scheme: _Scheme, os_release: OsRelease | None, sources: Iterable[Source] | None
) -> Suite | None:
    """Where the packages are: in a suite of the distribution, or in a third-party repository."""
    repository = scheme.get("repository")
    if repository is not None:
        return Suite((repository,), identity.name, usual=False, hosts=tuple(scheme.get("hosts", ())))
    if os_release is not None and os_release.id in scheme["os_ids"]:
        release = next((text for text in identity.decided_by if text.startswith("release ")), "")
        if found := re.search(r"\.(?:fc|el|mga)(\d+)", release):
            return _of_rpm(found[1], os_release)
    return suite_of(identity.build, identity.flavour, sources)


def _of_rpm(series: str, os_release: OsRelease) -> Suite | None:
    """The repositories of one release of a distribution: RPM's names say for which a kernel was built. None where it is
    this one: then there is nothing to say.
    """
    mine = (os_release.version_id or "").partition(".")[0]
    if not mine.isdigit() or mine == series:
        return None
    title = (os_release.id or "").capitalize()
    return Suite((f"the repositories of {title} {series}",), f"{title} {series}")


def _release_of(os_release: OsRelease | None) -> str | None:
    """`Debian 12`, `Rocky 9`: what a suite is of."""
    if os_release is None or not os_release.id or not os_release.version_id:
        return None
    return f"{os_release.id.capitalize()} {os_release.version_id}"


def _wanted(names: Names) -> tuple[str, ...]:
    """What to name in the command: the package alone pulls its parts, but for SUSE's unversioned pair."""
    assert names.name is not None  # noqa: S101
    return (names.name, *names.parts) if names.version and names.parts else (names.name,)


def _ways(scheme: _Scheme, release: str) -> tuple[Way, ...]:
    return tuple(
        Way(
            way["do"].replace("{release}", release),
            _filled(way.get("commands", ()), release),
            way.get("on", "here"),
            tuple(way.get("needs", ())),
            way.get("when", ""),
        )
        for way in scheme.get("instead", ())
    )


def _filled(texts: Sequence[str], release: str) -> tuple[str, ...]:
    return tuple(text.replace("{release}", release) for text in texts)


def _weaker(one: Confidence, other: Confidence) -> Confidence:
    order: tuple[Confidence, ...] = ("verified", "likely", "unverified")
    return max(one, other, key=order.index)


def _served_here(
    identity: KernelIdentity, scheme: _Scheme, os_release: OsRelease | None
) -> tuple[Answer, str]:
    """Whether this root file system's package manager has packages for the kernel."""
    if os_release is None or not os_release.id:
        return "unknown", "the distribution of this root file system is not known"
    mine = os_release.id
    if mine in scheme["os_ids"]:
        return "yes", f"ID={mine} is the distribution of this kernel ({identity.name})"
    if mine in scheme.get("maybe_ids", ()):
        return "unknown", f"ID={mine} is right for {identity.name}, if its repository is configured here"
    family = family_of(os_release)
    if not scheme["os_ids"] and family is not None and scheme.get("manager") in family.managers:
        return "unknown", f"ID={mine} is right for {identity.name}, if its repository is configured here"
    # What it is like most comes first: Linux Mint is like Ubuntu, and its Debian edition like Debian.
    parent = os_release.id_like[0] if os_release.id_like else None
    founders = {other["os_ids"][0] for other in _schemes().values() if other.get("os_ids")}
    if parent in scheme["os_ids"] and mine not in founders:
        return "unknown", f"ID={mine} derives from {parent} and may have its packages"
    return "no", f"the kernel is {identity.name}, this root is ID={mine}: install on the machine's own system"


def _unidentified(release: str, os_release: OsRelease | None, place: Place) -> HeaderPackage:
    owner, os_id = place.owner, os_release.id if os_release is not None else None
    names = by_owner(owner, release) or Names(None)
    scheme = _scheme_of(owner, os_id)
    if owner is not None and names.name is not None:
        reason = f"the package {owner.package} provides this kernel: look for its headers where that package came from"
    else:
        reason = f"{release} is an unrecognised kernel release: where it came from, its headers are as well"
        if os_id:
            reason += f" (os-release says ID={os_id}, which need not have built it)"
    return HeaderPackage(
        obtainable="unknown" if scheme is None else "yes",
        reason=reason if scheme is None else scheme["reason"],
        decided_by=(f"release {release}", *said_by(owner)),
        name=names.name,
        version=names.version,
        manager=place.manager if scheme else None,
        install=_install(place.manager, names, scheme) if scheme else (),
        here="yes" if scheme else "unknown",
        trees=(f"/lib/modules/{release}/build",),
        traps=tuple(sorted(UAPI_PACKAGES)),
    )


def _scheme_of(owner: Owner | None, os_id: str | None) -> _Scheme | None:
    """The scheme of a kernel that its distribution's package provides, whatever its release string says."""
    if owner is None or os_id is None:
        return None
    schemes = (scheme for scheme in _schemes().values() if os_id in scheme["os_ids"] and "stems" in scheme)
    return next((scheme for scheme in schemes if re.fullmatch(scheme["stems"], owner.stem)), None)


def _cos_archive(identity: KernelIdentity, arch: str | None, os_release: OsRelease | None) -> tuple[Way, ...]:
    """Where Container-Optimized OS keeps the headers of a build (kubectl-trace#48), if the build is known."""
    if identity.headers != "cos" or os_release is None or os_release.id != "cos" or not os_release.build_id:
        return ()
    if SAFE_RELEASE.fullmatch(os_release.build_id) is None:
        return ()
    board = "lakitu-arm64/" if arch in ("aarch64", "arm64") else ""
    archive = f"gs://cos-tools/{os_release.build_id}/{board}kernel-headers.tgz"
    return (Way(f"Unpack the headers of this build of the system: {archive}"),)
