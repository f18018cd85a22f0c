"""Which machine a text comes from, as far as it says: a kernel's release, an architecture, a tool's release. Where it
names another than the machine that was examined, the causes of its messages may not be here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kdiag.knowledge.texts.releases import shown
from kdiag.knowledge.tools.bpftrace import parse_version
from kdiag.model import MachineInfo
from kdiag.why.value import Origin

_RELEASE = r"\d\.\d{1,3}(?:\.\d{1,3})?(?:[-+.~_]\w[\w.+~-]*|\+)?"
_FULL = r"\d\.\d{1,3}\.\d[\w.+~-]*"
#: Where a kernel's release stands in messages: paths and packages that are named after the running kernel, and words.
_NAMED = re.compile(
    rf"/lib/modules/(?P<modules>{_RELEASE})(?=[/'\"\s,:;)]|$)"
    rf"|/usr/src/(?:kernels/|linux-headers-)(?P<source>{_RELEASE})(?=[/'\"\s,:;)]|$)"
    rf"|\bkheaders-(?P<kheaders>{_RELEASE})(?=[/'\"\s,:;)]|$)"
    rf"|/boot/(?:config|vmlinu[xz]|System\.map)-(?P<boot>{_RELEASE})(?=[/'\"\s,:;)]|$)"
    rf"|\b(?:for kernel|[Kk]ernel(?: version| release)?:?|Linux version) [\\\"']*(?P<said>{_FULL})(?=[/'\"\s,:;)\\]|$)"
)
#: The names of system calls in the kernel have the architecture in them (arch/*/include/asm/syscall_wrapper.h).
_ARCH = re.compile(r"\b__(?P<arch>x64|ia32|arm64|riscv|s390x?)_sys_\w")
_OF_ARCH = {
    "x64": ("x86_64",),
    "ia32": ("x86_64", "i686", "i386"),
    "arm64": ("aarch64", "arm64"),
    "riscv": ("riscv64",),
    "s390": ("s390x",),
    "s390x": ("s390x",),
}
_TOOL = re.compile(r"\bbpftrace v?(?P<version>0\.\d{1,2}(?:\.\d{1,2})?)\b")
#: Of what each of the patterns above has one: a log has a million lines, and few have any.
_PIECES = (
    "/lib/modules/",
    "/usr/src/",
    "kheaders-",
    "/boot/",
    "ernel",
    "Linux version",
    "_sys_",
    "bpftrace ",
)
#: A release that a program asks for is no machine's.
_ASKED = re.compile(r"requir|need|least|minimum|since|before|than|support", re.IGNORECASE)
_NEWER = re.compile(r"[\\\"' ]*(?:or|and) (?:newer|later|above|higher|up)|\+? ?(?:required|is required)")
_AROUND = 30
#: Releases that are shown.
_MOST = 3


class Whence:
    """Reads line by line what a text says of the machine."""

    def __init__(self) -> None:
        self.releases: dict[str, None] = {}
        self.archs: dict[str, None] = {}
        self.tools: dict[str, None] = {}

    @property
    def origin(self) -> Origin:
        """What was found."""
        return Origin(tuple(self.releases), tuple(self.archs), tuple(self.tools))

    def read(self, line: str) -> None:
        """A line that is a message, or complains."""
        for piece in _PIECES:  # any() costs a call for each
            if piece in line:
                self._look(line)
                return

    def _look(self, line: str) -> None:
        for found in _NAMED.finditer(line):
            if found["said"] and _asked(line, found):
                continue
            self._add(self.releases, (found[found.lastgroup or 0]).rstrip(".-+~_"))
        for found in _ARCH.finditer(line):
            self._add(self.archs, found["arch"])
        for found in _TOOL.finditer(line):
            self._add(self.tools, found["version"])

    @staticmethod
    def _add(known: dict[str, None], value: str) -> None:
        if len(known) < 2 * _MOST:
            known.setdefault(value)


def _asked(line: str, found: re.Match[str]) -> bool:
    before = line[max(found.start() - _AROUND, 0) : found.start()]
    return bool(_ASKED.search(before) or _NEWER.match(line, found.end()))


def foreign(origin: Origin, machine: MachineInfo) -> Iterator[str]:
    """Sentences on what a text names in the place of what this machine has; none where it names this machine, too."""
    releases = list(origin.releases)
    if machine.release and releases and not any(_same(one, machine.release) for one in releases):
        yield f"the text names Linux {_list(releases)}, and Linux {machine.release} was examined"
    archs = [one for one in origin.archs if machine.arch not in _OF_ARCH[one]]
    if machine.arch and archs and len(archs) == len(origin.archs):
        yield f"the text names system calls of {_OF_ARCH[archs[0]][0]}, and {machine.arch} was examined"
    installed = parse_version(machine.bpftrace) if machine.bpftrace else None
    versions = [version for one in origin.tools if (version := parse_version(one)) is not None]
    if installed is not None and versions and installed not in versions:
        yield f"the text names bpftrace {_list(map(shown, versions))}, and {shown(installed)} is installed"


def _same(named: str, release: str) -> bool:
    """Whether a release is meant: BCC and others write it without what follows the version."""
    return named == release or (release.startswith(named) and not release[len(named)].isalnum())


def _list(names: Iterable[str]) -> str:
    return ", ".join(list(names)[:_MOST])
