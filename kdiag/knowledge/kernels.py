"""Whose kernel a release string names, and what such a kernel is expected to have.

The table is kernels.json, read on demand; a pattern is compiled when a literal part of it is in the
release (the first answer takes about 1 ms). Nothing here is an observation: an expected value says what
the configuration of such a kernel had where it was read, and another build may differ. Ask the
machine first.

The release string belongs to the kernel, os-release to the root file system: in a container they differ, so
`os_id` decides only where the name says nothing (X.Y.Z) and /proc/version is not there to decide.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from kdiag.knowledge import builds
from kdiag.knowledge.builds import Build
from kdiag.knowledge.kernel_options import (
    Confidence,
    Expected,
    Kind,
    Record,
    expected_of,
    kernels_table,
    release_arch,
    uname_machine,
)

#: uname(2) gives at most 64 characters.
_LONGEST_RELEASE = 128


class KernelIdentity(NamedTuple):
    """Whose kernel it is.

    confidence: how sure the identification is. decided_by: the signals that decided, in words. expected:
    by option name without CONFIG_, an option that is not in it is unknown; LOCK_DOWN_IN_SECURE_BOOT
    stands for both spellings (upstream's is LOCK_DOWN_IN_EFI_SECURE_BOOT). headers: key of packages.json.
    kheaders_package: the package with kheaders.ko where that is not the kernel's own. arch: the kernel's
    `uname -m`, where known. build: for which release of its distribution it was built, where that matters.
    flavour: what follows the number of the build, as Debian and Ubuntu call it.
    """

    id: str
    name: str
    family: str
    kind: Kind
    confidence: Confidence
    decided_by: tuple[str, ...]
    expected: Mapping[str, Expected]
    headers: str
    kheaders_package: str | None
    notes: str
    sources: tuple[str, ...]
    arch: str | None
    build: Build | None = None
    flavour: str = ""

    @property
    def vendor(self) -> bool:
        """Whether the kernel comes with a product, so that no distribution has packages for it."""
        return self.kind == "vendor"


def identify(  # noqa: PLR0913  every signal may be missing
    release: str,
    *,
    proc_version: str | None = None,
    os_id: str | None = None,
    machine: str | None = None,
    hints: Collection[str] = (),
    version: str | None = None,
    os_version: str | None = None,
) -> KernelIdentity | None:
    """The first record that fits `release` (uname -r) and the other signals; None if none does: say unknown.

    proc_version: text of /proc/version; version: uname -v. os_id, os_version: ID and VERSION_ID of os-release;
    leave them out inside a container, whose image says nothing about the kernel. machine: uname -m. hints:
    what other files told, out of android, bottlerocket, cos, firecracker, gvisor, kata, minikube, uml.
    """
    if not release or len(release) > _LONGEST_RELEASE:
        return None
    lowered = release.lower()
    for record in kernels_table()["kernels"]:
        has = record.get("has")
        if has and not any(part in lowered for part in has):
            continue
        signs = _signals(record, proc_version, os_id, hints)
        found = _pattern(record).fullmatch(release) if signs is not None else None
        if signs is None or found is None:
            continue
        identity = _identity(record, release, proc_version, machine, signs)
        if "{" in identity.name:
            identity = identity._replace(name=identity.name.format(**found.groupdict("")))
        if identity.family not in ("debian", "ubuntu"):
            return identity
        said = " ".join(filter(None, (proc_version, version)))
        return _built(identity, release, said or None, os_id, os_version)
    return None


def _signals(
    record: Record, proc_version: str | None, os_id: str | None, hints: Collection[str]
) -> tuple[str, ...] | None:
    """What beyond the name speaks for the record, None if it needs more. /proc/version beats os-release."""
    needs = record.get("needs")
    if needs is None:
        return ()
    for hint in needs.get("hint", ()):
        if hint in hints:
            return (f"signs of {hint}",)
    builders = needs.get("proc_version", ())
    if builders and proc_version is not None:
        found = next((part for part in builders if part in proc_version), None)
        return None if found is None else (f"/proc/version has {found!r}",)
    return (f"os-release has ID={os_id}",) if os_id in needs.get("os_id", ()) else None


def _pattern(record: Record) -> re.Pattern[str]:
    source = record["release"]
    for name, text in kernels_table()["macros"].items():
        source = source.replace(name, text)
    return re.compile(source, re.ASCII)


def _identity(
    record: Record, release: str, proc_version: str | None, machine: str | None, signs: tuple[str, ...]
) -> KernelIdentity:
    arch = release_arch(release) or uname_machine(machine)
    confidence = record.get("confidence", "likely")
    expected = expected_of(record, arch)
    decided = (f"release {release}", *signs)
    builder = record.get("says")
    if builder is not None and proc_version is not None:
        word = next((word for word in builder if word in proc_version), None)
        if word is not None:
            decided = (*decided, f"/proc/version has {word!r}")
        else:  # a derivative or a rebuild that kept the name: its options are its own
            confidence = "unverified"
            expected = _doubted(expected)
            decided = (*decided, f"/proc/version lacks {builder[0]!r}")
    package = record.get("kheaders_package")
    return KernelIdentity(
        id=record["id"],
        name=record["name"],
        family=record.get("family", record["id"]),
        kind=record.get("kind", "distribution"),
        confidence=confidence,
        decided_by=decided,
        expected=expected,
        headers=record["headers"],
        kheaders_package=package.format(release=release) if package else None,
        notes=record.get("notes", ""),
        sources=tuple(record.get("sources", ())),
        arch=arch,
    )


def _doubted(expected: Mapping[str, Expected]) -> dict[str, Expected]:
    return {name: Expected(was.value, "unverified") for name, was in expected.items()}


#: What follows the number of a build: `generic` of 6.8.0-40-generic, `cloud-amd64` of 6.12.95+deb12-cloud-amd64.
_FLAVOUR = re.compile(r"\d+\.\d+[\d.]*(?:[+~]\w+(?:\.\d+)*)?(?:-\d[\w.]*)?-(.+)")


def _built(
    identity: KernelIdentity, release: str, said: str | None, os_id: str | None, os_version: str | None
) -> KernelIdentity:
    """The identity of a kernel named as Debian's or Ubuntu's are, with what the version of the build says: by whom,
    for which release.
    """
    family = identity.family
    build = (builds.ubuntu if family == "ubuntu" else builds.debian)(
        release, said, os_version if os_id == family else None
    )
    found = _FLAVOUR.fullmatch(release)
    flavour = found[1] if found else ""
    decided = identity.decided_by + ((build.said,) if build.said else ())
    identity = identity._replace(build=build, flavour=flavour, decided_by=decided)
    if build.distribution != family:
        owner = build.distribution or ""
        return identity._replace(
            name=f"{owner.capitalize()} {builds.number(release)}",
            family=owner,
            confidence="unverified",
            expected=_doubted(identity.expected),
            headers="kali" if owner == "kali" else "third-party-deb",
        )
    if identity.confidence == "unverified" and os_id != family:
        return identity._replace(
            name=f"a kernel that is named as {family.capitalize()}'s are and was built by another",
            kind="third-party",
            headers="third-party-deb",
            build=None,
        )
    if build.channel in ("hwe", "backports", "lts"):
        # The configuration that was read is that of the same source for another release.
        expected = {
            name: Expected(was.value, "likely" if was.confidence == "verified" else was.confidence)
            for name, was in identity.expected.items()
        }
        identity = identity._replace(expected=expected)
    return identity._replace(name=builds.title(build, flavour, builds.number(release)))
