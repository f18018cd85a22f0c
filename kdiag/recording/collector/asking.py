"""What the checks ask of a machine: every question, noted while the checks judge machines that are only thought of.

A machine is thought of by how it answers: with nothing, with refusals, with all that could be there. Names that only
the real machine knows (its kernel's release, its architecture, directories in its environment, what a directory lists)
are stood for by words that no other name has; in the questions these become the shell's variables and patterns.
"""

from __future__ import annotations

import errno
import re
import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from kdiag.checking.analysis import analyse
from kdiag.machine import Machine
from kdiag.machine.tracing import MAGIC
from kdiag.system.base import READ_LIMIT, CommandResult, Identity, ProbeResult, Stat, Uname, Unavailable

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry

RELEASE = "6.12.0-kdiag-asks"
ARCHES = ("x86_64", "aarch64")
#: What a directory may list, with the shell's pattern for it: the checks look for names like these.
NAMES = {
    "libbcc.so.0.26.0": "libbcc.so*",
    "libbpf.so.1.5.0": "libbpf.so*",
    "python3.13": "python3*",
    "python3": "python3*",
    "debian.sources": "*.sources",
    "some.list": "*.list",
    "linux-headers-6.12.0-common": "linux-headers-*",
}
#: A module with BTF.
_MODULE = "kdiag-module"
NAMES[_MODULE] = "*"
#: Names that are the same everywhere.
_LISTED = (
    *("x86_64-linux-gnu", "aarch64-linux-gnu", "software", "tracepoint", "kprobe", "uprobe", "cpu"),
    *(
        "events",
        "kprobe_events",
        "uprobe_events",
        "available_filter_functions",
        "trace",
        "mirror.invalid_x_InRelease",
    ),
)

#: What a variable of the environment holds, and where a command is, in a machine that is only thought of.
ENV = "/ENV@"
WHICH = "/WHICH@"


class Question(NamedTuple):
    """kind: as the methods of a System are called; name: a path, a variable, a command; size: the limit of a `read`,
    the length of a `head`.
    """

    kind: str
    name: str
    size: int = 0


class Questions(NamedTuple):
    """All questions in the order in which they were first asked; functions: whose traceability is asked."""

    every: tuple[Question, ...]
    functions: frozenset[str]

    def names(self, kind: str) -> tuple[str, ...]:
        """What is asked in this way."""
        return tuple(dict.fromkeys(q.name for q in self.every if q.kind == kind))

    def sized(self, kind: str) -> tuple[tuple[str, int], ...]:
        """The same with the largest size that is asked for."""
        found: dict[str, int] = {}
        for question in self.every:
            if question.kind == kind:
                found[question.name] = max(question.size, found.get(question.name, 0))
        return tuple(found.items())


