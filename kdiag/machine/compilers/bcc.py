"""BCC and the kernel's headers: what its own bpf.h and its compiler lack of what they rely on."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.knowledge.tools.bcc_history import NET_TCP_HITS, only_by_tcp
from kdiag.parse import cheaders, libbcc
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.machine.programs.libraries import Version

#: Debian 12's library has 3.4 MB; one with LLVM and clang in it some 100 MB.
_LIBRARY = 160 * 1024 * 1024
#: Linux 7.3's largest, include/uapi/linux/bpf.h, has 290 kB.
_HEADER = 2 * 1024 * 1024
#: BCC's largest tool has 60 kB.
_TOOL = 1024 * 1024
#: LLVM 9's release notes. Up to 6.6 the kernel writes asm_volatile_goto, which BCC replaces (its helpers.h).
_ASM_GOTO_LLVM = 9
_ASM_GOTO = r"\basm(?:_inline)?\s+(?:volatile\s+|inline\s+)*goto\b"
#: Releases that came with something (src/cc/frontends/clang, tag by tag).
_KCONFIG_DECIDES = (0, 22, 0)
_TMPDIR = (0, 26, 0)


#: The headers that tools for the network include: all of them the first, tcpcong and tcpretrans the second, too.
_SOCK, _TCP = "net/sock.h", "net/tcp.h"
#: Of 7.3's some 860 lie below net/sock.h.
_CLOSURE = 3000


class Lack(NamedTuple):
    """What is missing, in which file of the tree it is relied on, and which tools include that file. few: so few that
    the others are not stopped.
    """

    names: tuple[str, ...]
    file: str
    what: str
    few: bool = False


class Bcc:
    """What decides whether BCC compiles the headers that it finds."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def library(self) -> libbcc.Library | None:
        """What the installed libbcc says, None without one. Raises Unavailable."""
        found = self._machine.tools.bcc.library
        data = None if found is None else self._system.read(found[0], _LIBRARY)
        return None if data is None else libbcc.parse(data)

    @property
    def version(self) -> Version | None:
        """The release by the library's name."""
        found = self._machine.tools.bcc.library
        return None if found is None else found[1]

    @cached_property
    def source(self) -> str | None:
        """The directory whose include/linux BCC compiles, None if it would first have to unpack it."""
        headers = self._machine.headers
        chosen = headers.for_bcc
        if chosen is not None and self._has(chosen.source):
            return chosen.source
        return self.unpacked if self._has(self.unpacked) else None

    @cached_property
    def unpacked(self) -> str:
        """Where BCC unpacks kheaders, and from where it takes them the next time (kbuild_helper.cc)."""
        try:
            version = self.version
        except Unavailable:
            version = None
        try:
            told = self._system.env("TMPDIR") if version is None or version >= _TMPDIR else None
        except Unavailable:
            told = None
        top = "/tmp" if told is None else told  # noqa: S108  looked at, never written
        return f"{top}/kheaders-{self._machine.kernel.release}"

    @property
    def unpacks(self) -> bool:
        """Whether BCC turns to the kernel's archive: without a directory, or since 0.22 without linux/kconfig.h."""
        chosen, version = self._machine.headers.for_bcc, self.version
        if chosen is None or chosen.missing:
            return True
        return version is not None and version >= _KCONFIG_DECIDES and not self._has(chosen.source)

    @property
    def archive(self) -> bool:
        """Whether the kernel's own headers are to be had."""
        try:
            kheaders = self._machine.kheaders
            return kheaders.archive is not None or kheaders.module.state == "loadable"
        except Unavailable:
            return False

    def _has(self, directory: str) -> bool:
        try:
            return self._system.stat(f"{directory}/include/linux/kconfig.h") is not None
        except Unavailable:
            return False

    def renamed_state(self) -> bool:
        """Whether task_struct's `state` is `__state` (2f064a59a11f, Linux 5.14) in the headers that BCC takes. Raises
        Unavailable.
        """
        text = self._header("linux/sched.h")
        if text is None:
            raise Unavailable("no include/linux/sched.h in the tree that BCC takes")
        return cheaders.has_member(text, "__state")

    def text(self, tool: str) -> str | None:
        """What one of BCC's tools is written in Python, None if it is not installed."""
        path = self._machine.tools.bcc.tool(tool)
        data = None if path is None else self._system.read(path, _TOOL)
        return None if data is None else data.decode("utf-8", "replace")

    def _header(self, name: str) -> str | None:
        data = self._system.read(f"{self.source}/include/{name}", _HEADER) if self.source else None
        return None if data is None else data.decode("utf-8", "replace")

    @cached_property
    def lacks(self) -> tuple[Lack, ...]:
        """What this BCC lacks for these headers, () if nothing. Raises Unavailable where either was not looked at."""
        library = self.library
        if library is None:
            raise Unavailable("no libbcc.so.0.* where libraries are looked for")
        if self.source is None:
            raise Unavailable("no header tree to look into before BCC unpacks the kernel's own")
        found = (self._bpf_h(library), self._members(library), self._asm_goto(library))
        return tuple(lack for lack in found if lack is not None)

    def _bpf_h(self, library: libbcc.Library) -> Lack | None:
        """The kernel's bpf.h includes the user-space one, in whose place BCC puts its own."""
        theirs, user = self._header("linux/bpf.h"), self._header("uapi/linux/bpf.h")
        if theirs is None or user is None:
            raise Unavailable(f"{self.source}/include has no linux/bpf.h")
        if library.names is None:
            raise Unavailable("BCC's own bpf.h was not found in its library")
        missing = cheaders.defined(user) - library.names
        names = tuple(name for name in cheaders.relies_on(theirs) if name in missing)
        way = self.way_to_bpf_h if names else ""
        if not way:
            return None
        what = "tools for the network (tcpconnect, tcptop, ...), whose headers include linux/bpf.h"
        if way == _TCP:
            what = f"{NET_TCP_HITS}, which leads to linux/bpf.h,"
        return Lack(names, "include/linux/bpf.h", what, way == _TCP)

    @cached_property
    def way_to_bpf_h(self) -> str:
        """By which header the tools for the network come to linux/bpf.h, "" if by none: kernels differ. The tree
        decides where it is whole, else the release.
        """
        for start in (_SOCK, _TCP):
            found = self._leads(start)
            if found is None:
                return _TCP if only_by_tcp(self._machine.kernel.version_numbers) else _SOCK
            if found:
                return start
        return ""

    def _leads(self, start: str) -> bool | None:
        """Whether this header of the tree leads to linux/bpf.h; None where not every header on the way was seen."""
        seen, todo, whole = {start}, [start], True
        for name in todo:
            if len(seen) > _CLOSURE:
                return None
            try:
                text = self._header(name)
            except Unavailable:
                text, whole = None, False
            if text is None:
                if name == start:
                    return None
                continue
            for one in cheaders.includes(text):
                if one == "linux/bpf.h":
                    return True
                if one not in seen and one.startswith(("linux/", "net/", "uapi/linux/")):
                    seen.add(one)
                    todo.append(one)
        return False if whole else None

    def _members(self, library: libbcc.Library) -> Lack | None:
        """Linux builds with -fms-extensions since 6.19; BCC since 0.37 (its c3f35ecc)."""
        if library.ms_extensions:
            return None
        for name, what in (
            ("linux/fs.h", "tools that include linux/fs.h, which most do"),
            ("linux/ns/ns_common_types.h", "tools that include the kernel's network or pid_namespace.h"),
            ("linux/ns_common.h", "tools that include the kernel's network or pid_namespace.h"),
        ):
            members = cheaders.unnamed_members(self._header(name) or "")
            if members:
                return Lack((f"the unnamed member `{members[0]};`",), f"include/{name}", what)
        return None

    def _asm_goto(self, library: libbcc.Library) -> Lack | None:
        if library.llvm is None or library.llvm >= _ASM_GOTO_LLVM:
            return None
        arch = self._machine.kernel.source_arch
        data = self._system.read(f"{self.source}/arch/{arch}/include/asm/jump_label.h", _HEADER)
        if data is None or not re.search(_ASM_GOTO, cheaders.plain(data.decode("utf-8", "replace"))):
            return None
        return Lack(("`asm goto`",), f"arch/{arch}/include/asm/jump_label.h", "nearly all tools")
