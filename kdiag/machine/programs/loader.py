"""Which file the dynamic loader takes for a library's name: ld.so(8) and musl's, followed without running either."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.machine.programs.once import Once
from kdiag.parse.elf import machine as identify
from kdiag.parse.errors import ParseError
from kdiag.parse.loader.cache import lookup
from kdiag.parse.loader.dynamic import Dynamic, dynamic
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

CACHE = "/etc/ld.so.cache"
#: ldso/dynlink.c of musl, where /etc/ld-musl-ARCH.path does not say otherwise.
_MUSL = ("/lib", "/usr/local/lib", "/usr/lib")
_GLIBC = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
#: bpftrace needs about 70 libraries, libLLVM's included.
_MOST = 200


class Missing(NamedTuple):
    """A library that is in none of the places, and the file that needs it."""

    soname: str
    needed_by: str


class Loader:
    """Follows what programs need. All of it raises Unavailable where a file could not be looked at."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system
        self._read: Once[str, Dynamic] = Once(self._dynamic)

    def needs(self, path: str) -> Dynamic:
        """The dynamic section of a program or a library."""
        return self._read(path)

    def _dynamic(self, path: str) -> Dynamic:
        handle = self._system.open(path)
        if handle is None:
            raise Unavailable(f"{path} is not there")
        with handle:
            try:
                return dynamic(handle)
            except ParseError as error:
                raise Unavailable(f"{path}: {error}") from None

    def find(self, soname: str, user: str) -> str | None:
        """The file that is loaded for a name that `user` needs, None if there is none in any place."""
        asking = self.needs(user)
        if "/" in soname:
            return soname if self._fits(soname, asking) else None
        origin = user.rpartition("/")[0]
        own = [path.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", origin) for path in asking.paths]
        candidates = [f"{directory}/{soname}" for directory in own]
        musl = self._musl(asking)
        if musl:
            candidates += [f"{directory}/{soname}" for directory in musl]
        else:
            candidates += self._cached(soname)
            directories = (*self._machine.tools.shared.of_architecture, *_GLIBC)
            candidates += [f"{directory}/{soname}" for directory in directories]
        return next((path for path in dict.fromkeys(candidates) if self._fits(path, asking)), None)

    def _musl(self, asking: Dynamic) -> tuple[str, ...]:
        """The directories of musl's loader; () for glibc's. A library does not name its loader, but its libc does."""
        name = asking.interpreter.rpartition("/")[2]
        name = name or next((n for n in asking.needed if n.startswith("libc.musl-")), "")
        if "musl" not in name:
            return ()
        arch = name.partition("musl-")[2].partition(".")[0]
        data = self._system.read(f"/etc/ld-musl-{arch}.path", 65536)
        if data is None:
            return _MUSL
        return tuple(data.decode("utf-8", "replace").replace("\n", ":").strip(":").split(":"))

    def _cached(self, soname: str) -> list[str]:
        handle = self._system.open(CACHE)
        if handle is None:
            return []
        with handle:
            try:
                return list(lookup(handle, soname))
            except ParseError as error:
                raise Unavailable(f"{CACHE}: {error}") from None

    def _fits(self, path: str, asking: Dynamic) -> bool:
        """Whether a library is there and of the right kind: the loader passes over those of another architecture."""
        head = self._system.head(path, 64)
        if head is None:
            return False
        try:
            ident = identify(head)
        except ParseError:
            return True  # the loader takes it, and ends with "invalid ELF header"
        return (ident.bits, ident.machine) == (asking.bits, asking.machine)

    def missing(self, path: str) -> Missing | None:
        """The first library that a program or a library needs, itself or through others, and that is not there."""
        pending, seen = [path], {path}
        while pending and len(seen) < _MOST:
            user = pending.pop(0)
            for soname in self.needs(user).needed:
                found = self.find(soname, user)
                if found is None:
                    return Missing(soname, user)
                if found not in seen:
                    seen.add(found)
                    pending.append(found)
        return None
