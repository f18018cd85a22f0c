"""What holds the calling process back besides its capabilities: a security module, a filter, a namespace."""

from __future__ import annotations

import errno
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.system import ProbeResult, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kdiag.machine import Machine

#: SELinux domains that the reference policy leaves alone (unconfined_domain_type), and spc_t, container-selinux' domain
#: for privileged containers.
_UNCONFINED = ("unconfined_t", "unconfined_service_t", "spc_t", "kernel_t", "initrc_t", "rpm_t")


#: AppArmor's profiles that deny nothing: none, and those in a mode that only logs or less (`NAME (complain)`,
#: `NAME (unconfined)`; security/apparmor/policy.c, aa_profile_mode_names).
_LENIENT = ("unconfined", "(complain)", "(unconfined)")
#: With what a filter answers (docker and podman EPERM and ENOSYS; systemd's SystemCallErrorNumber= any).
REFUSALS = ("EPERM", "EACCES", "ENOSYS")


class Confined(NamedTuple):
    """A security module that may refuse this process something. by: SELinux or AppArmor; as_: its domain or profile."""

    by: str
    as_: str
    path: str

    @property
    def name(self) -> str:
        """For people: `AppArmor (docker-default)`."""
        return f"{self.by} ({self.as_})" if self.as_ else self.by


class Confinement:
    """Raises Unavailable where /proc or /sys cannot be looked at."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def filtered(self) -> bool:
        """Whether a seccomp filter is active (mode 2)."""
        try:
            return self._machine.privileges.status.seccomp == 2
        except Unavailable:
            return False

    @cached_property
    def module(self) -> Confined | None:
        """The security module that enforces rules on this process, None where none is known to."""
        for look in (self._selinux, self._apparmor):
            try:
                found = look()
            except Unavailable:
                continue
            if found is not None:
                return found
        return None

    def _selinux(self) -> Confined | None:
        """A container does not see /sys/fs/selinux (the engine hides it), but its own label."""
        privileges = self._machine.privileges
        context = privileges.selinux_context
        if context is None:
            return (
                Confined("SELinux", "", "/sys/fs/selinux/enforce")
                if privileges.selinux == "enforcing"
                else None
            )
        domain = context.split(":")[2]
        try:
            lenient = privileges.selinux == "permissive"
        except Unavailable:
            lenient = False
        free = domain in _UNCONFINED and not self.unused
        return None if lenient or free else Confined("SELinux", domain, "/proc/self/attr/current")

    @cached_property
    def unused(self) -> bool:
        """Whether SELinux lets events open and keeps them from use, as Debian's policy does to unconfined_t. Only asked
        where SELinux labels this process.
        """
        try:
            if self._machine.privileges.selinux_context is None or not self._machine.bpf.profile.ok:
                return False
            return self._machine.bpf.perf_ioctl.name == "EACCES"
        except Unavailable:
            return False

    def _apparmor(self) -> Confined | None:
        profile = self._machine.privileges.apparmor
        if profile is None or profile.endswith(_LENIENT):
            return None
        return Confined("AppArmor", profile.rpartition(" (")[0] or profile, "/proc/self/attr/current")

    @cached_property
    def refusing(self) -> str:
        """What refuses a call to this process although it holds the capabilities for it: `filter`, `module`, or empty.

        The calls that tell: one that every process may make comes back with the kernel's own answer, unless a filter
        caught it; a module refuses what the call is to do.
        """
        bpf = self._machine.bpf
        calls: tuple[tuple[Callable[[], ProbeResult], bool | None], ...] = (
            (lambda: bpf.create_map, self.bpf_reached),
            (lambda: bpf.profile, self.perf_reached),
        )
        for ask, reached in calls:
            try:
                answer = ask()
            except Unavailable:
                continue
            if answer.ok or answer.name not in REFUSALS:
                continue
            if self.filtered and (reached is False or (reached is None and answer.name != "EACCES")):
                return "filter"
            if self.module is not None:
                return "module"
        return "module" if self.closed is not None else ""

    @cached_property
    def closed(self) -> Unavailable | None:
        """The answer of a file in tracefs that a security module keeps closed (EACCES); None where none does. Modes do
        not stop the one who may look, nor does lockdown, which says EPERM.
        """
        privileges = self._machine.privileges
        try:
            if self.module is None or not (privileges.may_look and privileges.initial_user_namespace):
                return None
            self._machine.tracing.event("sched", "sched_process_fork")
        except Unavailable as gap:
            return gap if gap.errno == errno.EACCES else None
        return None

    @cached_property
    def bpf_reached(self) -> bool | None:
        """Whether bpf(2) gets as far as the kernel, past any filter; None where that was not asked."""
        return self._reached(lambda: self._machine.bpf.reached)

    @cached_property
    def perf_reached(self) -> bool | None:
        """The same for perf_event_open(2)."""
        return self._reached(lambda: self._machine.bpf.perf_reached)

    @staticmethod
    def _reached(ask: Callable[[], ProbeResult]) -> bool | None:
        try:
            return ask().name not in REFUSALS
        except Unavailable:
            return None

    @cached_property
    def delegated(self) -> tuple[str, ...]:
        """What the BPF file system at /sys/fs/bpf delegates to this user namespace, such as `delegate_cmds=map_create`:
        a BPF token can be made of it (6.9; kernel/bpf/inode.c, bpf_show_options). () where it delegates nothing.
        """
        try:
            mount = self._machine.tracing.mounts.covering("/sys/fs/bpf")
        except Unavailable:
            return ()
        if mount is None or mount.fstype != "bpf":
            return ()
        return tuple(option for option in mount.super_options if option.startswith("delegate_"))

    @cached_property
    def no_mount(self) -> str:
        """Why this process, were it root, cannot mount a file system of the kernel; empty where nothing is known to
        keep it from that.

        tracefs, debugfs and securityfs are not for user namespaces (no FS_USERNS_MOUNT). The AppArmor profiles of
        Docker and Podman deny mount(2) whatever is held (moby profiles/apparmor/template.go: `deny mount`).
        """
        privileges = self._machine.privileges
        try:
            if not privileges.initial_user_namespace:
                return "a user namespace may not mount it"
            bounded = "CAP_SYS_ADMIN" not in privileges.status.bounding
            if bounded or (privileges.is_root and not privileges.has("CAP_SYS_ADMIN")):
                return "mount(2) requires CAP_SYS_ADMIN"
        except Unavailable:
            return ""
        return f"{self.module.name} refuses mount(2)" if self.module is not None else ""
