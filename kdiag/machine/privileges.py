"""What the calling process may do: capabilities, namespaces, seccomp, security modules, limits, sysctls."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.machine.surroundings.container import INITIAL_NAMESPACES
from kdiag.machine.text import read_number, read_text
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

#: Capabilities by bit number, include/uapi/linux/capability.h.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)

#: The sysctls that decide over tracing, by their file below /proc/sys (facts: Documentation/admin-guide/sysctl).
SYSCTLS = {
    "kernel.unprivileged_bpf_disabled": "/proc/sys/kernel/unprivileged_bpf_disabled",
    "kernel.perf_event_paranoid": "/proc/sys/kernel/perf_event_paranoid",
    "kernel.kptr_restrict": "/proc/sys/kernel/kptr_restrict",
    "kernel.ftrace_enabled": "/proc/sys/kernel/ftrace_enabled",
    "kernel.modules_disabled": "/proc/sys/kernel/modules_disabled",
    "kernel.yama.ptrace_scope": "/proc/sys/kernel/yama/ptrace_scope",
    "kernel.bpf_stats_enabled": "/proc/sys/kernel/bpf_stats_enabled",
    "net.core.bpf_jit_enable": "/proc/sys/net/core/bpf_jit_enable",
    "net.core.bpf_jit_harden": "/proc/sys/net/core/bpf_jit_harden",
    "net.core.bpf_jit_kallsyms": "/proc/sys/net/core/bpf_jit_kallsyms",
}

_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def capability_names(mask: int) -> frozenset[str]:
    """CAP_ names of a capability mask; bits that this list does not know are named by their number."""
    known = {f"CAP_{name}" for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1}
    return frozenset(
        known | {f"CAP_{bit}" for bit in range(len(CAPABILITIES), mask.bit_length()) if mask >> bit & 1}
    )


class ProcessStatus(NamedTuple):
    """What /proc/self/status shows (man 5 proc_pid_status). seccomp: 0 off, 1 strict, 2 filter."""

    effective: frozenset[str]
    bounding: frozenset[str]
    effective_mask: int
    no_new_privs: bool | None
    seccomp: int | None


class Privileges:
    """Facts about the process that examines the machine; bpftrace started by the same person has the same."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def status(self) -> ProcessStatus:
        """Raises Unavailable without /proc."""
        text = read_text(self._system, "/proc/self/status")
        if text is None:
            raise Unavailable("/proc/self/status is not there: is /proc mounted?")
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        try:
            effective = int(fields["CapEff"], 16)
            bounding = int(fields["CapBnd"], 16)
            seccomp = int(fields["Seccomp"]) if "Seccomp" in fields else None
        except (KeyError, ValueError):
            raise Unavailable("/proc/self/status has no readable CapEff and CapBnd lines") from None
        no_new_privs = fields["NoNewPrivs"].strip() == "1" if "NoNewPrivs" in fields else None
        return ProcessStatus(
            capability_names(effective), capability_names(bounding), effective, no_new_privs, seccomp
        )

    def has(self, capability: str) -> bool:
        """Whether the effective set holds `capability`, such as CAP_BPF."""
        return capability in self.status.effective

    def knows(self, capability: str) -> bool:
        """Whether this kernel has `capability` at all (/proc/sys/kernel/cap_last_cap); true if it does not say."""
        last = self._last_capability
        return last is None or CAPABILITIES.index(capability.removeprefix("CAP_")) <= last

    @cached_property
    def _last_capability(self) -> int | None:
        try:
            return read_number(self._system, "/proc/sys/kernel/cap_last_cap")
        except Unavailable:
            return None

    def lacking(self, *wanted: str, held: frozenset[str] | None = None) -> tuple[str, ...]:
        """Those of these capabilities that are not held: in the effective set, or in `held`. CAP_SYS_ADMIN holds what
        CAP_BPF and CAP_PERFMON do, and is what kernels before 5.8 ask for, which have neither.
        """
        split = {"CAP_BPF", "CAP_PERFMON"}
        held = self.status.effective if held is None else held
        if "CAP_SYS_ADMIN" in held:
            wanted = tuple(name for name in wanted if name not in split)
        elif split & {*wanted} and not self.knows("CAP_BPF"):
            wanted = tuple(dict.fromkeys("CAP_SYS_ADMIN" if name in split else name for name in wanted))
        return tuple(name for name in wanted if name not in held)

    @property
    def is_root(self) -> bool:
        """Effective uid 0, whatever its capabilities. Who may do a thing is asked of the capabilities."""
        return self._system.identity().euid == 0

    @property
    def may_look(self) -> bool:
        """Whether the modes of root's files are no obstacle: for root, and for two capabilities."""
        return self.is_root or self.has("CAP_DAC_OVERRIDE") or self.has("CAP_DAC_READ_SEARCH")

    @cached_property
    def initial_user_namespace(self) -> bool:
        """Whether uid 0 here is uid 0 of the machine (man 7 user_namespaces; kernels without USER_NS have
        no map).

        The inode shows it: a namespace whose map is that of the machine (`unshare --map-users=all`, systemd's
        PrivateUsers=identity) gives no capability over the kernel either.
        """
        if self.user_namespace not in (None, f"user:[{INITIAL_NAMESPACES['user']}]"):
            return False
        text = read_text(self._system, "/proc/self/uid_map")
        if text is None:
            if self._system.stat("/proc/self/status") is None:
                raise Unavailable("/proc is not mounted: the user namespace is not known")
            return True
        return text.split() == ["0", "0", "4294967295"]

    @cached_property
    def rootless(self) -> bool:
        """Whether uid 0 of this user namespace is an ordinary user outside: what a rootless engine maps (one uid,
        `0 1000 1`), and an engine of root does not (a range, as of /etc/subuid).
        """
        fields = self.uid_map.split()
        return len(fields) >= 3 and fields[0] == "0" and fields[1] != "0" and fields[2] == "1"

    @cached_property
    def user_namespace(self) -> str | None:
        """What /proc/self/ns/user names, such as user:[4026531837]; None where it cannot be seen."""
        try:
            link = self._system.lstat("/proc/self/ns/user")
        except Unavailable:
            return None
        return link.target or None if link is not None else None

    @cached_property
    def uid_map(self) -> str:
        """The uid map as written, blanks folded."""
        return " ".join((read_text(self._system, "/proc/self/uid_map") or "").split())

    @cached_property
    def lockdown(self) -> str:
        """none, integrity or confidentiality. Unavailable where securityfs is not mounted or the file not
        readable.
        """
        text = read_text(self._system, "/sys/kernel/security/lockdown")
        if text is not None:
            chosen = text.partition("[")[2].partition("]")[0]
            if chosen in ("none", "integrity", "confidentiality"):
                return chosen
            raise Unavailable(f"/sys/kernel/security/lockdown holds {text!r:.60}")
        if self._machine.tracing.is_mounted("/sys/kernel/security", "securityfs"):
            # securityfs is there and offers no such file: the lockdown LSM is not built in.
            return "none"
        raise Unavailable("/sys/kernel/security/lockdown is not there: securityfs is not mounted")

    @cached_property
    def lockdown_expected(self) -> str | None:
        """What the kernel's configuration and command line ask for at least, where the file cannot be read."""
        config = self._machine.config
        asked = [
            w.partition("=")[2]
            for w in self._machine.kernel.command_line.split()
            if w.startswith("lockdown=")
        ]
        if asked:
            return asked[-1]
        try:
            if config.value("LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY") == "y":
                return "confidentiality"
            if config.value("LOCK_DOWN_KERNEL_FORCE_INTEGRITY") == "y":
                return "integrity"
            if config.value("SECURITY_LOCKDOWN_LSM") in (None, "n"):
                return "none"
        except Unavailable:
            pass
        return None

    @cached_property
    def security_modules(self) -> tuple[str, ...]:
        """Active Linux security modules in order. Unavailable without securityfs."""
        text = read_text(self._system, "/sys/kernel/security/lsm")
        if text is None:
            raise Unavailable("/sys/kernel/security/lsm is not there: securityfs is not mounted")
        return tuple(part for part in text.split(",") if part)

    @cached_property
    def selinux(self) -> str | None:
        """`enforcing`, `permissive`, or None where SELinux is not active."""
        number = read_number(self._system, "/sys/fs/selinux/enforce")
        return None if number is None else ("enforcing" if number else "permissive")

    @cached_property
    def selinux_context(self) -> str | None:
        """The SELinux label of this process, such as system_u:system_r:container_t:s0:c1,c2; None for none.

        The file holds what the module in charge calls the process: AppArmor has no colons.
        """
        text = read_text(self._system, "/proc/self/attr/current", 4096)
        return text if text is not None and text.count(":") >= 3 and " " not in text else None

    @cached_property
    def apparmor(self) -> str | None:
        """The AppArmor profile of this process such as `unconfined`, None where AppArmor is not active."""
        enabled = read_text(self._system, "/sys/module/apparmor/parameters/enabled")
        if enabled != "Y":
            return None
        for path in ("/proc/self/attr/apparmor/current", "/proc/self/attr/current"):
            try:
                profile = read_text(self._system, path)
            except Unavailable:
                continue
            if profile is not None:
                return profile or "unconfined"
        return None

    @cached_property
    def secure_boot(self) -> bool | None:
        """UEFI Secure Boot (the last byte of the EFI variable); None where the machine did not boot through
        UEFI.
        """
        if self._system.stat("/sys/firmware/efi") is None:
            return None
        data = self._system.read(_SECURE_BOOT, 4096)
        if data is None:
            raise Unavailable(
                f"{_SECURE_BOOT} is not there: efivarfs is not mounted, or the firmware has no Secure Boot"
            )
        if len(data) != 5:
            raise Unavailable(f"{_SECURE_BOOT}: {len(data)} bytes instead of 5")
        return data[4] == 1

    def sysctl(self, name: str) -> int | None:
        """A sysctl of `SYSCTLS`, None where this kernel does not have it."""
        return read_number(self._system, SYSCTLS[name])
