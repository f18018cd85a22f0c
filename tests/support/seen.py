"""What was seen: booted kernels with the bpftrace packages of four Debian releases, in many situations.

Each row is a situation, each cell what bpftrace did there; the machines are described with `machines`. A cell
that nobody saw, or that ended without an answer (killed after minutes of compiling), is None.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial

from kdiag.model import Works
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description

VERSIONS = ("0.11.3", "0.17.0", "0.23.2", "0.27.1")

YES = frozenset({Works.WORKS})
NO = frozenset({Works.FAILS})
#: Part of what the capability means works: some headers compile, some of the stock tools run.
PART = frozenset({Works.CAVEAT})
#: It worked, with complaints, or the part that does not work is beside the point.
MOSTLY = frozenset({Works.WORKS, Works.CAVEAT})
#: Nothing works, or only what needs nothing of what is missing.
LITTLE = frozenset({Works.FAILS, Works.CAVEAT})

Cell = frozenset[Works] | None
Build = Callable[[], Description]
TRACEPOINTS = ("tracepoint-args", "tracepoint-net", "tracepoint-sched")


def lab(**btf: bool) -> Description:
    """The lab's kernel: 6.12.107 built with IKHEADERS=m, its module not installed."""
    described = machines.linux(
        "6.12.107", options={"IKHEADERS": "m"}, config_at="/lib/modules/{release}/config"
    )
    return described if btf.get("btf", True) else machines.without_btf(described)


def extracted(*, also_build: bool = True, **btf: bool) -> Description:
    """kheaders unpacked into a directory, and the variables set to it."""
    described = machines.tree(lab(**btf), "/tmp/tmp.Xy/h").env("BPFTRACE_KERNEL_SOURCE", "/tmp/tmp.Xy/h")
    return described.env("BPFTRACE_KERNEL_BUILD", "/tmp/tmp.Xy/h") if also_build else described


def wrong_variable() -> Description:
    """The recipe that is passed around, on a machine with the module loaded and the archive unpacked."""
    described = machines.tree(machines.kheaders(lab(), "loaded"), "/tmp/tmp.Xy")
    path = "/tmp/tmp.Xy/usr/src/linux-headers-6.12.107"
    return described.env("BPFTRACE_KERNEL_SOURCE", path).env("BPFTRACE_KERNEL_BUILD", path)


def link_to_tree() -> Description:
    return machines.tree(lab(), "/opt/h").link("/lib/modules/6.12.107/build", "/opt/h")


def build_variable_alone() -> Description:
    return machines.tree(lab(), "/opt/h").env("BPFTRACE_KERNEL_BUILD", "/opt/h")


def split_tree(release: str, arch: str = "x86") -> Description:
    """Another kernel's split packages, as Debian has them, and both variables set to its halves."""
    described = machines.put(
        lab(), "/usr/src/other-common", {**parts.common("x86"), **parts.common(arch)}.items()
    )
    made = {**parts.generated(release), f"arch/{arch}/include/generated/uapi/asm/types.h": ""}
    described = machines.put(described, "/usr/src/other", made.items())
    return described.env("BPFTRACE_KERNEL_SOURCE", "/usr/src/other-common").env(
        "BPFTRACE_KERNEL_BUILD", "/usr/src/other"
    )


