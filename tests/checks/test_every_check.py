"""For every finding a machine where it is fine and at least one where it is not, with the word that says why."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kdiag.model import Finding, Report, Status
from tests.support import kernel_parts as parts
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.programs import elf
from tests.support.reports import builtin, report_on

OK, WARN, FAIL, UNKNOWN, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN, Status.SKIP
RELEASE = "6.12.107+deb13-amd64"
TRACING, DEBUG = "/sys/kernel/tracing", "/sys/kernel/debug/tracing"
LIBRARIES, ELF = "/usr/lib/x86_64-linux-gnu", b"\x7fELF"
LINKS = (f"/lib/modules/{RELEASE}/build", f"/lib/modules/{RELEASE}/source")
LIBBCC = "/usr/lib/x86_64-linux-gnu/libbcc.so.0.31.0"
COMMON = "/usr/src/linux-headers-6.12.107+deb13-common"
TREE = f"/usr/src/linux-headers-{RELEASE}"

Change = Callable[[Description], object]
#: (finding, what is changed, the change, status, what it says).
Row = tuple[str, str, Change, Status, str]


def both(path: str) -> tuple[str, str]:
    return f"{TRACING}/{path}", f"{DEBUG}/{path}"


def probes(number: int, *names: str, detail: str = "") -> Change:
    def change(described: Description) -> None:
        for name in names:
            described.probe(name, number, detail)

    return change


def old_libbpf(described: Description) -> None:
    described.remove("/usr/lib/x86_64-linux-gnu/libbpf.so.1.5.0").file(
        "/usr/lib/x86_64-linux-gnu/libbpf.so.0.5.0", b"\x7fELF"
    )


def other_release(described: Description) -> None:
    described.remove("/lib/modules").file("/lib/modules/6.12.108+deb13-amd64/modules.dep")


def debian_in_docker(described: Description) -> None:
    machines.container(described, machines.ALL_CAPABILITIES)


def another_root(described: Description) -> None:
    """A system that is mounted where pods have their host's, and is not this kernel's."""
    mounts = described.nodes["/proc/self/mountinfo"].data.decode()
    described.file("/proc/self/mountinfo", f"{mounts}99 21 254:2 / /host ro - ext4 /dev/vda1 rw\n")
    described.file("/host/etc/os-release", machines.DEBIAN["12"]).dir("/host/usr/bin")


def no_ftrace(**options: str | None) -> Change:
    """Function tracing switched off, on a kernel with these options."""

    def change(described: Description) -> None:
        machines.sysctls(described, ftrace_enabled=0)
        described.file(f"/boot/config-{RELEASE}", parts.config("6.12.107", options))

    return change


def capable(described: Description, *without: str) -> Description:
    """Root, with all capabilities but these."""
    return machines.answers(described, machines.without(*without))


def thumb(described: Description) -> None:
    described.machine = "armv7l"
    head = bytearray(elf("libc.so.6", bits=32, machine=40))
    head[24:28] = (0x15F529).to_bytes(4, "little")
    described.file("/usr/bin/python3", bytes(head), mode=0o755)


def nowhere(change: Change) -> Change:
    """The change, on a kernel whose configuration is not to be had."""

    def both_of(described: Description) -> None:
        change(described)
        described.remove(f"/boot/config-{RELEASE}")

    return both_of


def dead_ftrace(described: Description) -> None:
    for path in both("available_filter_functions"):
        described.refuse(path, errno.ENODEV)


def microvm(described: Description) -> None:
    described.release = "6.18.44-fc-v669"
    described.file("/proc/cpuinfo", "flags\t: hypervisor\n").remove("/sys/class/dmi")


def module(state: str) -> Change:
    """The kheaders module in a state of its own."""

    def change(described: Description) -> None:
        described.remove("/sys/kernel/kheaders.tar.xz")
        described.file("/proc/modules", "ext4 1 0 - Live 0x0\n")
        path = f"/lib/modules/{RELEASE}/kernel/kernel/kheaders.ko"
        if state == "deleted":
            described.remove(path)
        elif state == "disabled":
            machines.sysctls(described, modules_disabled=1)
        elif state == "not allowed":
            machines.answers(described, machines.without("CAP_SYS_MODULE"))
        elif state == "no kmod":
            described.remove("/usr/sbin/modprobe").programs.update(modprobe=None)
        elif state in ("off", "not installed", "cannot tell"):
            machines.modules(described)
            described.remove(path)
            config = {"off": {"IKHEADERS": "n"}, "not installed": {"IKHEADERS": "m"}}.get(state)
            described.remove(f"/boot/config-{RELEASE}")
            if config is not None:
                described.file(f"/boot/config-{RELEASE}", parts.config("6.12.107", config))
            if state == "cannot tell":
                described.remove("/lib/modules", "/usr/src")

    return change


def bcc_tool(name: str, text: str, sched: str = "") -> Change:
    """One of BCC's tools, and the header whose struct it reads."""

    def change(described: Description) -> None:
        described.file(f"/usr/sbin/{name}-bpfcc", f"#!/usr/bin/python3\n{text}\n", mode=0o755)
        if sched:
            described.file(f"{COMMON}/include/linux/sched.h", sched)

    return change


