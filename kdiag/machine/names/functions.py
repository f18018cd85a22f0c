"""The kernel's functions by name: which can be traced, which symbols there are, which kprobes refuse.

All three are lists of megabytes, read when a question is about a function, and searched as bytes. A recording of
`kdiag check` does not hold them; then a question raises Unavailable("... not recorded").
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.machine.tracing import DEBUGFS, KPROBE_BLACKLIST
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kdiag.machine import Machine

#: The smallest kernels that were seen list 20,000 functions; a recording keeps those that were asked for.
_WHOLE = 64 * 1024
#: What a compiler appends to the name of a copy of a function that it made (gcc/ipa-*.cc, LLVM's PartialInlining).
_COPIES = rb"(?:\.(?:constprop|isra|part|cold|llvm|specialized|warm)(?:\.[0-9]+)*)+"
_SYMBOL = re.compile(rb"[0-9a-fA-F]+ ([a-zA-Z?]) ([^ \t]+)(?:[ \t]+\[([^\]]*)\])?")
_COPY = re.compile(rb"[0-9a-fA-F]+ ([a-zA-Z?]) ([^ \t]+?" + _COPIES + rb")(?:[ \t]+\[([^\]]*)\])?")
_COPIED = re.compile(_COPIES + rb"$")
_LISTED = re.compile(rb"(?P<name>[^ \t]+)(?:[ \t]+\[(?P<module>[^\]]*)\])?")


class Symbol(NamedTuple):
    """A name of /proc/kallsyms. kind: the letter of nm(1), `t` for a function of one file; module: "" for the
    kernel's own.
    """

    name: str
    kind: str
    module: str

    @property
    def is_function(self) -> bool:
        """Whether it names code."""
        return self.kind in "tTwW"


class Traceable(NamedTuple):
    """A line of available_filter_functions; module: "" for the kernel's own."""

    name: str
    module: str