# Situation -> (its machine, {capability: what each of VERSIONS did}).
HEADERS: dict[str, tuple[Build, dict[str, tuple[Cell, Cell, Cell, Cell]]]] = {
    "none": (
        lab,
        {
            "hello": (YES, YES, YES, YES),
            "tracepoints": (NO, YES, YES, YES),
            "struct": (NO, YES, YES, YES),
            "fentry": (NO, YES, YES, YES),
            "include": (NO, NO, NO, NO),
            # 0.17: opensnoop, execsnoop, dcsnoop work; runqlat and tcpconnect do not.
            "stock-tools": (NO, PART, YES, YES),
        },
    ),
    "kheaders unpacked, right BPFTRACE_KERNEL_SOURCE": (
        partial(extracted, also_build=False),
        {
            "hello": (YES, YES, YES, YES),
            "tracepoints": (YES, YES, YES, YES),
            "struct": (NO, YES, YES, YES),
            # 0.17: linux/path.h compiles, linux/sched.h stops at __aligned_u64. 0.27 prints that and works.
            "include": (YES, PART, MOSTLY, MOSTLY),
            # 0.17: tcpconnect lacks sys/socket.h, of libc6-dev.
            "stock-tools": (YES, PART, YES, YES),
        },
    ),
    "kheaders unpacked, both variables right": (
        extracted,
        {"include": (YES, PART, MOSTLY, MOSTLY)},
    ),
    "right BPFTRACE_KERNEL_SOURCE and libc6-dev": (
        lambda: machines.libc_headers(extracted(also_build=False)),
        {
            "include": (YES, PART, MOSTLY, MOSTLY),
            "stock-tools": (YES, MOSTLY, YES, YES),
        },
    ),
    "libc6-dev alone": (
        lambda: machines.libc_headers(lab()),
        {
            "tracepoints": (NO, YES, YES, YES),
            # 0.27 takes the type from BTF: linux/sched.h of /usr/include works, headers that are not there do not.
            "include": (NO, NO, NO, LITTLE),
            # 0.17: runqlat fails; those without includes work.
            "stock-tools": (NO, PART, YES, YES),
        },
    ),
    "both variables to a directory that is not there": (
        wrong_variable,
        {
            "hello": (NO, YES, YES, YES),
            "tracepoints": (NO, NO, NO, YES),
            "struct": (NO, NO, YES, YES),
            "fentry": (NO, NO, YES, YES),
            "include": (NO, NO, NO, NO),
            "stock-tools": (NO, NO, NO, YES),
        },
    ),
    # 0.11 does not know the second variable: the common half alone has no generated/autoconf.h.
    "both variables to another release's split packages": (
        partial(split_tree, "6.1.0-50-amd64"),
        {
            "hello": (NO, YES, YES, YES),
            "tracepoints": (NO, YES, YES, YES),
            "struct": (NO, YES, YES, YES),
            "include": (NO, MOSTLY, None, MOSTLY),
        },
    ),
    "both variables to another architecture's split packages": (
        partial(split_tree, "6.12.107", "arm64"),
        {
            "hello": (NO, YES, YES, YES),
            "tracepoints": (NO, YES, YES, YES),
            "struct": (NO, YES, YES, YES),
            "include": (NO, NO, NO, NO),
        },
    ),
    "BPFTRACE_KERNEL_BUILD alone": (
        build_variable_alone,
        {"include": (NO, NO, NO, NO)},
    ),
    "module installed, nothing loaded": (
        lambda: machines.kheaders(lab(), "module"),
        {
            # 0.11.3 loads and unpacks by itself.
            "include": (YES, NO, NO, NO),
            "stock-tools": (MOSTLY, None, YES, YES),
        },
    ),
    "module loaded, not unpacked": (
        lambda: machines.kheaders(lab(), "loaded"),
        {"include": (None, NO, NO, NO)},
    ),
    "unpacked to /tmp/kheaders-R": (
        lambda: machines.tree(lab(), "/tmp/kheaders-6.12.107"),
        {"include": (YES, NO, NO, NO)},
    ),
    "/lib/modules/R/build -> unpacked": (
        link_to_tree,
        {
            "hello": (YES, YES, YES, YES),
            "tracepoints": (YES, YES, YES, YES),
            "include": (YES, PART, MOSTLY, None),
        },
    ),
    "/lib/modules/R/build dangling": (
        lambda: lab().link("/lib/modules/6.12.107/build", "/usr/src/gone"),
        {
            "struct": (NO, YES, YES, YES),
            "include": (NO, NO, NO, NO),
        },
    ),
    # -- the same kernel without BTF
    "no BTF, none": (
        partial(lab, btf=False),
        {
            "tracepoints": (NO, NO, NO, NO),
            "include": (NO, NO, NO, NO),
            "struct": (NO, NO, NO, NO),
            "fentry": (NO, NO, NO, NO),
        },
    ),
    "no BTF, right variables": (
        partial(extracted, btf=False),
        {
            "tracepoints": (YES, YES, YES, NO),
            "include": (YES, YES, YES, None),
            "struct": (NO, NO, NO, NO),
            "fentry": (NO, NO, NO, NO),
        },
    ),
    "no BTF, module installed": (
        lambda: machines.kheaders(lab(btf=False), "module"),
        {"tracepoints": (YES, YES, NO, NO)},
    ),
}  # fmt: skip


