"""What the kernel's log of this boot says about tracing: lines that decide between causes which look the same."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.parse.kernel_log import LIMIT, PATH, TRACERS, notices
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.parse.kernel_log import Notice

#: What only confidentiality refuses (include/linux/security.h, enum lockdown_reason, after LOCKDOWN_INTEGRITY_MAX; the
#: words are those of security/security.c, lockdown_reasons).
CONFIDENTIAL = (
    "use of bpf to read kernel RAM",
    "use of kprobes",
    "use of tracefs",
    "unsafe use of perf",
    "/proc/kcore access",
)
#: What a security module calls what tracing asks for: classes of SELinux, capabilities of both.
_CAPABILITIES = ("bpf", "perfmon", "sys_admin")


class KernelLog:
    """One look. Where the log may not be read, nothing follows from what is not in it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    @cached_property
    def _read(self) -> tuple[Notice, ...] | Unavailable:
        try:
            data = self._machine.system.read(PATH, LIMIT)
        except Unavailable as gap:
            return gap
        return Unavailable(f"{PATH} is not there") if data is None else tuple(notices(data))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Every line about tracing, the oldest first. Raises Unavailable."""
        if isinstance(self._read, Unavailable):
            raise self._read
        return self._read

    def of(self, *kinds: str) -> tuple[Notice, ...]:
        """The lines of some kinds; none where the log may not be read."""
        return () if isinstance(self._read, Unavailable) else tuple(n for n in self._read if n.kind in kinds)

    @property
    def confidential(self) -> Notice | None:
        """A line that only a kernel at lockdown=confidentiality writes: the mode is only ever raised."""
        return next((n for n in self.of("lockdown") if n.subject in CONFIDENTIAL), None)

    @cached_property
    def locked_by_patch(self) -> Notice | None:
        """A line of the patches for Secure Boot that Fedora and Ubuntu had before 5.4: they refuse BPF and kprobes
        whatever the mode, which is none that securityfs shows.
        """
        try:
            if self._machine.kernel.version_numbers >= (5, 4, 0):
                return None
        except Unavailable:
            return None
        return next((n for n in self.of("lockdown") if n.subject in ("BPF", "bpf", "Use of kprobes")), None)

    def denial(self, call: str) -> Notice | None:
        """The newest line by which a security module refused this process `bpf(2)` or `perf_event_open(2)`, None where
        there is none. A line of another domain or profile is about other processes.
        """
        klass = "bpf" if call.startswith("bpf") else "perf_event"
        return next(
            (n for n in reversed(self.of("avc", "apparmor")) if _asked(n, klass) and self._ours(n)), None
        )

    def _ours(self, notice: Notice) -> bool:
        privileges = self._machine.privileges
        try:
            if notice.kind == "apparmor":
                profile = privileges.apparmor
                return profile is not None and notice.field("profile") == (
                    profile.rpartition(" (")[0] or profile
                )
            context = privileges.selinux_context
        except Unavailable:
            return False
        return context is not None and context.split(":")[2:3] == notice.field("scontext").split(":")[2:3]

    @property
    def ended(self) -> tuple[Notice, ...]:
        """Tracing programs that were killed for want of memory, or crashed."""
        return tuple(
            n
            for n in self.of("oom", "crash")
            if n.subject.startswith(TRACERS) or n.subject.endswith("-bpfcc")
        )

    def refused_module(self, name: str) -> Notice | None:
        """Why loading this module failed, the newest line; None where no line says."""
        return next((n for n in reversed(self.of("module", "module-btf")) if n.subject == name), None)


def _asked(notice: Notice, klass: str) -> bool:
    """Whether a denial is about what this call asks for: the call itself, or a capability for it."""
    if notice.kind == "apparmor":
        return notice.field("capname") in _CAPABILITIES
    if notice.field("permissive") == "1":
        return False
    if notice.field("tclass") == klass:
        return True
    return notice.field("tclass") in ("capability", "capability2") and bool(
        {*notice.subject.split()} & {*_CAPABILITIES}
    )
