"""Which package manager a distribution has, what its database is, and how a command line of it looks.

os-release decides, not what lies on the disk: dpkg is installed on many a Fedora, rpm on many a Debian, and their
databases are then there, too. Where a distribution has had two managers, the program that is there decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kdiag.parse.osrelease import OsRelease


class Family(NamedTuple):
    """database: kind of the package database. managers: by preference; the first whose program is there is taken,
    the first of all where that cannot be seen.
    """

    database: str
    managers: tuple[str, ...]


_APT = Family("dpkg", ("apt",))
_DNF = Family("rpm", ("dnf", "yum", "microdnf"))
_YUM = Family("rpm", ("yum",))
_ZYPPER = Family("rpm", ("zypper",))
_TDNF = Family("rpm", ("tdnf", "dnf"))
_PACMAN = Family("pacman", ("pacman",))
_APK = Family("apk", ("apk",))

#: ID of os-release, or one of ID_LIKE, in the order given there.
_FAMILIES: dict[str, Family] = {
    "debian": _APT,
    "ubuntu": _APT,
    "raspbian": _APT,
    "kali": _APT,
    "fedora": _DNF,
    "rhel": _DNF,
    "centos": _DNF,
    "rocky": _DNF,
    "almalinux": _DNF,
    "ol": _DNF,
    "amzn": _DNF,
    "cloudlinux": _DNF,
    "openEuler": _DNF,
    "openeuler": _DNF,
    "alinux": _DNF,
    "anolis": _DNF,
    "tencentos": _DNF,
    "opencloudos": _DNF,
    "mageia": _DNF,
    "openmandriva": _DNF,
    "azurelinux": _TDNF,
    "mariner": _TDNF,
    "photon": _TDNF,
    "opensuse": _ZYPPER,
    "suse": _ZYPPER,
    "sles": _ZYPPER,
    "arch": _PACMAN,
    "archlinux": _PACMAN,
    "archarm": _PACMAN,
    "manjaro": _PACMAN,
    "cachyos": _PACMAN,
    "steamos": _PACMAN,
    "alpine": _APK,
    "postmarketos": _APK,
    "chimera": _APK,
    "wolfi": _APK,
    "chainguard": _APK,
    "void": Family("xbps", ("xbps",)),
    "gentoo": Family("portage", ("emerge",)),
    "nixos": Family("nix", ("nix",)),
    "altlinux": Family("rpm", ("apt",)),
}
#: Releases that have only the older manager.
_BEFORE_DNF = {"rhel": 8, "centos": 8, "ol": 8, "almalinux": 8, "rocky": 8, "cloudlinux": 8, "amzn": 2022}

#: Manager -> the program that is it.
PROGRAMS = {"apt": "apt-get", "xbps": "xbps-install", "nix": "nix-build"}

_INSTALL: dict[str, tuple[tuple[str, ...], ...]] = {
    "apt": (("apt-get", "update"), ("apt-get", "install")),
    "dnf": (("dnf", "install"),),
    "yum": (("yum", "install"),),
    "microdnf": (("microdnf", "install"),),
    "tdnf": (("tdnf", "install"),),
    "zypper": (("zypper", "install"),),
    "pacman": (("pacman", "-S"),),
    "apk": (("apk", "add"),),
    "xbps": (("xbps-install",),),
    "emerge": (("emerge",),),
    "nix": (("nix-build", "<nixpkgs>", "-A"),),
}

_YES_FLAG = {
    "apt-get": "-y",
    "dnf": "-y",
    "yum": "-y",
    "microdnf": "-y",
    "tdnf": "-y",
    "xbps-install": "-y",
    "zypper": "--non-interactive",
    "pacman": "--noconfirm",
}


def family_of(system: OsRelease | None) -> Family | None:
    """The family of a distribution by its os-release, None if it is not known."""
    if system is None or not system.id:
        return None
    family = _FAMILIES.get(system.id)
    if family is None and system.id.startswith("opensuse"):
        family = _ZYPPER
    if family is None:
        family = next((found for name in system.id_like if (found := _FAMILIES.get(name))), None)
    if family is _DNF and _major(system.version_id) < _BEFORE_DNF.get(system.id, 0):
        return _YUM
    return family


def _major(version: str | None) -> int:
    number = (version or "").partition(".")[0]
    return int(number) if number.isascii() and number.isdigit() else 10_000


def install_commands(manager: str, packages: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Argument lists that install `packages`; () for a manager that kdiag does not know."""
    commands = _INSTALL.get(manager, ())
    return (*commands[:-1], (*commands[-1], *packages)) if commands else ()


#: Only installing what is there again does not bring a library of a newer release: the whole set is brought to one.
_REINSTALL: dict[str, tuple[tuple[str, ...], ...]] = {
    "apt": (("apt-get", "update"), ("apt-get", "install", "--reinstall")),
    "dnf": (("dnf", "upgrade", "--refresh"),),
    "yum": (("yum", "upgrade"),),
    "zypper": (("zypper", "install", "--force"),),
    "pacman": (("pacman", "-Syu"),),
    "apk": (("apk", "fix"),),
    "xbps": (("xbps-install", "-Suf"),),
    "emerge": (("emerge", "--oneshot"),),
}


def reinstall_commands(manager: str, package: str) -> tuple[tuple[str, ...], ...]:
    """Argument lists that put `package` and what it is linked to right; as installing it where there are no others."""
    commands = _REINSTALL.get(manager)
    if commands is None:
        return install_commands(manager, (package,))
    return (*commands[:-1], (*commands[-1], package))


def without_questions(command: tuple[str, ...]) -> tuple[str, ...]:
    """The same command with its manager's flag for not asking; unchanged where there is none."""
    flag = _YES_FLAG.get(command[0]) if command else None
    return (command[0], flag, *command[1:]) if flag else command