# -- restricted environments, on Debian's 6.12 ----------------------------------------------------------


def debian(**more: int) -> Description:
    """Debian 13's kernel; its perf_event_paranoid is 3."""
    return machines.linux(paranoid=3, **more)  # type: ignore[arg-type]


def capable(*missing: str) -> Description:
    """Root without these capabilities."""
    return machines.answers(debian(), machines.without(*missing))


def nspawn() -> Description:
    """systemd-nspawn's default: no CAP_SYS_ADMIN over the host, a seccomp filter, own mounts."""
    described = machines.container(
        debian(), 0xFDECAFFF & machines.without("CAP_BPF", "CAP_PERFMON"), kind="nspawn"
    )
    described.file("/run/systemd/container", "systemd-nspawn\n")
    described.file("/proc/self/status", parts.process_status(0xFDECAFFF, 0xFDECAFFF, seccomp=2))
    for name in described.probes:
        described.probe(name, errno.EPERM)
    return described


def nspawn_opened() -> Description:
    """systemd-nspawn --capability=all --system-call-filter=bpf,perf_event_open --bind=/sys/kernel/tracing."""
    described = machines.container(debian(), machines.ALL_CAPABILITIES, kind="nspawn").file(
        "/run/systemd/container", "systemd-nspawn\n"
    )
    return machines.mounted(described, debugfs=False)


def hidden_btf() -> Description:
    """A tmpfs over /sys/kernel/btf: the file is gone, the kernel still lists its BTF objects."""
    return debian().remove("/sys/kernel/btf").dir("/sys/kernel/btf")


def empty_sys() -> Description:
    described = debian()
    for path in [p for p in described.nodes if p.startswith("/sys/")]:
        described.remove(path)
    described.mounts.clear()
    for name in ("bpf:map", "perf:bpf-output", "perf:profile"):
        described.probe(name)
    return described.dir("/sys")


def no_proc() -> Description:
    described = debian()
    for path in [p for p in described.nodes if p.startswith("/proc/")]:
        described.remove(path)
    return described.dir("/proc")


def mount_namespace() -> Description:
    """unshare -mpf --mount-proc: a pid namespace of its own."""
    return debian().link("/proc/self/ns/pid", "pid:[4026532300]")


def no_kprobes() -> Description:
    """The lab's kernel without CONFIG_KPROBES, which has fprobe and uprobes."""
    tracefs = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
    gone = ("/sys/bus/event_source/devices/kprobe", *(f"{place}/kprobe_events" for place in tracefs))
    return lab().remove(*gone)


