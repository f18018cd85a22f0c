"""Machines described in Python: a healthy one, and functions that change one thing about it.

`linux` makes a machine on which everything works for root, as the distribution of that release ships it. Each other
function takes a description, changes it and returns it. What the kernel answers to calls follows from the
capabilities, as kernel/bpf/syscall.c and kernel/events/core.c decide; where something else was seen it is said
beside it.
"""

from __future__ import annotations

import errno
import gzip
from collections.abc import Iterable, Mapping

from kdiag.knowledge.kernel_changes import UPROBES_ASK_FOR_ADMIN
from tests.support import kernel_parts as parts
from tests.support.description import Description, Node

TRACEFS, DEBUGFS, BPFFS, SECURITYFS, SYSFS = 0x74726163, 0x64626720, 0xCAFE4A11, 0x73636673, 0x62656572
TMPFS = 0x01021994

_BITS = {
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_SYS_MODULE": 16,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_SYSLOG": 34,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
ALL_CAPABILITIES = (1 << 41) - 1
#: What Docker and crun give by default.
CONTAINER_CAPABILITIES = 0xA80425FB

_FILESYSTEMS = ("sysfs", "proc", "tracefs", "debugfs", "securityfs", "bpf")
_NAMESPACES = {
    "pid": 4026531836,
    "mnt": 4026531841,
    "ipc": 4026531839,
    "uts": 4026531838,
    "cgroup": 4026531835,
    "user": 4026531837,
}


def mask(*names: str) -> int:
    """The capability mask of these names."""
    return sum(1 << _BITS[name] for name in names)


def without(*names: str) -> int:
    """All capabilities but these."""
    return ALL_CAPABILITIES & ~mask(*names)


def os_release(os_id: str, version: str, pretty: str, **more: str) -> str:
    """/etc/os-release."""
    lines = [f"ID={os_id}", f'VERSION_ID="{version}"', f'PRETTY_NAME="{pretty}"', f'NAME="{pretty}"']
    return "\n".join([*lines, *(f"{key}={value}" for key, value in more.items())]) + "\n"


DEBIAN = {
    "11": os_release("debian", "11", "Debian GNU/Linux 11 (bullseye)"),
    "12": os_release("debian", "12", "Debian GNU/Linux 12 (bookworm)"),
    "13": os_release("debian", "13", "Debian GNU/Linux 13 (trixie)"),
}
UBUNTU_2404 = os_release("ubuntu", "24.04", "Ubuntu 24.04.1 LTS", ID_LIKE="debian")


def linux(
    release: str = "6.12.107+deb13-amd64",
    system: str = DEBIAN["13"],
    *,
    machine: str = "x86_64",
    builder: str = "debian-kernel@lists.debian.org) (gcc (Debian 14.2.0",
    options: Mapping[str, str | None] | None = None,
    config_at: str | None = "/boot/config-{release}",
    paranoid: int = 2,
) -> Description:
    """A machine where all of it works: its root asks, everything is mounted, no headers are installed."""
    numbers = parts.version_numbers(release)
    text = f"Linux version {release} ({builder}) #1 SMP {'.'.join(map(str, numbers))}"
    described = Description(release, machine, "#1 SMP PREEMPT_DYNAMIC")
    described.files(
        {
            "/etc/os-release": system,
            "/proc/version": f"{text}\n",
            "/dev/kmsg": f"5,0,0,-;{text}\n",
            "/proc/cmdline": "root=/dev/vda1 ro quiet\n",
            "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu vme sse2\n",
            "/proc/meminfo": "MemTotal: 4194304 kB\nMemAvailable: 2097152 kB\n",
            "/proc/mounts": "/dev/vda1 / ext4 rw 0 0\n",
            "/proc/modules": "ext4 1 0 - Live 0x0\nxfs 1 0 - Live 0x0\n",
            "/proc/kallsyms": "ffffffff81000000 T _stext\nffffffff81000010 T vfs_open\n" * 8,
            "/proc/filesystems": "".join(f"nodev\t{name}\n" for name in _FILESYSTEMS),
            "/proc/self/mountinfo": "21 1 254:1 / / rw - ext4 /dev/vda1 rw\n22 21 0:21 / /proc rw - proc proc rw\n"
            "23 21 0:22 / /sys rw - sysfs sysfs rw\n",
            "/proc/self/limits": parts.limits(1024),
            "/proc/self/uid_map": "         0          0 4294967295\n",
            "/proc/self/attr/current": "unconfined\n",
            "/sys/module/apparmor/parameters/enabled": "Y\n",
            "/proc/1/environ": b"HOME=/\0",
            "/sys/devices/system/cpu/possible": "0-1\n",
            "/sys/devices/system/cpu/online": "0-1\n",
            "/sys/kernel/security/lsm": "lockdown,capability,yama,apparmor,bpf",
            "/sys/class/dmi/id/sys_vendor": "LENOVO\n",
            "/sys/class/dmi/id/product_name": "20XW\n",
        }
    )
    described.dir("/dev/fd").file("/dev/null", b"", mode=0o666).file("/bin/sh", b"\x7fELF", mode=0o755).file(
        "/usr/bin/python3", _elf_head(machine), mode=0o755
    )
    described.file("/var/lib/dpkg/status", parts.dpkg())
    described.program("modprobe", "/usr/sbin/modprobe").env("HOME", "/root").env("PATH", "/usr/sbin:/usr/bin")
    for name, inode in _NAMESPACES.items():
        described.link(f"/proc/self/ns/{name}", f"{name}:[{inode}]")
    sysctls(
        described,
        unprivileged_bpf_disabled=2,
        perf_event_paranoid=paranoid,
        kptr_restrict=0,
        ftrace_enabled=1,
    )
    # CAP_PERFMON and CAP_BPF came with 5.8, CAP_CHECKPOINT_RESTORE with 5.9.
    sysctls(
        described,
        modules_disabled=0,
        cap_last_cap=40 if numbers >= (5, 9) else 39 if numbers >= (5, 8) else 37,
    )
    described.file("/proc/sys/net/core/bpf_jit_enable", "1\n")
    lockdown(described, "none")
    mounted(described)
    modules(described)
    options = {"FPROBE": "y" if numbers >= (6, 4) else None, **(options or {})}
    if config_at is not None:
        arch = "arm64" if machine == "aarch64" else "x86"
        made = parts.config(".".join(map(str, numbers)), options, arch=arch)
        path = config_at.format(release=release)
        described.file(path, gzip.compress(made.encode(), mtime=0) if path.endswith(".gz") else made)
    with_btf(described)
    return answers(described)


def _elf_head(machine: str) -> bytes:
    number = {"x86_64": 62, "aarch64": 183, "mips64": 8}[machine]
    return b"\x7fELF\2\1\1" + bytes(9) + (2).to_bytes(2, "little") + number.to_bytes(2, "little") + bytes(44)


def sysctls(described: Description, **values: int) -> Description:
    """Sysctls below kernel."""
    for name, value in values.items():
        described.file(f"/proc/sys/kernel/{name}", f"{value}\n")
    return described


def lockdown(described: Description, mode: str) -> Description:
    """The lockdown mode, in securityfs. Confidentiality also closes tracefs and debugfs (seen on 6.12)."""
    modes = [f"[{name}]" if name == mode else name for name in ("none", "integrity", "confidentiality")]
    described.mount("/sys/kernel/security", SECURITYFS).file(
        "/sys/kernel/security/lockdown", " ".join(modes) + "\n"
    )
    if mode == "confidentiality":
        described.probe("bpf:read-kernel", errno.EINVAL)
        for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
            for path in [
                p for p, node in described.nodes.items() if p.startswith(f"{place}/") and node.kind == "file"
            ]:
                described.refuse(path, errno.EPERM)
    return described


# -- tracing file systems --------------------------------------------------------------------------------------------


def mounted(described: Description, *, tracefs: bool = True, debugfs: bool = True) -> Description:
    """tracefs and debugfs; with debugfs the kernel mounts tracefs below it by itself."""
    described.remove("/sys/kernel/tracing", "/sys/kernel/debug")
    described.mount("/sys/kernel/tracing", TRACEFS if tracefs else SYSFS).mount("/sys/fs/bpf", BPFFS)
    described.mount("/sys/kernel/debug", DEBUGFS if debugfs else SYSFS)
    places = ["/sys/kernel/tracing"] if tracefs else []
    if debugfs:
        described.mount("/sys/kernel/debug/tracing", TRACEFS).file("/sys/kernel/debug/kprobes/enabled", "1\n")
        described.file("/sys/kernel/debug/kprobes/blacklist", "0xffffffff81000000-0xffffffff81000010\tint3\n")
        places.append("/sys/kernel/debug/tracing")
    for place in places:
        for name, text in {
            "kprobe_events": "",
            "uprobe_events": "",
            "available_events": "syscalls:sys_enter_openat\n",
            "available_filter_functions": "vfs_open\nvfs_read\n",
            **{
                f"events/{event}/{name}": text
                for event, files in parts.EVENTS.items()
                for name, text in files.items()
            },
        }.items():
            described.file(f"{place}/{name}", text)
    for pmu in ("software", "tracepoint", "kprobe", "uprobe", "breakpoint", "cpu"):
        described.dir(f"/sys/bus/event_source/devices/{pmu}")
    if parts.version_numbers(described.release) >= (4, 20):
        described.file("/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset", "config:32-63\n")
        described.file("/sys/bus/event_source/devices/uprobe/type", "8\n")
    return described


def unmounted(described: Description) -> Description:
    """Neither tracefs nor debugfs: empty directories of sysfs."""
    return mounted(described, tracefs=False, debugfs=False)


# -- kernel ----------------------------------------------------------------------------------------------------------


def with_btf(described: Description) -> Description:
    """BTF as this release serves it: modules' from 5.11 on, ENUM64 from 6.0 on."""
    numbers = parts.version_numbers(described.release)
    base = parts.btf(enum64=numbers >= (6, 0))
    described.file("/sys/kernel/btf/vmlinux", base, mode=0o444)
    if numbers >= (5, 11):
        described.file("/sys/kernel/btf/xfs", parts.module_btf(base), mode=0o444)
    return described


def without_btf(described: Description) -> Description:
    """A kernel built without BTF."""
    described.remove("/sys/kernel/btf")
    described.lacks.add("btf")
    return described.probe("bpf:btf-ids", errno.ENOENT)


def modules(described: Description, *names: str) -> Description:
    """The module directory of the running kernel, with these modules besides ext4 and xfs."""
    base = f"/lib/modules/{described.release}"
    listed = "".join(f"kernel/{name}.ko:\n" for name in ("fs/ext4", "fs/xfs", *names))
    return described.files(
        {f"{base}/modules.dep": listed, f"{base}/modules.builtin": "kernel/lib/crc32.ko\n"}
    )


def kheaders(described: Description, state: str, *, arch: str = "x86") -> Description:
    """Headers in the kernel. state: `module` (installed, not loaded), `loaded`, `builtin`, `not-installed`."""
    archive = parts.archive(described.release, arch)
    if state in ("module", "loaded"):
        modules(described, "kernel/kheaders")
        described.file(
            f"/lib/modules/{described.release}/kernel/kernel/kheaders.ko", parts.kheaders_module(archive)
        )
    if state in ("loaded", "builtin"):
        described.file("/sys/kernel/kheaders.tar.xz", archive, mode=0o444)
    if state == "loaded":
        described.file("/proc/modules", "kheaders 1 0 - Live 0x0\next4 1 0 - Live 0x0\n")
    return described


#: Kinds of links, since when, and what a kernel says that knows them.
_LINKS = (
    ("uprobe-multi", (6, 6), errno.EBADF),
    ("kprobe-session", (6, 10), errno.ESRCH),
    ("uprobe-session", (6, 13), errno.EBADF),
)


def refuse_calls(described: Description, number: int, *probes: str) -> Description:
    """These calls end in this errno."""
    for name in probes:
        described.probe(name, number, "load")
    return described


def answers(
    described: Description, effective: int = ALL_CAPABILITIES, *, in_machine: bool = True
) -> Description:
    """What bpf(2) and perf_event_open(2) say to a process with these capabilities.

    in_machine: False for capabilities of a user namespace.
    """
    numbers = parts.version_numbers(described.release)
    held = effective if in_machine else 0
    admin = bool(held & mask("CAP_SYS_ADMIN"))
    bpf = admin or bool(held & mask("CAP_BPF"))
    trace = admin or held & mask("CAP_BPF", "CAP_PERFMON") == mask("CAP_BPF", "CAP_PERFMON")
    level = int(described.nodes["/proc/sys/kernel/perf_event_paranoid"].data)
    perf = admin or (bool(held & mask("CAP_PERFMON")) and level < 3)
    denied = errno.EPERM
    described.probe("bpf:map", 0 if bpf else denied)
    listed = 0 if numbers >= (5, 11) and "btf" not in described.lacks else errno.ENOENT
    described.probe("bpf:btf-ids", listed if admin else denied)
    described.probe("bpf:memcg", (0 if numbers >= (5, 11) else errno.EINVAL) if bpf else denied)
    described.probe("bpf:read-kernel", 0 if trace else denied)
    for kind in ("kprobe", "tracepoint", "perf_event", "raw_tracepoint"):
        described.probe(f"bpf:prog:{kind}", 0 if trace else denied)
    runs = (0, "run") if numbers >= (5, 10) else (524, "run")
    described.probe("bpf:test-run", *(runs if trace else (denied, "load")))
    described.probe("bpf:ring-buffer", (0 if numbers >= (5, 8) else errno.EINVAL) if bpf else denied)
    for name, since, known in _LINKS:
        answer = (known, "attach") if numbers >= since else (errno.EINVAL, "load")
        described.probe(f"bpf:{name}", *(answer if trace else (denied, "load")))
    multi = (errno.ESRCH, "attach") if numbers >= (6, 4) else (errno.EINVAL, "load")
    described.probe("bpf:kprobe-multi", *(multi if trace else (denied, "load")))
    for name in (f"bpf:fentry:{parts.FENTRY_TEST}", f"bpf:iter:{parts.ITER_TASK}"):
        described.probe(name, 0 if trace else denied, "" if trace else "load")
    for name in ("perf:profile", "perf:bpf-output", "perf:hardware"):
        described.probe(name, 0 if perf else errno.EACCES)
    own = admin or not UPROBES_ASK_FOR_ADMIN.is_in(numbers)
    described.probe("perf:uprobe:8", errno.EINVAL if perf and own else errno.EACCES)
    described.file("/proc/self/status", parts.process_status(effective, effective))
    return described


# -- who asks --------------------------------------------------------------------------------------------------------


def user(described: Description, effective: int = 0, *, uid: int = 1000) -> Description:
    """Somebody who is not root, perhaps with ambient capabilities; only those of DAC let them into tracefs."""
    described.uid = uid
    answers(described, effective)
    described.file("/proc/self/status", parts.process_status(effective, ALL_CAPABILITIES))
    if not effective & mask("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"):
        described.close("/sys/kernel/tracing").close("/sys/kernel/debug")
    return described


def bounded(described: Description, bounding: int = CONTAINER_CAPABILITIES) -> Description:
    """A process that has no capabilities, and whose bounding set has only these: what sudo could give."""
    return described.file("/proc/self/status", parts.process_status(0, bounding))


def userns(described: Description) -> Description:
    """`unshare -Ur`: root of a user namespace, with every capability in it and none outside."""
    described.file("/proc/self/uid_map", "         0       1000          1\n").link(
        "/proc/self/ns/user", "user:[4026532201]"
    )
    answers(described, in_machine=False)
    return described.close("/sys/kernel/tracing").close("/sys/kernel/debug")


def container(
    described: Description, effective: int = CONTAINER_CAPABILITIES, *, kind: str = "docker"
) -> Description:
    """An OCI container: a new sysfs without tracefs, own namespaces, the image's files only."""
    for name in ("pid", "ipc", "uts", "cgroup"):
        described.link(f"/proc/self/ns/{name}", f"{name}:[4026533000]")
    described.file({"docker": "/.dockerenv", "podman": "/run/.containerenv"}.get(kind, f"/run/{kind}"))
    described.remove(
        "/lib/modules",
        f"/boot/config-{described.release}",
        "/sys/kernel/security/lockdown",
        "/sys/kernel/security/lsm",
    )
    described.mount("/sys/kernel/security", SYSFS)
    unmounted(described)
    described.mount("/sys/fs/bpf", SYSFS)
    answers(described, effective)
    described.programs.pop("modprobe", None)
    return described.remove("/usr/sbin/modprobe")


# -- tools -----------------------------------------------------------------------------------------------------------


def installed(described: Description, *packages: tuple[str, str] | str) -> Description:
    """Packages in dpkg's database."""
    status = "/var/lib/dpkg/status"
    return described.file(
        status, described.nodes[status].data + b"\n" + parts.dpkg(*packages).split("\n\n", 1)[1].encode()
    )


#: libbpf of the Debian release that packages this bpftrace.
_LIBBPF = {"0.11.3": "0.3.0", "0.17.0": "1.1.0", "0.23.2": "1.5.0", "0.27.1": "1.6.2"}


def bpftrace(described: Description, version: str) -> Description:
    """Debian's bpftrace of this version, with the libbpf that goes with it. Debian strips it of all names but two."""
    described.program("bpftrace", "/usr/bin/bpftrace")
    described.file("/usr/bin/bpftrace", parts.program("BEGIN_trigger", "END_trigger"), mode=0o755)
    described.command("/usr/bin/bpftrace --version", f"bpftrace v{version}\n")
    library = _LIBBPF.get(version, "1.5.0")
    described.file(f"/usr/lib/x86_64-linux-gnu/libbpf.so.{library}", b"\x7fELF")
    return installed(described, ("bpftrace", f"{version}-1"))


def bcc_starts(described: Description, *, status: int = 0, stderr: str = "") -> Description:
    """One of BCC's tools as Debian has it, and what its interpreter says of the module."""
    described.file("/usr/sbin/execsnoop-bpfcc", "#!/usr/bin/python3\n", mode=0o755)
    described.commands["/usr/bin/python3", "-IBc", "import bcc"] = (status, "", stderr)
    return described


# -- headers ---------------------------------------------------------------------------------------------------------


def put(described: Description, directory: str, files: Iterable[tuple[str, str]]) -> Description:
    """Files below a directory."""
    return described.files({f"{directory}/{name}": text for name, text in files})


def tree(described: Description, directory: str, *, release: str = "", arch: str = "x86") -> Description:
    """A complete header tree in a directory."""
    return put(described, directory, parts.tree(release or described.release, arch).items())


def debian_headers(described: Description, which: str = "both") -> Description:
    """Debian's two packages and kbuild, or one half of them. The links belong to the architecture's half."""
    release = described.release
    abi, _, flavour = release.rpartition("-")
    shared, own = f"/usr/src/linux-headers-{abi}-common", f"/usr/src/linux-headers-{release}"
    if which in ("both", "common"):
        put(described, shared, parts.common().items())
        installed(described, f"linux-headers-{abi}-common")
    if which in ("both", "arch"):
        put(described, own, parts.generated(release).items())
        described.file(f"{own}/.config", "CONFIG_BPF=y\n").file(
            f"{own}/arch/x86/include/generated/uapi/asm/types.h", ""
        )
        if parts.version_numbers(release) >= (6, 12):
            described.file(f"{own}/vmlinux", parts.btf_elf(parts.btf()))
        base = f"/lib/modules/{release}"
        described.link(f"{base}/build", own).link(f"{base}/source", shared)
        kbuild = "5.10" if release.startswith("5.10.") else "6.1" if release.startswith("6.1.") else abi
        installed(described, f"linux-headers-{release}", f"linux-kbuild-{kbuild}", f"linux-headers-{flavour}")
    return described


def libc_headers(described: Description) -> Description:
    """libc6-dev and linux-libc-dev: user-space headers."""
    described.files(
        {
            "/usr/include/linux/types.h": "",
            "/usr/include/linux/sched.h": "",
            "/usr/include/x86_64-linux-gnu/asm/types.h": "",
            "/usr/include/x86_64-linux-gnu/sys/socket.h": "",
        }
    )
    return installed(described, "linux-libc-dev", "libc6-dev")


def huge(data: bytes, size: int) -> Node:
    """A file that says to be larger than it is."""
    return Node("file", data, size=size)
