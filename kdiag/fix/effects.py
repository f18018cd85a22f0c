"""What a step changes on the machine, as values that say enough to take it back: this is what the journal
holds.

Values read from a journal are checked as if another user had written them: an undo acts only on things of the
shapes that a fix can make.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import ClassVar

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

#: A file name that is a release, or begins with one: no path, no hidden file, no option.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_~-]{0,254}", re.ASCII)
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:~^-]{0,254}", re.ASCII)
_IDENTITY = re.compile(r"\d{1,20}:\d{1,20} (?=/)", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)

#: The file systems that may be mounted, and where they belong.
MOUNT_POINTS = {"tracefs": "/sys/kernel/tracing", "debugfs": "/sys/kernel/debug"}

#: Package manager -> how packages that it installed are removed: by its own lower tool, which refuses to remove what
#: something else has come to need.
REMOVAL: dict[str, tuple[str, ...]] = {
    "apt-get": ("dpkg", "--purge"),
    "dnf": ("rpm", "-e"),
    "yum": ("rpm", "-e"),
    "tdnf": ("rpm", "-e"),
    "zypper": ("rpm", "-e"),
    "pacman": ("pacman", "-R", "--noconfirm"),
    "apk": ("apk", "del"),
    "xbps-install": ("xbps-remove", "-y"),
}

#: Fields that are known only once the change is made.
LATER = ("added", "made")


class BadEffect(ValueError):
    """A value that no fix has written."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A kernel file system. source: the name it was mounted under, ours alone, by which mountinfo shows it
    apart from other mounts.

    namespace: the mount namespace it was made in (`mnt:[4026531841]`).
    """

    kind: ClassVar[str] = "mount"
    fstype: str
    where: str
    source: str = ""
    namespace: str = ""

    def check(self) -> None:
        """Raises BadEffect."""
        if MOUNT_POINTS.get(self.fstype) != self.where:
            raise BadEffect(f"{self.fstype!r} is never mounted at {self.where!r}")
        if re.fullmatch(r"kdiag-[0-9a-f]{16}", self.source, re.ASCII) is None:
            raise BadEffect(f"{self.source!r} is not the name of a mount of ours")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A kernel module that was not loaded before."""

    kind: ClassVar[str] = "module"
    module: str

    def check(self) -> None:
        """Raises BadEffect."""
        if self.module != "kheaders":
            raise BadEffect(f"the module {self.module!r} is never loaded")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A header tree below the store. origin: the archive's file, or the module's that holds it. made: the
    directories above it that are missing before, outermost first (`kdiag.fix.store.made`).

    target is empty in a plan that has to load the module before the archive's name can be known.
    """

    kind: ClassVar[str] = "tree"
    target: str
    origin: str
    made: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises BadEffect."""
        _below(self.target, "headers")
        _absolute(self.origin)
        _above(self.made, self.target)


@dataclass(frozen=True, slots=True)
class Written:
    """A file of bare BTF below the store. origin: where the BTF was found. made: as of a tree."""

    kind: ClassVar[str] = "btf"
    target: str
    sha256: str
    origin: str
    made: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises BadEffect."""
        _below(self.target, "btf")
        _above(self.made, self.target)
        if _SHA256.fullmatch(self.sha256) is None:
            raise BadEffect("a checksum is not one")


@dataclass(frozen=True, slots=True)
class Linked:
    """A symbolic link `build` of a module directory. made: the directories that were made for it, outermost
    first.
    """

    kind: ClassVar[str] = "link"
    path: str
    target: str
    made: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises BadEffect."""
        parts = _absolute(self.path)
        if len(parts) < 3 or parts[-1] != "build" or parts[-3] != "modules" or not NAME.fullmatch(parts[-2]):
            raise BadEffect(f"a link is never made at {self.path!r}")
        _absolute(self.target)
        _above(self.made, self.path)


