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
        head = self._system.head(tool.path, 64) or b""
        by = "snap" if tool.origin == "snap" else "nix" if self._in_nix(tool.path) else ""
        if head[8:11] == _APPIMAGE:
            return Build("AppImage", by, None, ())
        needed = self._machine.tools.loader.needs(tool.path).needed
        found = next((match for name in needed if (match := _LLVM.match(name))), None)
        return Build(
            "shared" if needed else "static", by, int(found[1]) if found is not None else None, tuple(needed)
        )

    def _in_nix(self, path: str) -> bool:
        try:
            info = self._system.lstat(path)
        except Unavailable:
            info = None
        target = (info.target or "") if info is not None else ""
        return path.startswith(_NIX) or target.startswith(_NIX)
