"""How bpftrace was built: which libraries it loads, or that it has them in itself."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

_LLVM = re.compile(r"lib(?:LLVM|clang|clang-cpp)(?:-|\.so\.)(\d+)")
#: An ELF file that is an AppImage of type 2 (AppImage specification, "type 2 image format").
_APPIMAGE = b"AI\x02"
_NIX = "/nix/store/"
#: Where a snap has its programs; what is in /snap/bin is a link to snap itself.
_IN_THE_SNAP = ("usr/bin", "bin", "usr/local/bin")


class Build(NamedTuple):
    """form: `shared`, `static`, `AppImage`; by: `snap`, `nix`, else empty. llvm: by the name of its library, None where
    it is linked in. libraries: the names that the program asks its loader for.
    """

    form: str
    by: str
    llvm: int | None
    libraries: tuple[str, ...]

    def has(self, names: tuple[str, ...]) -> bool | None:
        """Whether it loads one of these libraries; None where they would be in the file itself."""
        if self.form != "shared":
            return None
        return any(library.startswith(names) for library in self.libraries)


class BuildFacts:
    """Of the installed bpftrace, from its file."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def of_bpftrace(self) -> Build | None:
        """None if it is not installed. Raises Unavailable for what is no ELF program, or cannot be read."""
        tool = self._machine.tools.bpftrace
        if tool is None:
            return None
        path = self._in_snap() if tool.origin == "snap" else tool.path
        head = self._system.head(path, 64) or b""
        by = "snap" if tool.origin == "snap" else "nix" if self._in_nix(path) else ""
        if head[8:11] == _APPIMAGE:
            return Build("AppImage", by, None, ())
        needs = self._machine.tools.loader.needs(path)
        if needs.interpreter.startswith(_NIX):
            by = "nix"
        found = next((match for name in needs.needed if (match := _LLVM.match(name))), None)
        llvm = int(found[1]) if found is not None else None
        return Build("shared" if needs.needed else "static", by, llvm, tuple(needs.needed))

    def _in_snap(self) -> str:
        """The program in the snap. Raises Unavailable where it is not to be seen."""
        for place in _IN_THE_SNAP:
            path = f"/snap/bpftrace/current/{place}/bpftrace"
            if self._system.stat(path) is not None:
                return path
        raise Unavailable("bpftrace is a snap, and its program is not below /snap/bpftrace/current")

    def _in_nix(self, path: str) -> bool:
        try:
            info = self._system.lstat(path)
        except Unavailable:
            info = None
        target = (info.target or "") if info is not None else ""
        return path.startswith(_NIX) or target.startswith(_NIX)