class Functions:
    """Look-ups in the lists of the examined kernel."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def _listed(self) -> bytes | Unavailable:
        try:
            data = self._machine.tracing.function_list
        except Unavailable as gap:
            return gap
        return Unavailable(f"{self.list_path} is absent") if data is None else b"\n" + data

    @property
    def _list(self) -> bytes:
        if isinstance(self._listed, Unavailable):
            raise self._listed
        return self._listed

    @property
    def _partial(self) -> bool:
        """Whether what was read is a recording's part of the list."""
        return not self._system.live and len(self._list) < _WHOLE

    def _must_be_whole(self) -> None:
        if self._partial:
            raise Unavailable(f"{self.list_path}: only some of its lines were recorded")

    @property
    def list_path(self) -> str:
        """Where the list of traceable functions is."""
        return f"{self._machine.tracing.root or '/sys/kernel/tracing'}/available_filter_functions"

    def traceable(self, name: str) -> tuple[Traceable, ...]:
        """The functions of this name that can be traced, none if there is none. Raises Unavailable."""
        wanted = name.encode("utf-8", "surrogateescape")
        lines = _lines_with(self._list, b"\n" + wanted)
        found = tuple(
            _traceable(one) for line in lines if (one := _LISTED.fullmatch(line)) and one["name"] == wanted
        )
        if not found:
            self._must_be_whole()
        return found

    def matching(self, pattern: str, module: str = "") -> Iterator[Traceable]:
        """The traceable functions that a pattern of bpftrace stands for: `*` is any text. Raises Unavailable."""
        self._must_be_whole()
        wanted = glob(module).decode() if module else ""
        for one in self._lines(glob(pattern)):
            if not wanted or re.fullmatch(wanted, one.module or "vmlinux"):
                yield one

    def _lines(self, pattern: bytes) -> Iterator[Traceable]:
        expression = re.compile(rb"\n(?P<name>" + pattern + rb")(?:[ \t]+\[(?P<module>[^\]\n]*)\])?(?=\n|$)")
        yield from map(_traceable, expression.finditer(self._list))

    @cached_property
    def _kallsyms(self) -> bytes | Unavailable:
        try:
            data = self._system.read("/proc/kallsyms")
        except Unavailable as gap:
            return gap
        return Unavailable("/proc/kallsyms is absent") if data is None else b"\n" + data

    @property
    def kallsyms(self) -> bytes:
        """/proc/kallsyms behind a line break, so that each line has one before it; read once. Raises Unavailable."""
        if isinstance(self._kallsyms, Unavailable):
            raise self._kallsyms
        return self._kallsyms

    def symbols(self, name: str, *, copies: bool = False) -> tuple[Symbol, ...]:
        """The symbols of this name, or with `copies` those that a compiler made out of it (`NAME.constprop.0`). Raises
        Unavailable.
        """
        whole = _SYMBOL if not copies else _COPY
        wanted = name.encode("utf-8", "surrogateescape")
        return tuple(
            Symbol(found[2].decode(), found[1].decode(), (found[3] or b"").decode("utf-8", "replace"))
            for line in _lines_with(self.kallsyms, b" " + wanted + (b"." if copies else b""))
            if (found := whole.fullmatch(line)) and _owner(found[2], copies=copies) == wanted
        )

    def near(self, name: str) -> Iterator[str]:
        """Traceable functions that may be meant: those with this name as a whole part first, then those that begin
        as it does. Looked for when they are asked for. Raises Unavailable.
        """
        self._must_be_whole()
        exact = re.escape(name.encode("utf-8", "surrogateescape"))
        start = re.escape(name[: max(3, len(name) * 2 // 3)].encode("utf-8", "surrogateescape"))
        yield from (one.name for one in self._lines(rb"(?:[^\n \t]*_)?" + exact + rb"(?:[_.][^\n \t]*)?"))
        yield from (one.name for one in self._lines(start + rb"[^\n \t]*"))

    def blacklisted(self, name: str) -> bool:
        """Whether kprobes refuse the function. Raises Unavailable, without debugfs too."""
        if not self._machine.tracing.is_mounted(DEBUGFS, "debugfs"):
            raise Unavailable("debugfs is not mounted")
        data = self._system.read(KPROBE_BLACKLIST)
        if data is None:
            raise Unavailable(f"{KPROBE_BLACKLIST} is absent")
        # "0xffffffff81000000-0xffffffff81000010\tname"; the addresses are zero or hidden for some readers.
        return (
            re.search(
                rb"[ \t]" + re.escape(name.encode("utf-8", "surrogateescape")) + rb"(?:\+0x[^\n]*)?(?=\n|$)",
                data,
            )
            is not None
        )

    def exporter(self, name: str) -> str | None:
        """The module of this release that exports the function, loaded or not; None where none is listed. Raises
        Unavailable.
        """
        directory = self._machine.modules.directory
        data = None if directory is None else self._system.read(f"{directory}/modules.symbols")
        if data is None:
            return None
        found = re.search(
            rb"^alias symbol:" + re.escape(name.encode("utf-8", "surrogateescape")) + rb" (\S+)$",
            data,
            re.MULTILINE,
        )
        return None if found is None else found[1].decode("utf-8", "replace")


def _lines_with(data: bytes, text: bytes) -> Iterator[bytes]:
    """The lines of a list with a text, which may begin with the line break before: a search for bytes takes a tenth of
    what an expression takes that is tried at each line.
    """
    at = data.find(text)
    while at >= 0:
        start = at + 1 if text.startswith(b"\n") else data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at + 1)
        end = len(data) if end < 0 else end
        yield data[start:end]
        at = data.find(text, end)


def _owner(name: bytes, *, copies: bool) -> bytes:
    """The function that a symbol is of, or a copy of."""
    return _COPIED.sub(b"", name) if copies else name


def _traceable(found: re.Match[bytes]) -> Traceable:
    return Traceable(
        found["name"].decode("utf-8", "surrogateescape"), (found["module"] or b"").decode("utf-8", "replace")
    )


def glob(pattern: str) -> bytes:
    """A pattern of bpftrace as a regular expression over a line of a list: `*` is any text without white space.

    Of what stands between two stars the first place in a name is as good as any later one, so that none but the last
    star goes back; else the steps for a name would grow with a power of the number of stars.
    """
    first, *rest = (re.escape(part.encode("utf-8", "surrogateescape")) for part in pattern.split("*"))
    between = [part for part in rest[:-1] if part]
    found = (
        rb"(?=(?P<part%d>[^\n \t]*?%s))(?P=part%d)" % (number, part, number)
        for number, part in enumerate(between)
    )
    return b"".join((first, *found, *(rb"[^\n \t]*" + rest[-1] for _ in rest[:1])))


def glob_matches(pattern: str, name: str) -> bool:
    """Whether a pattern of bpftrace stands for a name."""
    return re.fullmatch(glob(pattern), name.encode("utf-8", "surrogateescape")) is not None
