"""Machines on which bpftrace was seen running: kernels booted in the lab, and what was taken away from them.

What it did there is in `tests/observations`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description


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


def debian_6_12(**more: int) -> Description:
    """Debian 13's kernel; its perf_event_paranoid is 3."""
    return machines.linux(paranoid=3, **more)  # type: ignore[arg-type]


def nspawn() -> Description:
    """systemd-nspawn's default: no CAP_SYS_ADMIN over the host, a seccomp filter, own mounts."""
    described = machines.container(
        debian_6_12(), 0xFDECAFFF & machines.without("CAP_BPF", "CAP_PERFMON"), kind="nspawn"
    )
    described.file("/run/systemd/container", "systemd-nspawn\n")
    described.file("/proc/self/status", parts.process_status(0xFDECAFFF, 0xFDECAFFF, seccomp=2))
    for name in described.probes:
        described.probe(name, errno.EPERM)
    return described


def hidden_btf() -> Description:
    """A tmpfs over /sys/kernel/btf: the file is gone, the kernel still lists its BTF objects."""
    return debian_6_12().remove("/sys/kernel/btf").dir("/sys/kernel/btf")


def empty_sys() -> Description:
    described = debian_6_12()
    for path in [p for p in described.nodes if p.startswith("/sys/")]:
        described.remove(path)
    described.mounts.clear()
    for name in ("bpf:map", "perf:bpf-output", "perf:profile"):
        described.probe(name)
    return described.dir("/sys")


def no_proc() -> Description:
    described = debian_6_12()
    for path in [p for p in described.nodes if p.startswith("/proc/")]:
        described.remove(path)
    return described.dir("/proc")


def lab_without_kprobes() -> Description:
    """The lab's kernel without CONFIG_KPROBES, which has fprobe and uprobes."""
    tracefs = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
    gone = ("/sys/bus/event_source/devices/kprobe", *(f"{place}/kprobe_events" for place in tracefs))
    return lab().remove(*gone)


def debian_5_10() -> Description:
    return machines.linux(
        "5.10.0-32-amd64", machines.DEBIAN["11"], options={"DEBUG_INFO_BTF_MODULES": None}, paranoid=3
    )


def debian_6_1() -> Description:
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


#: By the names that data use.
BY_NAME: dict[str, Callable[..., Description]] = {
    "lab": lab,
    "lab-without-kprobes": lab_without_kprobes,
    "extracted": extracted,
    "wrong-variable": wrong_variable,
    "split-tree": split_tree,
    "debian-5.10": debian_5_10,
    "debian-6.1": debian_6_1,
    "debian-6.12": debian_6_12,
    "hidden-btf": hidden_btf,
    "empty-sys": empty_sys,
    "nspawn": nspawn,
    "microvm": microvm,
}