#: How many machines have an arbitrary part of all there could be, the same ones each time.
MIXED = 18
MANNERS = ("empty", "refused", "full", "led", "bare", "outside", *(f"mixed-{n}" for n in range(MIXED)))
#: Releases of bpftrace that behave differently (kdiag.knowledge.tools).
_RELEASES = ("0.12.0", "0.16.0", "0.17.0", "0.20.4", "0.21.0", "0.23.2", "0.25.0")
_OPTIONS = (
    *(
        "MODULES",
        "IKCONFIG",
        "IKHEADERS",
        "KPROBES",
        "KPROBE_EVENTS",
        "BPF",
        "BPF_SYSCALL",
        "BPF_JIT",
        "BPF_EVENTS",
    ),
    *(
        "PERF_EVENTS",
        "DEBUG_INFO_BTF",
        "DEBUG_INFO_BTF_MODULES",
        "DEBUG_FS",
        "FTRACE",
        "FUNCTION_TRACER",
        "UPROBES",
    ),
    *("DYNAMIC_FTRACE", "FTRACE_SYSCALLS", "UPROBE_EVENTS", "TRACEPOINTS", "SECURITY_LOCKDOWN_LSM"),
)
#: What a machine has not that has headers of user space only, and one that is no container.
_WITHOUT = {
    "bare": re.compile(r"^/(?:usr/)?lib/modules/[^/]*/(?:build|source)|^/usr/src|kheaders|^/sys/kernel/btf"),
    "outside": re.compile(r"^/\.dockerenv|containerenv|^/run/host|^/host|serviceaccount|bpftrace$|^/kind"),
}
#: What is a file among the names without a dot.
_FILE = re.compile(r"bin/|@|/(?:status|installed|possible|online|vmlinux|current|limits|cmdline|mountinfo)$")
_MOUNTED = {"/tracing": "tracefs", "/debug": "debugfs", "/bpf": "bpf", "/security": "securityfs"}
_MOUNTS = """
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:2 / /proc rw - proc proc rw
3 1 0:3 / /sys rw - sysfs sysfs rw
4 3 0:4 / /sys/kernel/tracing rw - tracefs tracefs rw
5 3 0:5 / /sys/kernel/debug rw - debugfs debugfs rw
6 1 8:2 / /host rw - ext4 /dev/sda2 rw
"""
#: What leads the checks on: a kernel with modules, headers of its own, mounts.
_CONTENTS = (
    (
        re.compile("os-release$"),
        'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian 13"\n',
    ),
    (re.compile("/mountinfo$"), _MOUNTS.lstrip()),
    (re.compile(r"/utsrelease\.h$"), f'#define UTS_RELEASE "{RELEASE}"\n'),
    (re.compile(r"/kernel\.release$"), f"{RELEASE}\n"),
    (re.compile("^/proc/version$"), f"Linux version {RELEASE} (a@b) (gcc) #1 SMP\n"),
    (re.compile(r"/modules\.dep$"), "".join(f"kernel/kernel/{n}.ko:\n" for n in ("configs", "kheaders"))),
    (
        re.compile("/proc/self/status$"),
        f"Uid:\t0\t0\t0\t0\nCapEff:\t{'0' * 6}1ffffffffff\nCapBnd:\t{'0' * 6}1ffffffffff\nSeccomp:\t0\n",
    ),
    (re.compile("/id$|_paranoid$|/enabled$"), "1\n"),
    (re.compile("/possible$|/online$"), "0-3\n"),
    (re.compile("/filesystems$"), "nodev\ttracefs\nnodev\tdebugfs\nnodev\tsecurityfs\nnodev\tbpf\n"),
    (re.compile("/lockdown$"), "[none] integrity confidentiality\n"),
    (re.compile("-bpfcc$"), "#!/usr/bin/python3\n"),
    (re.compile("/debian.sources$"), "Types: deb\nURIs: http://mirror.invalid/debian\nSuites: trixie\n"),
)


#: BTF of one type, an int (include/uapi/linux/btf.h).
_BTF = (
    struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 16, 16, 5)
    + struct.pack("<IIII", 1, 1 << 24, 4, 1 << 24 | 32)
    + b"\0int\0"
)


