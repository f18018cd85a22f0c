"""The libbpf that each tool uses: the shared one that the loader gives it, or the one that it brings along."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.knowledge.tools.bundled_libbpf import bundled
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Version
    from kdiag.machine import Machine

_NAME = re.compile(r"libbpf\.so\.(\d+)(?:\.(\d+)\.(\d+))?$")
#: Libraries of BCC, through which bpftrace before 0.17 gets to libbpf.
_BETWEEN = re.compile(r"libbcc(_bpf)?\.so")
_PRINTED = re.compile(r"using libbpf v(\d+)\.(\d+)")


class Libbpf(NamedTuple):
    """where: the library's path, or what brings it. version: the release; where not `exact`, at least that one, and
    below 1.0 if it is below.
    """

    where: str
    version: Version
    exact: bool = True

    @property
    def name(self) -> str:
        """`libbpf 1.1.2`, `libbpf 0.x`, `libbpf 1.5 or newer`."""
        if self.exact:
            return f"libbpf {'.'.join(map(str, self.version))}"
        if self.version[0] == 0:
            return "libbpf 0.x"
        return f"libbpf {self.version[0]}.{self.version[1]} or newer"

    def has(self, version: Version) -> bool | None:
        """Whether it is of this release or newer; None where that is not known."""
        if self.version >= version:
            return True
        return False if self.exact or self.version[0] < min(version[0], 1) else None


class LibbpfFacts:
    """Of bpftrace and of bpftool; None where the tool is not there, Unavailable where its file does not tell."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    @cached_property
    def of_bpftrace(self) -> Libbpf | None:
        tool = self._machine.tools.bpftrace
        if tool is None:
            return None
        shared = self._shared(tool.path)
        if shared is not None:
            return shared
        least = None if tool.version is None else bundled(tool.version)
        if least is None:
            raise Unavailable(f"{tool.path} is linked with a libbpf of its own, of no known release")
        return Libbpf(f"{tool.path}, which brings its own", least, exact=False)

    @cached_property
    def of_bpftool(self) -> Libbpf | None:
        tool = self._machine.tools.bpftool
        if tool is None or tool.problem:
            return None
        told = _PRINTED.search(tool.printed)
        if told:
            return Libbpf(f"`{tool.path} version`", (int(told[1]), int(told[2]), 0))
        # Since 7.0 it has a numbering of its own and says its libbpf; before, it is of a kernel's source (5.x), with
        # the libbpf of that: 0.0.1 in 5.0, 0.0.2 in 5.1 and so on to 0.0.9 in 5.8, later ones are newer
        # (tools/lib/bpf/libbpf.map).
        if tool.version is not None and tool.version < (6, 0, 0):
            least = tool.version[1] + 1 if tool.version[0] == 5 else 0
            return Libbpf(f"`{tool.path} version`", (0, 0, least), exact=False)
        raise Unavailable(f"`{tool.path} version` does not say which libbpf it uses")

    def _shared(self, program: str) -> Libbpf | None:
        """The shared library that a program loads, directly or through BCC's; None if it loads none."""
        loader = self._machine.tools.loader
        pending = [program]
        while pending:
            user = pending.pop(0)
            for soname in loader.needs(user).needed:
                if not (_NAME.match(soname) or _BETWEEN.match(soname)):
                    continue
                path = loader.find(soname, user)
                if path is None:
                    raise Unavailable(f"{soname}, which {user} needs, is not there")
                if _NAME.match(soname):
                    return self._of_file(path)
                pending.append(path)
        return None

    def _of_file(self, path: str) -> Libbpf:
        """By the name of the file behind the link: libbpf.so.1 -> libbpf.so.1.1.2."""
        info = self._machine.system.lstat(path)
        target = (info.target or "") if info is not None else ""
        found = _NAME.match(target.rpartition("/")[2]) or _NAME.match(path.rpartition("/")[2])
        if found is None:
            raise Unavailable(f"{path} does not say its release")
        if found[2] is None:
            return Libbpf(path, (int(found[1]), 0, 0), exact=False)
        return Libbpf(path, (int(found[1]), int(found[2]), int(found[3])))
