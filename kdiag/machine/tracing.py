"""The tracing file systems: what is mounted where, and what tracefs offers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.knowledge.tools.tracefs_paths import BELOW_DEBUGFS, tracefs_paths
from kdiag.machine.text import read_text
from kdiag.parse.errors import ParseError
from kdiag.parse.mountinfo import Mounts
from kdiag.parse.mountinfo import parse as parse_mountinfo
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection

    from kdiag.knowledge.tools.behaviour import Version
    from kdiag.machine import Machine

#: Superblock magics, include/uapi/linux/magic.h.
MAGIC = {"tracefs": 0x74726163, "debugfs": 0x64626720, "bpf": 0xCAFE4A11, "securityfs": 0x73636673}

TRACEFS = "/sys/kernel/tracing"
DEBUGFS = "/sys/kernel/debug"
BPFFS = "/sys/fs/bpf"
KPROBE_BLACKLIST = f"{DEBUGFS}/kprobes/blacklist"
_LIST = "available_filter_functions"
#: 60,000 functions have 1.5 MB.
_BY_THE_LIST = (4, 20, 0)
_LIST_LIMIT = 16 * 1024 * 1024


class Tracing:
    """tracefs, debugfs and bpffs by superblock magic and by mountinfo, and the files in tracefs."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system
        #: The functions that `probeable` was asked for: a recording keeps their lines.
        self.asked: set[str] = set()

    @cached_property
    def mounts(self) -> Mounts:
        """/proc/self/mountinfo. Raises Unavailable."""
        data = self._system.read("/proc/self/mountinfo")
        if data is None:
            raise Unavailable("/proc/self/mountinfo is not there: is /proc mounted?")
        try:
            return parse_mountinfo(data)
        except ParseError as error:
            raise Unavailable(f"/proc/self/mountinfo: {error}") from None

    @cached_property
    def kernel_filesystems(self) -> frozenset[str]:
        """The types that this kernel can mount (/proc/filesystems)."""
        text = read_text(self._system, "/proc/filesystems")
        if text is None:
            raise Unavailable("/proc/filesystems is not there: is /proc mounted?")
        return frozenset(line.split("\t")[-1].strip() for line in text.splitlines())

    def is_mounted(self, path: str, kind: str) -> bool:
        """Whether the file system of type `kind` is what one sees at `path`: the superblock decides."""
        return self._system.filesystem(path) == MAGIC[kind]

    @cached_property
    def root(self) -> str | None:
        """Where tracefs is, None if nowhere. The file system's magic decides, so an empty directory does not count.

        Raises Unavailable where /sys/kernel/debug hides the answer (mode 0700) and nothing else told.
        """
        if self.is_mounted(TRACEFS, "tracefs"):
            return TRACEFS
        if self.is_mounted(f"{DEBUGFS}/tracing", "tracefs"):
            return f"{DEBUGFS}/tracing"
        return None

    @cached_property
    def debug_root(self) -> str | None:
        """tracefs below debugfs, the path that older tools have built in, None if not there."""
        return BELOW_DEBUGFS if self.is_mounted(BELOW_DEBUGFS, "tracefs") else None

    def place(self, path: str) -> bool | None:
        """Whether tracefs is what one sees in a place, None where there is nothing of that name. Raises Unavailable."""
        magic = self._system.filesystem(path)
        return None if magic is None else magic == MAGIC["tracefs"]

    @cached_property
    def old_users(self) -> tuple[str, ...]:
        """The installed tools, with their release, that look for tracefs only below debugfs."""
        tools = self._machine.tools
        mine = tools.behaviour
        paths = {f"bpftrace {_dotted(mine.version)}": mine.tracefs_paths} if mine is not None else {}
        paths |= {
            f"{tool} {_dotted(release)}": tracefs_paths(tool, release) for tool, release in tools.libraries
        }
        return tuple(name for name, tried in paths.items() if TRACEFS not in tried)

    def _need_root(self) -> str:
        if self.root is None:
            raise Unavailable("tracefs is not mounted")
        return self.root

    @cached_property
    def readable(self) -> bool:
        """Whether this process may look into tracefs at all (mode 0700 on most machines)."""
        return self._system.listdir(self._need_root()) is not None

    @cached_property
    def names(self) -> frozenset[str]:
        """The files at the top of tracefs. Unavailable if not mounted or not permitted."""
        return frozenset(self._system.listdir(self._need_root()) or ())

    @cached_property
    def has_events(self) -> bool:
        """Whether tracefs has its events directory: under lockdown=confidentiality it is mounted and empty."""
        return self._system.stat(f"{self._need_root()}/events") is not None

    def event(self, group: str, name: str) -> int | None:
        """The id of a tracepoint, None if this kernel does not have it."""
        text = read_text(self._system, f"{self._need_root()}/events/{group}/{name}/id", 4096)
        return None if text is None else int(text) if text.isdigit() else None

    def event_format(self, group: str, name: str) -> str | None:
        """What a tracepoint's arguments are, None if this kernel does not have it."""
        return read_text(self._system, f"{self._need_root()}/events/{group}/{name}/format")

    @cached_property
    def available_events(self) -> tuple[str, ...]:
        """All events as `GROUP:EVENT`. Raises Unavailable."""
        path = f"{self._need_root()}/available_events"
        text = read_text(self._system, path, 16 * 1024 * 1024)
        if text is None:
            raise Unavailable(f"{path} is absent")
        return tuple(text.split())

    def readable_file(self, name: str) -> bool | None:
        """Whether a file at the top of tracefs can be read (its first bytes are), None if it is not there.

        Raises Unavailable with the errno where the kernel refuses.
        """
        head = self._system.head(f"{self._need_root()}/{name}", 64)
        return None if head is None else bool(head)

    @cached_property
    def kprobe_events(self) -> tuple[str, ...] | None:
        """The dynamic kprobe events that are defined now, None if the file is not there (kernel without
        KPROBE_EVENTS).
        """
        text = read_text(self._system, f"{self._need_root()}/kprobe_events")
        return None if text is None else tuple(text.splitlines())

    @cached_property
    def function_list(self) -> bytes | None:
        """available_filter_functions as the kernel writes it, read once, None where it is not there. Raises
        Unavailable.
        """
        return self._system.read(f"{self._need_root()}/{_LIST}", _LIST_LIMIT)

    @cached_property
    def _functions(self) -> frozenset[bytes]:
        """The names in available_filter_functions: some 60,000. Unavailable without the file."""
        data = self.function_list
        if not data:
            path = f"{self._need_root()}/{_LIST}"
            raise Unavailable(f"{path} is {'empty' if data is not None else 'not there'}")
        # `name`, or `name [module]`
        return frozenset(line.split(b" ", 1)[0] for line in data.splitlines())

    @cached_property
    def _blacklist(self) -> frozenset[str]:
        """The functions that no kprobe may be put on, () where that is not shown: debugfs has the list."""
        try:
            text = read_text(self._system, KPROBE_BLACKLIST) or ""
        except Unavailable:
            return frozenset()
        return frozenset(line.split()[1] for line in text.splitlines() if len(line.split()) > 1)

    def probeable(self, names: Collection[str]) -> frozenset[str]:
        """Those of these functions that a kprobe event can be put on. The kernel refuses what function tracing does not
        know (kernel/trace/trace_kprobe.c, within_notrace_func), whatever BTF names. Unavailable without the list, and
        for kernels that do not go by it: those before 4.20, or with CONFIG_KPROBE_EVENTS_ON_NOTRACE.
        """
        if not self.probes_by_list:
            raise Unavailable(
                "this kernel lets functions be probed that are not in its list of traceable ones"
            )
        self.asked |= {*names}
        return frozenset(
            n
            for n in names
            if n.encode("utf-8", "surrogateescape") in self._functions and n not in self._blacklist
        )

    @property
    def probes_by_list(self) -> bool:
        """Whether the kernel refuses kprobes on what is not in its list of traceable functions."""
        return self._machine.kernel.version_numbers >= _BY_THE_LIST and not self._untraced_too

    @property
    def _untraced_too(self) -> bool:
        try:
            return self._machine.config.value("KPROBE_EVENTS_ON_NOTRACE") == "y"
        except Unavailable:
            return False

    @cached_property
    def kernel_symbols(self) -> bool | None:
        """Whether /proc/kallsyms shows addresses to this process, None where it is not there."""
        head = self._system.head("/proc/kallsyms", 256)
        if head is None:
            return None
        lines = head.decode("ascii", "replace").splitlines()[:-1]
        return any(line.split(" ", 1)[0].strip("0") for line in lines)

    @cached_property
    def kprobes_switch(self) -> bool | None:
        """/sys/kernel/debug/kprobes/enabled; None if not there. Unavailable without debugfs."""
        if not self.is_mounted(DEBUGFS, "debugfs"):
            raise Unavailable("debugfs is not mounted")
        text = read_text(self._system, f"{DEBUGFS}/kprobes/enabled", 4096)
        return None if text is None else text == "1"

    @cached_property
    def pmus(self) -> frozenset[str]:
        """Perf event sources: software, tracepoint, kprobe, uprobe, cpu, ..."""
        names = self._system.listdir("/sys/bus/event_source/devices")
        if names is None:
            raise Unavailable("/sys/bus/event_source/devices is not there: is /sys mounted?")
        return frozenset(names)


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