@dataclass(frozen=True, slots=True)
class Installed:
    """Packages. wanted: those asked for and not installed before; added: everything that came, once it is
    known. before: all that was there before, by the names that `added` has; empty where an earlier kdiag did not
    note it.
    """

    kind: ClassVar[str] = "packages"
    manager: str
    wanted: tuple[str, ...]
    added: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises BadEffect."""
        if not self.wanted or not all(_PACKAGE.fullmatch(name) for name in (*self.wanted, *self.added)):
            raise BadEffect("a package's name is not one")
        if self.manager not in REMOVAL:
            raise BadEffect(f"{self.manager!r:.100} is not a package manager that kdiag knows")
        if there := {*self.added} & {*self.before}:
            raise BadEffect(f"{', '.join(sorted(there))}: noted as there before, and as installed by the fix")


Effect = Mounted | Loaded | Unpacked | Written | Linked | Installed
_KINDS: dict[str, type[Effect]] = {
    cls.kind: cls for cls in (Mounted, Loaded, Unpacked, Written, Linked, Installed)
}

#: Effects that a reboot takes away.
UNTIL_REBOOT = (Mounted, Loaded)


def describe(effect: Effect) -> str:
    """The thing in a few words."""
    if isinstance(effect, Mounted):
        return f"{effect.fstype} at {effect.where}"
    if isinstance(effect, Loaded):
        return f"the module {effect.module}"
    if isinstance(effect, (Unpacked, Written)):
        return effect.target
    if isinstance(effect, Linked):
        return f"the link {effect.path}"
    return f"the packages {', '.join(effect.added or effect.wanted)}"


def to_json(effect: Effect) -> dict[str, Json]:
    """The effect as the journal writes it."""
    values: dict[str, Json] = {"kind": effect.kind}
    for field in fields(effect):
        value: str | tuple[str, ...] = getattr(effect, field.name)
        values[field.name] = value if isinstance(value, str) else [*value]
    return values


def from_json(value: Json, since: Json = 2) -> Effect:
    """The effect that the journal holds. since: the version of the journal; the first had no `before`. Raises
    BadEffect for anything that `to_json` could not have made.
    """
    if not isinstance(value, dict) or not isinstance(kind := value.get("kind"), str) or kind not in _KINDS:
        raise BadEffect("not an effect")
    cls = _KINDS[kind]
    wanted = {field.name: str(field.type) for field in fields(cls)}
    if since == 1 and "before" in wanted:
        value = {"before": [], **value}
    if value.keys() != {"kind", *wanted}:
        raise BadEffect(f"a {kind} has the fields {', '.join(wanted)}")
    found = {name: _typed(value[name], text, f"{kind}.{name}") for name, text in wanted.items()}
    effect: Effect = cls(**found)  # type: ignore[arg-type]  # the types were compared one by one
    effect.check()
    return effect


def _typed(value: Json, wanted: str, where: str) -> str | tuple[str, ...]:
    if wanted == "str":
        if isinstance(value, str) and "\0" not in value:
            return value
    elif isinstance(value, list):
        texts = [part for part in value if isinstance(part, str) and "\0" not in part]
        if len(texts) == len(value):
            return tuple(texts)
    raise BadEffect(f"{where} has the wrong type")


def without_identity(directory: str) -> str:
    """The path of a directory that is noted with what distinguishes it from others (`kdiag.fix.store.made`)."""
    return _IDENTITY.sub("", directory)


def _absolute(path: str) -> list[str]:
    """The parts of a plain absolute path. Raises BadEffect for any other."""
    parts = path.split("/")
    if len(parts) < 2 or parts[0] or any(part in ("", ".", "..") for part in parts[1:]):
        raise BadEffect(f"{path!r:.200} is not a plain absolute path")
    return parts[1:]


def _above(made: tuple[str, ...], path: str) -> None:
    """Directories that can have been made for `path`."""
    for directory in map(without_identity, made):
        _absolute(directory)
        if not path.startswith(f"{directory}/"):
            raise BadEffect(f"{directory!r:.200} is never made for {path!r:.200}")


def _below(path: str, directory: str) -> None:
    parts = _absolute(path)
    if len(parts) < 3 or parts[-3:-1] != ["kdiag", directory] or not NAME.fullmatch(parts[-1]):
        raise BadEffect(f"{path!r:.200} is not in a {directory} directory of kdiag")