#: B: BEGIN; T: tracepoint with args; K: kprobe; S: struct. Columns 0.17.0, 0.23.2, 0.27.1.
RESTRICTED: dict[str, tuple[Build, dict[str, tuple[Cell, Cell, Cell]]]] = {
    "user": (
        lambda: machines.user(debian()),
        {"B": (NO, NO, NO), "T": (NO, NO, NO), "K": (NO, NO, NO), "S": (NO, NO, NO)},
    ),
    "user with ambient CAP_BPF, CAP_PERFMON": (
        lambda: machines.user(debian(), machines.mask("CAP_BPF", "CAP_PERFMON")),
        {"B": (NO, NO, NO), "T": (NO, NO, NO)},
    ),
    "user with ambient CAP_SYS_ADMIN and DAC": (
        lambda: machines.user(debian(), machines.mask("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")),
        {"B": (NO, NO, MOSTLY), "T": (NO, NO, MOSTLY), "K": (NO, NO, MOSTLY), "S": (NO, NO, MOSTLY)},
    ),
    "root without CAP_BPF, CAP_SYS_ADMIN": (
        lambda: capable("CAP_BPF", "CAP_SYS_ADMIN"),
        {"B": (NO, NO, NO), "T": (NO, NO, NO), "K": (NO, NO, NO)},
    ),
    "root without CAP_SYS_ADMIN": (
        lambda: capable("CAP_SYS_ADMIN"),
        # 0.17 prints through a perf event, which perf_event_paranoid=3 refuses.
        {"B": (NO, MOSTLY, MOSTLY), "T": (NO, NO, NO), "K": (NO, NO, None)},
    ),
    "root without CAP_PERFMON, CAP_SYS_ADMIN": (
        lambda: capable("CAP_PERFMON", "CAP_SYS_ADMIN"),
        {"B": (NO, NO, NO), "T": (NO, NO, NO), "K": (NO, NO, NO)},
    ),
    "root without CAP_SYS_RESOURCE": (
        lambda: capable("CAP_SYS_RESOURCE"),
        {"B": (MOSTLY, MOSTLY, MOSTLY), "T": (MOSTLY, MOSTLY, MOSTLY), "K": (MOSTLY, MOSTLY, MOSTLY)},
    ),
    "unshare -Ur": (
        lambda: machines.userns(debian()),
        {"B": (NO, NO, None), "T": (NO, NO, None)},
    ),
    "unshare -mpf --mount-proc": (
        mount_namespace,
        {"B": (YES, None, None), "T": (YES, None, None), "K": (YES, None, None), "S": (YES, None, None)},
    ),
    "no tracefs, no debugfs": (
        lambda: machines.unmounted(debian()),
        # K: "open(kprobe_events): No such file", and yet status 0.
        {"B": (YES, YES, NO), "T": (NO, NO, NO), "K": (MOSTLY, MOSTLY, NO), "S": (None, None, NO)},
    ),
    "only tracefs mounted": (
        lambda: machines.mounted(debian(), debugfs=False),
        {"B": (YES, YES, None), "T": (YES, YES, None), "K": (YES, YES, None)},
    ),
    "only debugfs mounted": (
        lambda: machines.mounted(debian(), tracefs=False),
        {"B": (YES, YES, None), "T": (YES, YES, None), "K": (YES, YES, None)},
    ),
    "BTF hidden, no headers": (
        hidden_btf,
        # 0.17 gets BTF by id.
        {"B": (YES, YES, YES), "T": (YES, NO, NO), "K": (YES, None, None), "S": (YES, NO, NO)},
    ),
    "/sys empty": (
        empty_sys,
        {"B": (NO, NO, None), "K": (NO, NO, None)},
    ),
    "chroot with proc and sysfs": (
        lambda: machines.unmounted(debian()),
        {"B": (YES, YES, None), "T": (NO, NO, None)},
    ),
    "lockdown integrity": (
        lambda: machines.lockdown(debian(), "integrity"),
        {"B": (YES, YES, YES), "T": (YES, YES, YES), "K": (YES, YES, YES), "S": (YES, YES, YES)},
    ),
    "lockdown confidentiality": (
        lambda: machines.lockdown(debian(), "confidentiality"),
        {"B": (NO, NO, NO), "T": (NO, NO, NO), "K": (NO, NO, NO), "S": (NO, NO, NO)},
    ),
    "container, default capabilities": (
        lambda: machines.container(debian()),
        {"B": (NO, NO, None), "T": (NO, NO, None), "K": (NO, NO, None)},
    ),
    "container with CAP_BPF, CAP_PERFMON": (
        lambda: machines.container(debian(), machines.CONTAINER_CAPABILITIES | machines.mask("CAP_BPF", "CAP_PERFMON")),
        {"B": (NO, MOSTLY, None), "T": (NO, NO, None)},
    ),
    "container with CAP_SYS_ADMIN": (
        lambda: machines.container(debian(), machines.CONTAINER_CAPABILITIES | machines.mask("CAP_SYS_ADMIN")),
        {"B": (MOSTLY, MOSTLY, None), "T": (NO, NO, None)},
    ),
    "container with all capabilities, nothing mounted": (
        lambda: machines.container(debian(), machines.ALL_CAPABILITIES),
        {"B": (MOSTLY, MOSTLY, None), "T": (NO, NO, None)},
    ),
    "systemd-nspawn": (
        nspawn,
        {"B": (NO, NO, None), "T": (NO, NO, None)},
    ),
    "systemd-nspawn with all of it": (
        nspawn_opened,
        {"B": (MOSTLY, None, None), "T": (MOSTLY, None, None)},
    ),
}  # fmt: skip

LETTERS = {"B": ("hello",), "T": ("tracepoint-args",), "K": ("kprobe",), "S": ("struct",)}


# -- kernels, and halves of header packages -------------------------------------------------------------


