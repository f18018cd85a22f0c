"""Which kernel modules there are, where their files lie, and which are loaded.

modules.dep and modules.builtin are what depmod(8) and the kernel's build write into /lib/modules/RELEASE;
/proc/modules is described in proc(5). In module names `-` and `_` are the same, as for modprobe(8).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kdiag.parse.errors import ParseError

_SUFFIX = re.compile(r"\.ko(\.gz|\.xz|\.zst)?$")
_LOADED = re.compile(  # name size references users state address (taints)
    r"(\S+) (\d{1,20}) (-|-?\d{1,10}) (\S+) (\S+) \S+(?: +\((\S+)\))?\s*", re.ASCII
)


class ModuleFile(NamedTuple):
    """A module's file: `path` as modules.dep writes it, usually relative to /lib/modules/RELEASE
    (`kernel/kernel/kheaders.ko.xz`), and the paths of all it depends on, direct and indirect.
    """

    name: str
    path: str
    depends: tuple[str, ...]

    @property
    def suffix(self) -> str:
        """`.ko`, `.ko.gz`, `.ko.xz` or `.ko.zst`."""
        found = _SUFFIX.search(self.path)
        return found[0] if found else ""


class LoadedModule(NamedTuple):
    """A line of /proc/modules. `size` in bytes; `references` None where the kernel cannot unload modules;
    `state` Live, Loading or Unloading; `taints` the letters in brackets, "" for none. The address is left
    out: it is zero for ordinary users.
    """

    name: str
    size: int
    references: int | None
    used_by: tuple[str, ...]
    state: str
    taints: str


def name_of(path: str) -> str:
    """The module's name, with underscores, from the path of its file."""
    return _SUFFIX.sub("", path.rpartition("/")[2]).replace("-", "_")


def find(modules_dep: bytes, name: str) -> ModuleFile | None:
    """The module of that name in modules.dep, None if it is not there; without parsing the whole file."""
    # A pattern that starts with the name is many times faster than one that starts at the line.
    for hit in re.finditer(rb"%s\.ko(?:\.gz|\.xz|\.zst)?:(.*)" % _pattern(name), modules_dep):
        if hit.start() == 0 or modules_dep[hit.start() - 1] in b"/\n":
            start = modules_dep.rfind(b"\n", 0, hit.start()) + 1
            return _module_file(modules_dep[start : hit.start(1) - 1], hit[1])
    return None


def parse_dep(modules_dep: bytes) -> dict[str, ModuleFile]:
    """All of modules.dep: name with underscores -> file. ParseError, with the line's number, for other
    text.
    """
    found: dict[str, ModuleFile] = {}
    for number, line in enumerate(modules_dep.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        path, colon, depends = line.partition(b":")
        if not colon or b".ko" not in path:
            raise ParseError(f"not a line of modules.dep: {line[:60]!r} in line", number)
        module = _module_file(path, depends)
        found.setdefault(module.name, module)
    return found


def parse_builtin(modules_builtin: bytes) -> dict[str, str]:
    """modules.builtin: name with underscores -> path that the module's file would have."""
    paths = [line.strip() for line in modules_builtin.decode("utf-8", errors="replace").splitlines()]
    return {name_of(path): path for path in paths if path and not path.startswith("#")}


def find_builtin(modules_builtin: bytes, name: str) -> str | None:
    """The path in modules.builtin under which that module is built into the kernel; None if it is not
    listed.
    """
    line = re.search(rb"^(?:[^\s:]*/)?%s\.ko[ \t\r]*$" % _pattern(name), modules_builtin, re.MULTILINE)
    return line[0].decode("utf-8", errors="replace").strip() if line else None


def parse_loaded(proc_modules: bytes) -> dict[str, LoadedModule]:
    """All of /proc/modules by name. ParseError, with the line's number, for a line that is not one of it."""
    found: dict[str, LoadedModule] = {}
    for number, line in enumerate(proc_modules.decode("utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        row = _LOADED.fullmatch(line)
        if row is None:
            raise ParseError(f"not a line of /proc/modules: {line[:60]!r} in line", number)
        found[row[1]] = LoadedModule(
            name=row[1],
            size=int(row[2]),
            references=None if row[3] == "-" else int(row[3]),
            used_by=tuple(user for user in row[4].split(",") if user not in ("", "-", "[permanent]")),
            state=row[5],
            taints=row[6] or "",
        )
    return found


def _module_file(path: bytes, depends: bytes) -> ModuleFile:
    text = path.decode("utf-8", errors="replace")
    return ModuleFile(name_of(text), text, tuple(depends.decode("utf-8", errors="replace").split()))


def _pattern(name: str) -> bytes:
    """A module's name as a pattern in which dashes and underscores are equal."""
    return b"[-_]".join(re.escape(part).encode() for part in re.split("[-_]", name))