ROWS: list[Row] = [
    # -- bpf and perf
    ("bpf.map", "ENOSYS", probes(errno.ENOSYS, "bpf:map"), FAIL, "ENOSYS"),
    (
        "bpf.map",
        "EPERM for a full root",
        probes(errno.EPERM, "bpf:map"),
        FAIL,
        "seccomp|security module|filter",
    ),
    ("bpf.map", "EACCES", probes(errno.EACCES, "bpf:map"), FAIL, "security module"),
    ("bpf.prog.kprobe", "EINVAL", probes(errno.EINVAL, "bpf:prog:kprobe"), FAIL, "EINVAL"),
    ("bpf.prog.tracepoint", "EINVAL", probes(errno.EINVAL, "bpf:prog:tracepoint"), FAIL, "EINVAL"),
    ("bpf.prog.perf_event", "EINVAL", probes(errno.EINVAL, "bpf:prog:perf_event"), FAIL, "EINVAL"),
    ("bpf.test-run", "before 5.10", probes(524, "bpf:test-run", detail="run"), FAIL, r"5\.10"),
    (
        "bpf.test-run",
        "refused",
        probes(errno.EPERM, "bpf:test-run", detail="load"),
        FAIL,
        "refused|filter|module",
    ),
    ("bpf.prog.raw_tracepoint", "EINVAL", probes(errno.EINVAL, "bpf:prog:raw_tracepoint"), FAIL, "EINVAL"),
    ("bpf.fentry", "no trampolines", probes(524, "bpf:fentry:5", detail="attach"), FAIL, "attach"),
    ("bpf.fentry", "refused", probes(errno.EPERM, "bpf:fentry:5", detail="load"), FAIL, "EPERM"),
    (
        "bpf.fentry",
        "no function tracing",
        probes(errno.EBUSY, "bpf:fentry:5", detail="attach"),
        FAIL,
        "EBUSY",
    ),
    ("bpf.fentry", "JIT off", lambda x: x.file("/proc/sys/net/core/bpf_jit_enable", "0\n"), FAIL, "JIT"),
    ("bpf.fentry", "no BTF", machines.without_btf, FAIL, "BTF"),
    ("bpf.iter", "EINVAL", probes(errno.EINVAL, "bpf:iter:6", detail="load"), FAIL, "EINVAL"),
    ("bpf.loop", "no BTF", machines.without_btf, UNKNOWN, "BTF"),
    (
        "bpf.kprobe_multi",
        "no FPROBE",
        probes(errno.EINVAL, "bpf:kprobe-multi", detail="load"),
        FAIL,
        "EINVAL",
    ),
    ("perf.events", "ENOSYS", probes(errno.ENOSYS, "perf:profile"), FAIL, "PERF_EVENTS"),
    ("perf.output", "EACCES", probes(errno.EACCES, "perf:bpf-output"), FAIL, "EACCES|refused"),
    ("perf.hardware", "a virtual machine", probes(errno.ENOENT, "perf:hardware"), FAIL, "ENOENT"),
    # -- BTF
    ("btf.vmlinux", "absent", machines.without_btf, FAIL, "absent"),
    ("btf.vmlinux", "broken", lambda x: x.file("/sys/kernel/btf/vmlinux", b"BTF"), FAIL, "broken"),
    ("btf.vmlinux", "/sys not mounted", lambda x: x.remove("/sys").dir("/sys"), UNKNOWN, "/sys"),
    ("btf.modules", "broken", lambda x: x.file("/sys/kernel/btf/xfs", b"no"), FAIL, "xfs"),
    ("btf.modules", "none", lambda x: x.remove("/sys/kernel/btf/xfs"), FAIL, "no module"),
    ("btf.fallback", "nowhere", lambda x: x.remove(f"{TREE}/vmlinux"), FAIL, "absent"),
    ("btf.fallback", "no ELF file", lambda x: x.file(f"{TREE}/vmlinux", "text"), FAIL, "ELF"),
    (
        "btf.fallback",
        "no section",
        lambda x: x.file(f"{TREE}/vmlinux", parts.kheaders_module(b"")),
        FAIL,
        r"\.BTF",
    ),
    ("btf.readers", "old libbpf", old_libbpf, FAIL, r"ENUM64.*1\.0"),
    (
        "btf.bpftrace",
        "no BTF at all",
        lambda x: machines.without_btf(x).remove(f"{TREE}/vmlinux"),
        FAIL,
        "no BTF",
    ),
    ("btf.bpftrace", "old libbpf", old_libbpf, FAIL, "too old"),
    (
        "btf.bpftrace",
        "the variable's BTF is what bpftrace never gets through",
        lambda x: x.file("/tmp/x.btf", parts.circular_btf()).env("BPFTRACE_BTF", "/tmp/x.btf"),
        FAIL,
        "is part of itself",
    ),
    ("btf.bpftrace", "the variable is wrong", lambda x: x.env("BPFTRACE_BTF", "/nowhere"), FAIL, "/nowhere"),
    ("btf.variable", "nowhere", lambda x: x.env("BPFTRACE_BTF", "/nowhere"), FAIL, "/nowhere"),
    ("btf.variable", "set and empty", lambda x: x.env("BPFTRACE_BTF", ""), FAIL, "empty"),
    (
        "btf.bpftool",
        "of a kernel before ENUM64",
        lambda x: x.command("/usr/sbin/bpftool version", "bpftool v5.15.0\n"),
        FAIL,
        "ENUM64",
    ),
    ("btf.variable", "an ELF file", lambda x: x.env("BPFTRACE_BTF", f"{TREE}/vmlinux"), FAIL, "ELF"),
    (
        "btf.fentry-test",
        "0.11 and no strlen",
        lambda x: machines.bpftrace(x, "0.11.3"),
        FAIL,
        "strlen.*absent",
    ),
    ("btf.by-id", "5.10", probes(errno.ENOENT, "bpf:btf-ids"), FAIL, "ENOENT"),
    # -- environment
    ("environment.container", "docker", debian_in_docker, WARN, "Docker"),
    ("environment.container", "podman", lambda x: machines.container(x, kind="podman"), WARN, "Podman"),
    (
        "environment.container",
        "nspawn",
        lambda x: x.file("/run/systemd/container", "systemd-nspawn\n"),
        WARN,
        "nspawn",
    ),
    (
        "environment.container",
        "LXC",
        lambda x: x.file("/proc/1/environ", b"A=b\0container=lxc\0"),
        WARN,
        "LXC",
    ),
    ("environment.container", "OpenVZ", lambda x: x.file("/proc/vz/version"), WARN, "OpenVZ"),
    (
        "environment.container",
        "Kubernetes",
        lambda x: x.env("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        WARN,
        "Kubernetes",
    ),
    (
        "environment.container",
        "a pid namespace",
        lambda x: x.link("/proc/self/ns/pid", "pid:[4026532300]"),
        WARN,
        "unknown",
    ),
    ("environment.dev-fd", "absent", lambda x: x.remove("/dev/fd"), FAIL, "/dev/fd"),
    ("environment.dev-null", "absent", lambda x: x.remove("/dev/null"), FAIL, "where it runs clang"),
    (
        "environment.mount-list",
        "/proc with subset=pid",
        lambda x: x.remove("/proc/mounts", "/proc/version"),
        FAIL,
        "cgroup_path",
    ),
    ("environment.mount-list", "left out", lambda x: x.remove("/proc/mounts"), UNKNOWN, "not seen"),
    ("environment.mount-namespace", "absent", lambda x: x.remove("/proc/self/ns/mnt"), FAIL, "-p fails"),
    ("environment.shell", "absent", lambda x: x.remove("/bin/sh"), FAIL, "/bin/sh"),
    ("environment.sysfs", "absent", lambda x: x.remove("/sys/devices"), FAIL, "possible"),
    ("environment.host", "another system's root", another_root, UNKNOWN, "no modules of"),
    ("environment.immutable", "ostree", lambda x: x.file("/run/ostree-booted"), WARN, "ostree"),
    (
        "environment.vm",
        "UML",
        lambda x: x.file("/proc/cpuinfo", "vendor_id\t: User Mode Linux\n"),
        FAIL,
        "User Mode",
    ),
    ("environment.vm", "a microVM", microvm, WARN, "Firecracker"),
    # -- headers
    ("headers.tree", "absent", lambda x: x.remove("/usr/src", *LINKS), FAIL, "no kernel headers"),
    ("headers.tree", "the links dangle", lambda x: x.remove("/usr/src"), FAIL, "dangling"),
    ("headers.tree", "half", lambda x: x.remove(COMMON), FAIL, "-common"),
    (
        "headers.tree",
        "never configured",
        lambda x: x.remove(f"{TREE}/include/generated/autoconf.h"),
        FAIL,
        "generated",
    ),
    (
        "headers.tree",
        "of another release",
        lambda x: x.file(f"{TREE}/include/generated/utsrelease.h", '#define UTS_RELEASE "6.1.0"\n'),
        WARN,
        r"6\.1\.0",
    ),
    (
        "headers.tree",
        "of another architecture",
        lambda x: x.remove(f"{COMMON}/arch").file(f"{COMMON}/arch/arm64/include/a.h"),
        FAIL,
        "arm64|arch/x86",
    ),
    ("headers.tree", "others may write it", lambda x: x.dir(TREE, mode=0o777), WARN, "0777|writable"),
    ("headers.tree", "somebody's", lambda x: x.dir(TREE, uid=1000), WARN, "uid 1000"),
    ("headers.intact", "half", lambda x: x.remove(COMMON), FAIL, "kconfig"),
    (
        "headers.configured",
        "never configured",
        lambda x: x.remove(f"{TREE}/include/generated/autoconf.h"),
        FAIL,
        "autoconf",
    ),
    (
        "headers.bcc",
        "absent",
        lambda x: x.remove("/usr/src", "/sys/kernel/kheaders.tar.xz").file("/proc/modules", ""),
        WARN,
        "kheaders",
    ),
    (
        "headers.bcc-age",
        "a library that does not tell",
        lambda x: x.remove(LIBBCC),
        UNKNOWN,
        "was not seen",
    ),
    *(
        (f"headers.bcc-{what}", "no library", lambda x: x.remove(LIBBCC), UNKNOWN, "was not seen")
        for what in ("namespaces", "structs", "sched")
    ),
    ("tools.bcc-opensnoop", "without fentry", bcc_tool("opensnoop", ""), SKIP, "kprobes"),
    ("tools.bcc-biolatency", "renamed", bcc_tool("biolatency", "b'blk_gone'"), FAIL, "can be probed"),
    (
        "tools.bcc-runqlat",
        "renamed",
        bcc_tool("runqlat", "prev->state", "struct task_struct {\n\tint __state;\n};\n"),
        FAIL,
        "__state",
    ),
    (
        "headers.env",
        "a path that is not there",
        lambda x: x.env("BPFTRACE_KERNEL_SOURCE", "/nowhere"),
        FAIL,
        "/nowhere",
    ),
    ("headers.env", "set and empty", lambda x: x.env("BPFTRACE_KERNEL_SOURCE", ""), FAIL, "empty"),
    ("headers.env", "half a tree", lambda x: x.env("BPFTRACE_KERNEL_SOURCE", TREE), FAIL, "incomplete"),
    ("headers.env", "half a tree for BCC", lambda x: x.env("BCC_KERNEL_SOURCE", COMMON), FAIL, "incomplete"),
    (
        "headers.bcc-env",
        "another architecture",
        lambda x: x.env("ARCH", "arm64"),
        FAIL,
        "BCC compiles for that",
    ),
    ("headers.env", "BCC's", lambda x: x.env("BCC_KERNEL_SOURCE", "/nowhere"), FAIL, "BCC_KERNEL_SOURCE"),
    ("headers.env", "_BUILD alone", lambda x: x.env("BPFTRACE_KERNEL_BUILD", "/usr/src"), WARN, "alone"),
    (
        "headers.package",
        "not installed",
        lambda x: x.file("/var/lib/dpkg/status", parts.dpkg()),
        FAIL,
        "not installed",
    ),
    (
        "headers.package",
        "another kernel's",
        lambda x: x.file("/var/lib/dpkg/status", parts.dpkg("linux-headers-6.1.0-50-amd64")),
        FAIL,
        r"6\.1\.0-50",
    ),
    ("headers.package", "no database", lambda x: x.remove("/var/lib/dpkg"), UNKNOWN, "database"),
    (
        "headers.uapi",
        "mistaken",
        lambda x: machines.libc_headers(x.remove("/usr/src")),
        WARN,
        "linux-libc-dev",
    ),
    # -- kernel
    (
        "kernel.running",
        "two answers",
        lambda x: x.file("/proc/version", "Linux version 6.1.0 (a@b) #1\n"),
        WARN,
        "disagree",
    ),
    (
        "kernel.identity",
        "somebody's own",
        lambda x: setattr(x, "release", "6.5.7-me"),
        UNKNOWN,
        r"6\.5\.7-me",
    ),
    ("kernel.identity", "a vendor's", lambda x: setattr(x, "release", "6.6.16-linuxkit"), WARN, "Docker"),
    (
        "kernel.identity",
        "another distribution's",
        lambda x: x.file("/etc/os-release", machines.UBUNTU_2404),
        WARN,
        "Ubuntu",
    ),
    (
        "kernel.arch",
        "emulated",
        lambda x: x.remove(f"/boot/config-{RELEASE}").file(
            "/proc/config", parts.config("6.12.107", arch="arm64")
        ),
        FAIL,
        "arm64",
    ),
    (
        "kernel.arch",
        "an emulated interpreter",
        lambda x: x.file("/usr/bin/python3", b"\x7fELF\2\1\1" + bytes(11) + b"\xb7\0" + bytes(44)),
        WARN,
        "aarch64|arm64",
    ),
    ("kernel.rebooted", "upgraded", other_release, FAIL, r"6\.12\.108"),
    ("kernel.modules", "no modules", lambda x: x.remove("/proc/modules"), FAIL, "no loadable"),
    (
        "kernel.log",
        "a tool was killed",
        lambda x: x.file("/dev/kmsg", "3,1,1,-;Out of memory: Killed process 99 (bpftrace) total-vm:1kB\n"),
        WARN,
        "killed bpftrace",
    ),
    ("kernel.log", "not to be read", lambda x: x.refuse("/dev/kmsg", errno.EPERM), UNKNOWN, "cannot be read"),
    (
        "kernel.lockdown",
        "confidentiality",
        lambda x: machines.lockdown(x, "confidentiality"),
        FAIL,
        "confidentiality",
    ),
    (
        "kernel.lockdown",
        "not to be seen",
        lambda x: x.remove("/sys/kernel/security").probe("bpf:read-kernel", errno.EPERM),
        UNKNOWN,
        "securityfs|seen",
    ),
    # -- kheaders
    ("kheaders.archive", "not loaded", module("there"), FAIL, "not loaded"),
    (
        "kheaders.archive",
        "broken",
        lambda x: x.file("/sys/kernel/kheaders.tar.xz", b"\xfd7zXZ\0 no"),
        FAIL,
        "broken",
    ),
    (
        "kheaders.archive",
        "another release's",
        lambda x: x.file("/sys/kernel/kheaders.tar.xz", parts.archive("6.1.0")),
        FAIL,
        r"6\.1\.0",
    ),
    (
        "kheaders.archive",
        "another architecture's",
        lambda x: x.file("/sys/kernel/kheaders.tar.xz", parts.archive(RELEASE, "arm64")),
        FAIL,
        "arm64",
    ),
    ("kheaders.module", "loadable", module("there"), WARN, "can be loaded"),
    ("kheaders.module", "modules_disabled", module("disabled"), FAIL, "modules_disabled"),
    ("kheaders.module", "no CAP_SYS_MODULE", module("not allowed"), FAIL, "CAP_SYS_MODULE"),
    ("kheaders.module", "no kmod", module("no kmod"), FAIL, "kmod"),
    ("kheaders.module", "deleted", module("deleted"), FAIL, "gone"),
    ("kheaders.module", "not installed", module("not installed"), FAIL, "not installed"),
    ("kheaders.module", "off", module("off"), FAIL, "off"),
    ("kheaders.module", "cannot tell", module("cannot tell"), UNKNOWN, "cannot tell"),
    ("kheaders.available", "off", module("off"), FAIL, "contains no headers"),
    ("kheaders.available", "cannot tell", module("cannot tell"), UNKNOWN, ""),
    (
        "kheaders.leftover",
        "somebody's",
        lambda x: x.dir(f"/tmp/kheaders-{RELEASE}", uid=1000),
        FAIL,
        "uid 1000",
    ),
    (
        "kheaders.leftover",
        "emptied, and BCC would take it",
        lambda x: machines.bcc_starts(x.remove(f"/lib/modules/{RELEASE}/build")).dir(
            f"/tmp/kheaders-{RELEASE}"
        ),
        WARN,
        "no longer complete.*kconfig",
    ),
    (
        "headers.user-types",
        "not needed",
        lambda x: machines.bpftrace(x, "0.27.1"),
        SKIP,
        "BTF only",
    ),
    *(
        (
            f"headers.user-{group}",
            "without BTF and kernel headers",
            lambda x: machines.libc_headers(
                machines.without_btf(
                    x.remove(f"/lib/modules/{RELEASE}/build", f"/lib/modules/{RELEASE}/source")
                )
            ),
            status,
            says,
        )
        for group, status, says in (
            ("syscalls", FAIL, "s64, umode_t"),
            ("sched", FAIL, "pid_t"),
            ("sock", OK, "all"),
        )
    ),
    (
        "headers.libc",
        "not installed",
        lambda x: machines.bpftrace(x, "0.17.0"),
        FAIL,
        "sys/socket.h absent",
    ),
    (
        "headers.warning",
        "nothing prints it",
        lambda x: machines.bpftrace(x, "0.27.1"),
        SKIP,
        "prints it",
    ),
    # -- privileges
    ("privileges.root", "a user", machines.user, FAIL, "root"),
    ("privileges.capabilities", "a user", machines.user, FAIL, "CAP_"),
    (
        "privileges.capabilities",
        "root without",
        lambda x: machines.answers(x, machines.without("CAP_SYS_ADMIN", "CAP_BPF")),
        FAIL,
        "CAP_BPF|CAP_SYS_ADMIN",
    ),
    ("privileges.userns", "unshare -Ur", machines.userns, FAIL, "0 1000 1"),
    ("privileges.token", "unshare -Ur", machines.userns, WARN, "no delegate_ option"),
    (
        "privileges.seccomp",
        "a filter",
        lambda x: x.file(
            "/proc/self/status",
            parts.process_status(machines.ALL_CAPABILITIES, machines.ALL_CAPABILITIES, seccomp=2),
        ),
        WARN,
        "2",
    ),
    (
        "privileges.no-new-privs",
        "set",
        lambda x: machines.user(x).file(
            "/proc/self/status", parts.process_status(0, machines.ALL_CAPABILITIES, no_new_privs=1)
        ),
        FAIL,
        "no_new_privs",
    ),
    (
        "privileges.memlock",
        "counted",
        lambda x: machines.answers(x, machines.without("CAP_SYS_RESOURCE")).probe("bpf:memcg", errno.EINVAL),
        WARN,
        "counts on this kernel",
    ),
    ("privileges.lsm", "SELinux", lambda x: x.file("/sys/fs/selinux/enforce", "1"), WARN, "SELinux"),
    (
        "privileges.lsm",
        "AppArmor",
        lambda x: x.file("/proc/self/attr/current", "docker-default (enforce)\n"),
        WARN,
        "AppArmor",
    ),
    (
        "privileges.open-files",
        "few",
        lambda x: x.file("/proc/self/limits", parts.limits(12)),
        WARN,
        "only 12",
    ),
    (
        "privileges.open-files",
        "not shown",
        lambda x: x.remove("/proc/self/limits"),
        UNKNOWN,
        "the kernel.s default",
    ),
    ("privileges.secure-boot", "on", lambda x: x.file(known.SECURE_BOOT, b"\x06\0\0\0\x01"), WARN, "on"),
    ("privileges.secure-boot", "not to be read", lambda x: x.remove(known.SECURE_BOOT), UNKNOWN, "efivarfs"),
    # -- what came late, and namespaces
    ("btf.kfuncs", "no BTF", machines.without_btf, FAIL, "no kfuncs without"),
    (
        "btf.kfuncs",
        "BTF that does not name it",
        lambda x: x.file(
            "/sys/kernel/btf/vmlinux", parts.btf().replace(b"bpf_rcu_read_lock", b"bpf_rcu_read_luck")
        ),
        UNKNOWN,
        "Linux 6.2 and newer have it",
    ),
    ("bpf.ringbuf", "before 5.8", probes(errno.EINVAL, "bpf:ring-buffer"), FAIL, "requires Linux 5.8"),
    ("bpf.ringbuf", "not tried", lambda x: x.probes.pop("bpf:ring-buffer"), UNKNOWN, "not tried"),
    (
        "bpf.uprobe_multi",
        "before 6.6",
        probes(errno.EINVAL, "bpf:uprobe-multi", detail="load"),
        SKIP,
        "one function at a time",
    ),
    (
        "bpf.uprobe_multi",
        "a bpftrace that uses them",
        lambda x: machines.bpftrace(x, "0.20.4"),
        OK,
        "bpftrace 0.20.4 uses them",
    ),
    (
        "bpf.kprobe_session",
        "a bpftrace that does not use them",
        lambda x: machines.bpftrace(x, "0.20.4"),
        OK,
        "bpftrace 0.20.4 does not use them",
    ),
    ("bpf.kprobe_session", "before 6.10", probes(errno.EINVAL, "bpf:kprobe-session"), SKIP, "6.10"),
    (
        "bpf.kprobe_session",
        "built without",
        probes(errno.ENOTSUP, "bpf:kprobe-session"),
        SKIP,
        "CONFIG_FPROBE",
    ),
    ("bpf.uprobe_session", "before 6.13", probes(errno.EINVAL, "bpf:uprobe-session"), SKIP, "6.13"),
    (
        "environment.pid-namespace",
        "a kernel without them",
        lambda x: machines.bpftrace(x, "0.23.2").remove("/proc/self/ns/pid"),
        FAIL,
        "CONFIG_PID_NS",
    ),
    (
        "environment.pids",
        "a namespace of its own",
        lambda x: x.link("/proc/self/ns/pid", "pid:[4026532300]"),
        WARN,
        "PID namespace",
    ),
    (
        "environment.meminfo",
        "/proc with subset=pid",
        lambda x: x.remove("/proc/meminfo").remove("/proc/version"),
        FAIL,
        "cannot size its buffers",
    ),
    # -- tools
    (
        "tools.bpftrace",
        "absent",
        lambda x: x.remove("/usr/bin/bpftrace").programs.pop("bpftrace"),
        FAIL,
        "not installed",
    ),
    (
        "tools.bpftrace",
        "no version",
        lambda x: x.command("/usr/bin/bpftrace --version", "?\n"),
        WARN,
        "release",
    ),
    (
        "tools.bpftrace-start",
        "a library is missing",
        lambda x: x.command(
            "/usr/bin/bpftrace --version",
            status=127,
            stderr="bpftrace: error while loading shared libraries: libLLVM.so.18.1: cannot open shared object file",
        ),
        FAIL,
        "libLLVM",
    ),
    (
        "tools.bpftrace-start",
        "not tried",
        lambda x: x.commands.pop(("/usr/bin/bpftrace", "--version")),
        UNKNOWN,
        "not recorded",
    ),
    (
        "tools.bpftrace-begin",
        "stripped",
        lambda x: machines.bpftrace(x, "0.11.3").file("/usr/bin/bpftrace", parts.program(), mode=0o755),
        FAIL,
        "no BEGIN_trigger",
    ),
    (
        "tools.bcc-start",
        "the module is another Python's",
        lambda x: machines.bcc_starts(
            x, status=1, stderr="Traceback\nModuleNotFoundError: No module named 'bcc'\n"
        ),
        FAIL,
        "No module named 'bcc'",
    ),
    (
        "tools.bpftool-start",
        "a library is gone",
        lambda x: x.command(
            "/usr/sbin/bpftool version", status=127, stderr="libbfd.so: cannot open shared object\n"
        ),
        FAIL,
        "libbfd.so",
    ),
    (
        "tools.bpftool",
        "Ubuntu's wrapper",
        lambda x: x.command(
            "/usr/sbin/bpftool version", status=2, stderr="WARNING: bpftool not found for kernel 6.12\n"
        ),
        WARN,
        "not found for kernel",
    ),
    (
        "tools.bpftool",
        "absent",
        lambda x: x.remove("/usr/sbin/bpftool").programs.pop("bpftool"),
        FAIL,
        "not installed",
    ),
    (
        "tools.bcc",
        "absent",
        lambda x: x.remove("/usr/sbin/execsnoop-bpfcc").programs.pop("execsnoop-bpfcc"),
        FAIL,
        "not installed",
    ),
    (
        "tools.bcc-programs",
        "absent",
        lambda x: x.remove("/usr/sbin/execsnoop-bpfcc").programs.pop("execsnoop-bpfcc"),
        FAIL,
        "not installed",
    ),
    (
        "tools.clang",
        "absent",
        lambda x: x.remove("/usr/bin/clang").programs.pop("clang"),
        SKIP,
        "not installed",
    ),
    # -- tracing
    ("tracing.tracefs", "not mounted", machines.unmounted, FAIL, "not mounted"),
    (
        "tracing.tracefs",
        "not built",
        lambda x: machines.unmounted(x).file("/proc/filesystems", "nodev\tsysfs\n"),
        FAIL,
        "no tracefs",
    ),
    (
        "tracing.tracefs",
        "refuses root",
        lambda x: x.close(TRACING, errno.EPERM).close("/sys/kernel/debug", errno.EPERM),
        FAIL,
        "EPERM",
    ),
    ("tracing.debugfs", "not mounted", lambda x: machines.mounted(x, debugfs=False), WARN, "not mounted"),
    ("tracing.debug-path", "no automount", lambda x: x.remove(DEBUG), WARN, DEBUG),
    ("tracing.own-path", "a plain directory", lambda x: x.mount(TRACING, machines.SYSFS), WARN, "know only"),
    ("tracing.first-path", "something else", lambda x: x.mount(DEBUG, machines.TMPFS), FAIL, "is taken"),
    (
        "tracing.libbpf-path",
        "before 1.0",
        lambda x: x.remove(DEBUG, f"{LIBRARIES}/libbpf.so.1.5.0").file(f"{LIBRARIES}/libbpf.so.0.5.0", ELF),
        FAIL,
        "libbpf 0.5.0",
    ),
    (
        "tracing.bcc-path",
        "of no known release",
        lambda x: x.remove(DEBUG, f"{LIBRARIES}/libbcc.so.0.31.0"),
        UNKNOWN,
        "depends on its release",
    ),
    (
        "tools.bcc-lists",
        "no debugfs",
        lambda x: machines.mounted(x, debugfs=False),
        FAIL,
        "kprobes/blacklist",
    ),
    (
        "tools.bcc-syscalls",
        "addresses are hidden",
        lambda x: x.file("/proc/kallsyms", "0000000000000000 T _stext\n" * 9),
        FAIL,
        "sys_execve",
    ),
    ("tracing.bpffs", "not mounted", lambda x: x.mount("/sys/fs/bpf", machines.SYSFS), WARN, "not mounted"),
    (
        "tracing.kprobes",
        "not built",
        lambda x: x.remove("/sys/bus/event_source/devices/kprobe", *both("kprobe_events")),
        FAIL,
        "no kprobes",
    ),
    (
        "tracing.kprobes",
        "switched off",
        lambda x: x.file("/sys/kernel/debug/kprobes/enabled", "0\n"),
        FAIL,
        "switched off",
    ),
    ("tracing.kprobes", "no function tracing", no_ftrace(), FAIL, "attach and never fire"),
    ("tracing.kprobes", "breakpoints", no_ftrace(KPROBES_ON_FTRACE=None), OK, "are there"),
    ("tracing.kprobes", "of no known build", nowhere(no_ftrace()), UNKNOWN, "cannot be told"),
    ("tracing.kprobes", "ftrace is dead", dead_ftrace, FAIL, "do not attach"),
    ("tracing.ftrace", "off", no_ftrace(), FAIL, "never fire"),
    ("tracing.ftrace", "dead", dead_ftrace, FAIL, "next boot"),
    ("tracing.ftrace", "not built", lambda x: x.remove("/proc/sys/kernel/ftrace_enabled"), SKIP, "no switch"),
    (
        "tracing.ftrace",
        "closed",
        lambda x: x.refuse("/proc/sys/kernel/ftrace_enabled", errno.EACCES),
        UNKNOWN,
        "cannot be read",
    ),
    ("bpf.fentry", "function tracing off", no_ftrace(), FAIL, "never fires"),
    ("bpf.fentry", "ftrace is dead", probes(errno.ENODEV, "bpf:fentry:5", detail="attach"), FAIL, "ENODEV"),
    (
        "perf.cpu0",
        "offline",
        lambda x: x.file("/sys/devices/system/cpu/online", "1-3\n"),
        FAIL,
        "1-3 are online",
    ),
    ("perf.cpu0", "only one", lambda x: x.file("/sys/devices/system/cpu/online", "1\n"), FAIL, "1 is online"),
    ("perf.cpu0", "not shown", lambda x: x.remove("/sys/devices/system/cpu/online"), UNKNOWN, "not seen"),
    (
        "perf.uprobes",
        "CAP_PERFMON only",
        lambda x: capable(x, "CAP_SYS_ADMIN").probe("perf:uprobe:8", errno.EACCES),
        FAIL,
        "requires CAP_SYS_ADMIN",
    ),
    (
        "perf.uprobes",
        "as before July 2025",
        lambda x: capable(x, "CAP_SYS_ADMIN").probe("perf:uprobe:8", errno.EINVAL),
        OK,
        "may be opened",
    ),
    (
        "perf.uprobes",
        "no event source",
        lambda x: x.remove("/sys/bus/event_source/devices/uprobe"),
        SKIP,
        "no event source",
    ),
    ("bpf.listing", "CAP_BPF only", probes(errno.EPERM, "bpf:btf-ids"), FAIL, "may not be listed"),
    (
        "tools.bpftool-feature",
        "no CAP_NET_ADMIN",
        lambda x: capable(x, "CAP_NET_ADMIN"),
        UNKNOWN,
        "CAP_NET_ADMIN",
    ),
    ("bpf.listing", "before BTF", probes(errno.EINVAL, "bpf:btf-ids"), UNKNOWN, "not tried"),
    (
        "tracing.usdt-semaphores",
        "before 4.20",
        lambda x: x.remove("/sys/bus/event_source/devices/uprobe/format"),
        FAIL,
        "raises no semaphores",
    ),
    (
        "tracing.usdt-semaphores",
        "not looked at",
        lambda x: x.refuse("/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset", errno.EACCES),
        UNKNOWN,
        "not seen",
    ),
    (
        "tracing.kprobe-leftovers",
        "some",
        lambda x: x.file(f"{TRACING}/kprobe_events", "p:kprobes/x vfs_open\n"),
        WARN,
        "vfs_open",
    ),
    (
        "environment.stack-memory",
        "192 MiB",
        lambda x: x.file("/proc/meminfo", "MemTotal: 180000 kB\nMemAvailable: 90000 kB\nSwapFree: 0 kB\n"),
        FAIL,
        "130 MiB for them, and 87 MiB",
    ),
    ("tracing.thumb", "Debian's armhf", thumb, FAIL, "EINVAL"),
    (
        "tracing.uprobes",
        "not built",
        lambda x: x.remove("/sys/bus/event_source/devices/uprobe", *both("uprobe_events")),
        FAIL,
        "no uprobes",
    ),
    (
        "tracing.syscalls",
        "not built",
        lambda x: x.remove(*both("events/syscalls")),
        FAIL,
        "does not have",
    ),
    ("tracing.sock", "not built", lambda x: x.remove(*both("events/sock")), FAIL, "does not have"),
    ("tracing.sched", "not built", lambda x: x.remove(*both("events/sched")), FAIL, "does not have"),
    (
        "tracing.functions",
        "not built",
        lambda x: x.remove(*both("available_filter_functions")),
        FAIL,
        "does not list",
    ),
    ("tracing.functions", "empty", lambda x: x.file(f"{TRACING}/available_filter_functions"), FAIL, "empty"),
    (
        "tracing.kallsyms",
        "zeros",
        lambda x: x.file("/proc/kallsyms", "0000000000000000 T _stext\n" * 9),
        FAIL,
        "hidden",
    ),
    ("tracing.kallsyms", "absent", lambda x: x.remove("/proc/kallsyms"), FAIL, "kallsyms"),
    # -- configuration and sysctls, one of each kind
    ("config.source", "nowhere", lambda x: x.remove(f"/boot/config-{RELEASE}"), UNKNOWN, "no kernel config"),
    (
        "config.KPROBES",
        "off",
        lambda x: x.file(f"/boot/config-{RELEASE}", parts.config("6.12.107", {"KPROBES": "n"})),
        FAIL,
        "off",
    ),
    (
        "config.KPROBES",
        "no line",
        lambda x: x.file(f"/boot/config-{RELEASE}", parts.config("6.12.107", {"KPROBES": None})),
        FAIL,
        "no line|not in",
    ),
    (
        "sysctl.kernel.ftrace_enabled",
        "0",
        lambda x: machines.sysctls(x, ftrace_enabled=0),
        FAIL,
        "switched off",
    ),
    ("sysctl.kernel.kptr_restrict", "2", lambda x: machines.sysctls(x, kptr_restrict=2), WARN, "hidden"),
    (
        "sysctl.kernel.modules_disabled",
        "1",
        lambda x: machines.sysctls(x, modules_disabled=1),
        WARN,
        "next boot",
    ),
    (
        "sysctl.net.core.bpf_jit_enable",
        "0",
        lambda x: x.file("/proc/sys/net/core/bpf_jit_enable", "0\n"),
        FAIL,
        "JIT",
    ),
    (
        "sysctl.kernel.kptr_restrict",
        "no number",
        lambda x: x.file("/proc/sys/kernel/kptr_restrict", "many\n"),
        UNKNOWN,
        "many",
    ),
    ("sysctl.kernel.yama.ptrace_scope", "absent", lambda x: x, SKIP, "does not have"),
]


def look(described: Description, directory: Path) -> Report:
    return report_on(described.recording())


def _words(finding: Finding) -> str:
    seen = [f"{e.source} {e.observed}" for e in finding.evidence]
    return " ".join([finding.summary, finding.reason, *seen])


@pytest.mark.parametrize(
    ("finding_id", "change", "status", "says"),
    [(row[0], *row[2:]) for row in ROWS],
    ids=[f"{row[0]}: {row[1]}" for row in ROWS],
)
def test_not_fine(finding_id: str, change: Change, status: Status, says: str, tmp_path: Path) -> None:
    described = known.complete()
    change(described)
    report = look(described, tmp_path)
    finding = report.finding(finding_id)
    assert finding is not None
    assert finding.status is status, finding
    assert re.search(says, _words(finding)), _words(finding)
    assert not [f for f in report.findings if "the check itself failed" in f.summary]


def test_fine(tmp_path: Path) -> None:
    """On a complete machine all is ok but what is about options, sysctls and older releases of bpftrace."""
    report = look(known.complete(), tmp_path)
    others = (
        "config.",
        "sysctl.",
        "btf.fentry-test",
        "bpf.uprobe_session",
        "tools.bpftrace-begin",
        "tools.bpftrace-fault.",
        "tools.bpftrace-scripts",
        "tools.bpftrace-build",
        "headers.warning",
        "headers.libc",
        "headers.user-",
        "tools.bcc-",
        "tracing.thumb",
    )
    bad = [f for f in report.findings if f.status is not OK and not f.id.startswith(others)]
    assert not bad, bad
    assert {c.status.value for c in report.capabilities} <= {"works", "caveat"}, report.capabilities


def test_every_finding_has_a_row() -> None:
    """A new check needs a machine where it is not fine."""
    ids = [i for found in builtin().checks for i in found.check.finding_ids]
    # tests/checks/test_builds_of_bpftrace.py has a machine for each of these.
    ids = [
        i
        for i in ids
        if not i.startswith(("tools.bpftrace-fault.", "tools.bpftrace-scripts", "tools.bpftrace-build"))
    ]
    rows = {row[0] for row in ROWS}
    for finding_id in ids:
        head = finding_id.rstrip("*")
        assert any(
            row == finding_id or (finding_id.endswith("*") and row.startswith(head)) for row in rows
        ), finding_id