class Asked:
    """A machine that is only thought of, and what it was asked."""

    root = "/"
    live = True

    def __init__(self, manner: str, arch: str, uid: int) -> None:
        self._manner, self._arch, self._uid = manner, arch, uid
        self.questions: dict[Question, None] = {}

    def _note(self, kind: str, name: str, size: int = 0) -> None:
        self.questions[Question(kind, name, size)] = None
        if self._manner == "refused":
            raise Unavailable(f"{name}: EACCES: Permission denied", errno.EACCES)

    def _there(self, path: str) -> bool:
        if self._manner.startswith("mixed"):
            return self._drawn(path, 12) < (3, 8, 10)[self._drawn("how much", 3)]
        absent = _WITHOUT.get(self._manner)
        return self._manner in ("full", "led") or (absent is not None and absent.search(path) is None)

    def _drawn(self, name: str, of: int) -> int:
        """A number below `of` for a name: an arbitrary one, the same each time."""
        return zlib.crc32(f"{self._manner} {name}".encode()) % of

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        self._note("read", path, limit)
        return self._content(path) if self._there(path) else None

    def _content(self, path: str) -> bytes:
        """What a file says, so that the checks go on asking."""
        if path.startswith("/sys/kernel/btf/"):
            return _BTF
        if re.search(r"config(?:\.gz|-[^/]*)?$", path):
            values = (
                (name, "ynm"[self._drawn(name, 3)] if "-" in self._manner else "ym"[name == "IKHEADERS"])
                for name in _OPTIONS
            )
            return "".join(f"CONFIG_{name}={value}\n" for name, value in values).encode()
        return next((text.encode() for form, text in _CONTENTS if form.search(path)), b"")

    def head(self, path: str, size: int) -> bytes | None:
        self._note("head", path, size)
        return b"" if self._there(path) else None

    def open(self, path: str) -> BinaryIO | None:
        self._note("open", path)
        return None

    def stat(self, path: str) -> Stat | None:
        self._note("stat", path)
        return self._kind(path)

    def lstat(self, path: str) -> Stat | None:
        self._note("lstat", path)
        known = self._kind(path)
        if known is not None and path.endswith(f"/modules/{RELEASE}/build"):
            return known._replace(kind="link", target=f"/usr/src/linux-headers-{RELEASE}")
        return known

    def _kind(self, path: str) -> Stat | None:
        if not self._there(path):
            return None
        name = path.rpartition("/")[2].replace(RELEASE, "")
        file = "." in name or _FILE.search(path) is not None
        return Stat("file" if file else "dir", 0o755, 0, 0, 100)

    def listdir(self, path: str) -> tuple[str, ...] | None:
        self._note("listdir", path)
        if not self._there(path):
            return None
        return ("vmlinux", _MODULE) if path == "/sys/kernel/btf" else (RELEASE, *NAMES, *_LISTED)

    def filesystem(self, path: str) -> int | None:
        self._note("filesystem", path)
        if not self._there(path):
            return None
        return next((MAGIC[kind] for end, kind in _MOUNTED.items() if path.endswith(end)), 0)

    def which(self, name: str) -> str | None:
        self._note("which", name)
        return f"{WHICH}{name}/{name}" if self._there(name) else None

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        del argv, timeout

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        del timeout
        self._note("run", " ".join(argv))
        if "bpftrace" in argv[0]:
            return CommandResult(
                argv, 0, f"bpftrace v{_RELEASES[self._drawn('release', len(_RELEASES))]}\n", ""
            )
        return CommandResult(argv, 0, "bpftool v7.5.0\nusing libbpf v1.5\n", "")

    def probe(self, name: str) -> ProbeResult:
        self._note("probe", name)
        return ProbeResult(errno.EPERM * (self._drawn(name, 2) if "-" in self._manner else 1))

    def env(self, name: str) -> str | None:
        self._note("env", name)
        led = self._manner == "led" or ("-" in self._manner and self._drawn(name, 4) == 0)
        return f"{ENV}{name}" if led else None

    def distribution(self) -> tuple[str, str, str] | None:
        return None

    def uname(self) -> Uname:
        return Uname("Linux", RELEASE, "#1 SMP", self._arch)

    def identity(self) -> Identity:
        return Identity(self._uid, self._uid, (self._uid,), (-1, -1), "")


def asked(registry: Registry, chosen: Sequence[Registered]) -> Questions:
    """Every question of the checks."""
    found: dict[Question, None] = {}
    functions: frozenset[str] = frozenset()
    for number, manner in enumerate(MANNERS):
        for arch in ARCHES if number < len(MANNERS) - MIXED else ARCHES[number % 2 :][:1]:
            thought = Asked(manner, arch, 1000 if manner in ("refused", "mixed-1") else 0)
            machine = Machine(thought)
            analyse(machine, registry, chosen)
            found |= thought.questions
            functions |= machine.tracing.asked
    return Questions(tuple(found), functions)
