"""The header package beside the package that provides the running kernel: what the database knows better than the
release string.

ELRepo's kernel-ml and kernel-lt have release strings of one form, a rebuilt kernel keeps its names, and any package
of Arch may call its kernel anything.
"""

from __future__ import annotations

from typing import NamedTuple

from kdiag.knowledge.package_names import Names


class Owner(NamedTuple):
    """The installed package that provides the running kernel. database: the kind of the database that says so; stem:
    what its packages have in common (`kernel-ml`, `linux-zen`); version: the package's.
    """

    database: str
    package: str
    stem: str
    version: str


#: Schemes whose kernels come under several names, of which the database knows the right one.
_OF_MANY = ("elrepo", "rpm-third-party", "rhel-devel-unsure")


def by_owner(owner: Owner | None, release: str, scheme_id: str = "") -> Names | None:
    """The header package beside the package that provides the kernel; None where the release says as much."""
    if owner is None:
        return None
    if owner.database == "pacman":
        return Names(f"{owner.stem}-headers", version=owner.version)
    if owner.database == "xbps":
        return Names(f"{owner.stem}-headers", version=release)
    if owner.database == "rpm" and (not scheme_id or scheme_id in _OF_MANY):
        return Names(f"{owner.stem}-devel-{release}", metas=(f"{owner.stem}-devel",))
    return Names(f"linux-headers-{release}") if owner.database == "dpkg" and not scheme_id else None


def said_by(owner: Owner | None) -> tuple[str, ...]:
    return () if owner is None else (f"the package {owner.package} {owner.version} provides it",)