def debian_11() -> Description:
    return machines.linux(
        "5.10.0-32-amd64", machines.DEBIAN["11"], options={"DEBUG_INFO_BTF_MODULES": None}, paranoid=3
    )


def debian_12() -> Description:
    return machines.linux("6.1.0-50-amd64", machines.DEBIAN["12"], paranoid=3)


def microvm() -> Description:
    """A microVM guest: no modules, no kprobes, no CAP_SYS_RESOURCE, lockdown=integrity, the function list refuses."""
    options: dict[str, str | None] = {
        "MODULES": "n",
        "KPROBES": "n",
        "KPROBE_EVENTS": None,
        "FPROBE": None,
        "IKCONFIG": "y",
    }
    described = machines.linux(
        "6.18.44-fc-v669",
        machines.DEBIAN["12"],
        builder="root@build",
        options=options,
        config_at="/proc/config.gz",
    )
    described.remove(
        "/lib/modules", "/proc/modules", "/sys/kernel/btf/xfs", "/sys/bus/event_source/devices/kprobe"
    )
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        described.remove(f"{place}/kprobe_events").refuse(f"{place}/available_filter_functions", errno.EPERM)
    machines.answers(machines.lockdown(described, "integrity"), machines.without("CAP_SYS_RESOURCE"))
    described.probe("bpf:kprobe-multi", errno.EOPNOTSUPP, "load").probe("bpf:fentry:5", errno.EPERM, "load")
    return described.probe("perf:hardware", errno.ENOENT).file(
        "/proc/cpuinfo", "flags\t: fpu hypervisor sse\n"
    )


def btf_variable() -> Description:
    return debian_11().env("BPFTRACE_BTF", "/sys/kernel/btf/vmlinux")


def hidden_btf_with_headers() -> Description:
    return machines.debian_headers(hidden_btf())


def elf_variable() -> Description:
    described = hidden_btf_with_headers()
    return described.env("BPFTRACE_BTF", f"/usr/src/linux-headers-{described.release}/vmlinux")


#: (machine, release of bpftrace, {capability: what was seen}).
SEEN: dict[str, tuple[Build, str, dict[str, Cell]]] = {
    "5.10, 0.17: BTF is there and is not found": (
        debian_11,
        "0.17.0",
        {"B": YES, "T": NO, "S": NO, "fentry": NO},
    ),
    "5.10, 0.17 with BPFTRACE_BTF": (btf_variable, "0.17.0", {"B": YES, "S": YES, "fentry": NO}),
    "5.10, 0.17 with both header packages": (
        lambda: machines.debian_headers(debian_11()),
        "0.17.0",
        {"T": YES},
    ),
    "5.10, 0.17 with half of the headers": (
        lambda: machines.debian_headers(debian_11(), "arch"),
        "0.17.0",
        {"B": YES, "T": NO, "S": NO},
    ),
    "5.10, 0.17 with the other half": (
        lambda: machines.debian_headers(debian_11(), "common"),
        "0.17.0",
        {"B": YES, "T": NO, "include": NO},
    ),
    "5.10, 0.23": (debian_11, "0.23.2", {"B": YES, "T": YES, "S": YES, "include": NO, "kprobe-multi": PART}),
    "5.10, 0.27": (debian_11, "0.27.1", {"B": YES, "T": YES, "S": YES, "include": NO}),
    "6.1, 0.17": (debian_12, "0.17.0", {"B": YES, "T": YES, "S": YES, "fentry": YES, "kprobe-multi": PART}),
    "6.1, 0.23": (debian_12, "0.23.2", {"B": YES, "T": YES, "S": YES, "include": NO}),
    "6.1, 0.27": (debian_12, "0.27.1", {"B": YES, "T": YES, "S": YES, "include": NO}),
    "6.12, 0.17": (debian, "0.17.0", {"B": YES, "T": YES, "S": YES, "fentry": YES, "kprobe-multi": YES}),
    "6.12 without kprobes, 0.17": (no_kprobes, "0.17.0", {"K": NO, "kprobe-multi": YES, "fentry": YES}),
    "6.12 without kprobes, 0.23": (no_kprobes, "0.23.2", {"K": NO, "kprobe-multi": YES, "fentry": YES}),
    "6.12 without kprobes, 0.27": (no_kprobes, "0.27.1", {"K": NO, "kprobe-multi": YES, "fentry": YES}),
    "6.12, 0.17 with half of the headers": (
        lambda: machines.debian_headers(debian(), "arch"),
        "0.17.0",
        {"B": YES, "T": NO, "S": NO, "include": NO},
    ),
    "6.12, 0.17 with the other half": (
        lambda: machines.debian_headers(debian(), "common"),
        "0.17.0",
        {"B": YES, "T": YES, "S": YES, "include": NO},
    ),
    "6.12, 0.17 with both": (
        lambda: machines.debian_headers(debian()),
        "0.17.0",
        {"B": YES, "T": YES, "S": YES, "include": PART},
    ),
    "BTF hidden, headers installed, 0.23": (
        hidden_btf_with_headers,
        "0.23.2",
        {"B": YES, "T": YES, "S": YES},
    ),
    "BTF hidden, BPFTRACE_BTF to an ELF file, 0.23": (elf_variable, "0.23.2", {"S": NO}),
    "microVM, 0.17": (
        microvm,
        "0.17.0",
        {"B": MOSTLY, "S": MOSTLY, "fentry": NO, "kprobe": NO, "kprobe-multi": NO, "module-types": NO},
    ),
}


# -- what bpftrace's source decides, not seen running ---------------------------------------------------


def no_modules() -> Description:
    """A kernel without loadable modules."""
    return lab().remove("/proc/modules", "/lib/modules/6.12.107/modules.dep")


def ambient() -> Description:
    """A user with all that 0.25 asks for."""
    return machines.user(lab(), machines.mask("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"))


#: (what decides, machine, capability, {release: what follows}). Boundaries are first tags that contain the commit.
INFERRED: list[tuple[str, Build, str, dict[str, frozenset[Works]]]] = [
    (
        "kconfig.h is included unseen, and clang always runs in 0.24",
        wrong_variable,
        "hello",
        {"0.16.0": NO, "0.23.5": YES, "0.24.2": NO, "0.25.1": YES},
    ),
    (
        "kheaders are unpacked whenever no tree is found",
        lambda: machines.kheaders(lab(), "module"),
        "include",
        {"0.18.1": NO, "0.19.1": MOSTLY, "0.20.3": MOSTLY, "0.20.4": NO, "0.21.2": NO},
    ),
    ("rawtracepoint came with 0.18", lab, "rawtracepoint", {"0.17.1": NO, "0.18.0": YES, "0.27.1": YES}),
    (
        "rawtracepoint needs BTF from 0.24 on",
        partial(lab, btf=False),
        "rawtracepoint",
        {"0.23.5": YES, "0.24.0": NO},
    ),
    (
        "arguments of tracepoints need BTF from 0.25 on",
        partial(extracted, btf=False),
        "tracepoint-args",
        {"0.24.2": YES, "0.25.0": NO},
    ),
    ("capabilities instead of root from 0.25 on", ambient, "hello", {"0.24.2": NO, "0.25.0": YES}),
    (
        "tracefs is opened at start from 0.25 on",
        lambda: machines.unmounted(lab()),
        "hello",
        {"0.24.2": YES, "0.25.0": NO},
    ),
    ("0.25 wants /proc/modules", no_modules, "hello", {"0.24.2": YES, "0.25.1": NO, "0.26.0": YES}),
    (
        "before 0.17 tracefs is looked for below debugfs only",
        lambda: machines.mounted(lab(), debugfs=False),
        "tracepoint-args",
        {"0.16.0": LITTLE, "0.17.1": YES},
    ),
    ("iterators came with 0.12", lab, "iter", {"0.11.3": NO, "0.12.0": YES, "0.23.5": YES}),
    (
        "before 0.16 BEGIN is a uprobe",
        lambda: lab().remove(
            "/sys/bus/event_source/devices/uprobe",
            "/sys/kernel/tracing/uprobe_events",
            "/sys/kernel/debug/tracing/uprobe_events",
        ),
        "hello",
        {"0.15.0": NO, "0.16.0": YES},
    ),
    ("0.17.1 reads the file, 0.17.0 asks by id", debian_11, "tracepoint-args", {"0.17.0": NO, "0.17.1": YES}),
    ("module BTF is read from 0.17 on", lab, "module-types", {"0.16.0": NO, "0.17.1": YES}),
]
