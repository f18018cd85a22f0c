"""Machines that people sit at, described: what their kernel, their files and their tools are like.

Releases and options are those of kernels that were read or reported; each function says what is special about it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial

from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description

UBUNTU_2204 = machines.os_release("ubuntu", "22.04", "Ubuntu 22.04.5 LTS", ID_LIKE="debian")
FEDORA_43 = machines.os_release("fedora", "43", "Fedora Linux 43 (Server Edition)")
ARCH = machines.os_release("arch", "", "Arch Linux")
RHEL_8 = machines.os_release("rhel", "8.4", "Red Hat Enterprise Linux 8.4 (Ootpa)")
ALPINE = machines.os_release("alpine", "3.22.1", "Alpine Linux v3.22")

DOCKER = {
    "DEBUG_INFO_BTF": "y",
    "IKHEADERS": "n",
    "IKCONFIG": "y",
    "IKCONFIG_PROC": "y",
    "FPROBE": "n",
    "BPF_LSM": "n",
}

ORBSTACK = "6.15.11-orbstack-00539-g9885ebd8e3f4"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def _own_namespaces(described: Description, *names: str) -> Description:
    for name in names or ("pid", "ipc", "uts"):
        described.link(f"/proc/self/ns/{name}", f"{name}:[4026532999]")
    return described


# -- vendors' virtual machines ---------------------------------------------------------------------------------------


def orbstack_container() -> Description:
    """An Ubuntu image, privileged: arm64 kernel with kheaders built in; its config hides the kprobes it has."""
    options = {
        "KPROBES": None,
        "KPROBE_EVENTS": None,
        "IKHEADERS": "y",
        "IKCONFIG": "y",
        "IKCONFIG_PROC": "y",
    }
    described = machines.linux(
        ORBSTACK,
        machines.UBUNTU_2404,
        machine="aarch64",
        builder="orbstack@builder",
        options=options,
        config_at="/proc/config.gz",
    )
    machines.kheaders(described, "builtin", arch="arm64")
    return machines.bpftrace(
        machines.mounted(machines.container(described, machines.ALL_CAPABILITIES)), "0.20.2"
    )


def orbstack_amd64_machine() -> Description:
    """`orb create -a amd64` on Apple silicon: uname and user space say x86_64, the kernel is arm64 (K024)."""
    options = {"IKHEADERS": "y", "IKCONFIG": "y", "IKCONFIG_PROC": "y"}
    described = machines.linux(
        ORBSTACK, UBUNTU_2204, builder="orbstack@builder", options=options, config_at=None
    )
    described.file("/proc/config.gz", parts.config_gz("6.15.11", options, arch="arm64"))
    # bpftrace 0.14 unpacks kheaders only without BTF, and there it did.
    machines.without_btf(machines.kheaders(described, "builtin", arch="arm64")).remove("/lib/modules")
    return machines.bpftrace(_own_namespaces(described, "pid", "ipc", "uts", "cgroup"), "0.14.0")


def docker_desktop(release: str = "6.6.16-linuxkit", *, btf: bool = True) -> Description:
    """A privileged Debian container in Docker Desktop's VM, tracefs passed in."""
    options = {**DOCKER, "DEBUG_INFO_BTF": "y" if btf else "n"}
    described = machines.linux(
        release,
        machines.DEBIAN["12"],
        builder="root@buildkitsandbox",
        options=options,
        config_at="/proc/config.gz",
    )
    if not btf:
        machines.without_btf(described)
    machines.container(described, machines.ALL_CAPABILITIES)
    return machines.bpftrace(machines.mounted(described), "0.17.0")


def docker_desktop_old() -> Description:
    """The kernel of a Docker Desktop before 4.30: no BTF (K020, K022)."""
    return docker_desktop("5.15.49-linuxkit", btf=False)


def wsl2(release: str, system: str = UBUNTU_2204, *, config: bool = True, kheaders: str = "n") -> Description:
    """A distribution under WSL 2: Microsoft's kernel, namespaces of its own."""
    options = {"IKHEADERS": kheaders, "IKCONFIG": "y", "IKCONFIG_PROC": "y", "FPROBE": "n"}
    described = machines.linux(
        release,
        system,
        builder="oe-user@oe-host",
        options=options,
        config_at="/proc/config.gz" if config else None,
    )
    described.remove("/lib/modules").file("/proc/sys/fs/binfmt_misc/WSLInterop", "enabled\n").dir("/run/WSL")
    described.remove("/sys/class/dmi")
    return machines.bpftrace(_own_namespaces(described), "0.14.0")


def wsl2_515() -> Description:
    return wsl2("5.15.167.4-microsoft-standard-WSL2")


def wsl2_618() -> Description:
    """No config to read; IKHEADERS=m, and the modules are not in the distribution's files."""
    return wsl2("6.18.20.1-microsoft-standard-WSL2", config=False)


def wsl2_618_uapi() -> Description:
    """6.18.40.1: /lib/modules/R/build exists and holds UAPI headers only."""
    described = wsl2("6.18.40.1-microsoft-standard-WSL2", config=False)
    machines.modules(described)
    tree = "/usr/src/linux-headers-6.18.40.1-microsoft-standard-WSL2"
    described.files({f"{tree}/include/linux/types.h": "", f"{tree}/include/linux/version.h": ""})
    described.files({f"{tree}/include/linux/sched.h": "", f"{tree}/include/asm/types.h": ""})
    return described.link(f"/lib/modules/{described.release}/build", tree)


def wsl1() -> Description:
    """Not Linux: bpf(2) and perf_event_open(2) are not there."""
    described = machines.linux(
        "4.4.0-19041-Microsoft", UBUNTU_2204, builder="Microsoft@Microsoft.com", config_at=None
    )
    return machines.bpftrace(_no_ebpf(described), "0.14.0")


def _no_ebpf(described: Description) -> Description:
    machines.unmounted(described).remove(
        "/sys/kernel", "/sys/fs/bpf", "/sys/bus/event_source", "/lib/modules", "/proc/modules"
    )
    described.dir("/sys/kernel").file("/proc/filesystems", "nodev\tproc\nnodev\tsysfs\nnodev\ttmpfs\n")
    described.remove("/proc/sys/kernel/perf_event_paranoid", "/proc/sys/kernel/unprivileged_bpf_disabled")
    for name in described.probes:
        described.probe(name, errno.ENOSYS)
    return described


def gvisor() -> Description:
    """runsc: its own kernel in user space."""
    described = machines.linux("4.4.0", machines.DEBIAN["12"], config_at=None)
    described.file("/proc/version", "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n")
    described.file("/.dockerenv")
    return machines.bpftrace(_own_namespaces(_no_ebpf(described)), "0.17.0")


def microvm_kata() -> Description:
    """A Kata guest with a kernel of its own: no tracefs, no BTF in it."""
    described = machines.without_btf(
        machines.linux("6.1.62", machines.DEBIAN["12"], options={"DEBUG_INFO_BTF": "n", "TRACING": "n"})
    )
    described.file("/proc/filesystems", "nodev\tsysfs\nnodev\tproc\n")
    return machines.unmounted(described)


# -- distributions ---------------------------------------------------------------------------------------------------


def ubuntu_2404() -> Description:
    """A cloud image: CONFIG_IKHEADERS=m, and the module is in linux-modules-extra, which is not installed."""
    described = machines.linux(
        "6.8.0-31-generic",
        machines.UBUNTU_2404,
        builder="buildd@lcy02 (Ubuntu 13.2.0",
        options={"IKHEADERS": "m"},
        paranoid=4,
    )
    return machines.bpftrace(machines.installed(described, "linux-modules-6.8.0-31-generic"), "0.20.2")


def debian_12(headers: str = "none") -> Description:
    described = machines.linux("6.1.0-50-amd64", machines.DEBIAN["12"], paranoid=3)
    return machines.bpftrace(
        machines.debian_headers(described, headers) if headers != "none" else described, "0.17.0"
    )


def debian_11() -> Description:
    """5.10 lists no BTF object, and 0.17.0 (backported by hand) asks for one by id."""
    return machines.bpftrace(
        machines.linux(
            "5.10.0-32-amd64", machines.DEBIAN["11"], options={"DEBUG_INFO_BTF_MODULES": None}, paranoid=3
        ),
        "0.17.0",
    )


def bullseye() -> Description:
    """Debian 11 as it is: 5.10 and bpftrace 0.11.3."""
    return machines.bpftrace(
        machines.linux(
            "5.10.0-32-amd64", machines.DEBIAN["11"], options={"DEBUG_INFO_BTF_MODULES": None}, paranoid=3
        ),
        "0.11.3",
    )


def _rpm(described: Description, path: str, *packages: tuple[str, str, str]) -> Description:
    described.remove("/var/lib/dpkg/status")
    return described.file(path, parts.rpm_database(("filesystem", "3", "1"), *packages))


def fedora_43(*packages: tuple[str, str, str]) -> Description:
    """kheaders.ko is on disk; no kernel-devel unless given."""
    release = "6.17.1-300.fc43.x86_64"
    described = machines.linux(
        release,
        FEDORA_43,
        builder="mockbuild@bkernel01",
        options={"IKHEADERS": "m"},
        config_at="/lib/modules/{release}/config",
    )
    machines.kheaders(described, "module")
    machines.bpftrace(described, "0.24.0")
    return _rpm(described, "/usr/lib/sysimage/rpm/rpmdb.sqlite", ("bpftrace", "0.24.0", "1.fc43"), *packages)


def arch_upgraded() -> Description:
    """6.18.7 runs, 6.18.8 is installed: modules and headers of the running kernel are gone."""
    described = machines.linux(
        "6.18.7-arch1-1",
        ARCH,
        builder="linux@archlinux",
        options={"IKHEADERS": "m"},
        config_at="/proc/config.gz",
    )
    described.remove("/lib/modules", "/var/lib/dpkg/status")
    described.files(
        {
            "/lib/modules/6.18.8-arch1-1/modules.dep": "",
            "/var/lib/pacman/local/linux-headers-6.18.8.arch1-1/desc": "",
        }
    )
    described.program("bpftrace", "/usr/bin/bpftrace").command(
        "/usr/bin/bpftrace --version", "bpftrace v0.24.2\n"
    )
    return described.file("/var/lib/pacman/local/bpftrace-0.24.2-4/desc")


def cos(release: str = "5.15.63+") -> Description:
    """Container-Optimized OS, on the node: no package manager, kheaders as a module."""
    system = machines.os_release("cos", "101", "Container-Optimized OS from Google", BUILD_ID="17162.40.5")
    described = machines.linux(
        release, system, builder="builder@localhost", options={"IKHEADERS": "m"}, config_at="/proc/config.gz"
    )
    return machines.kheaders(described, "module").remove("/var/lib/dpkg/status")


def talos() -> Description:
    """A privileged pod on Talos with Secure Boot: lockdown=confidentiality, and no securityfs to tell (K081)."""
    described = machines.linux(
        "6.12.57-talos",
        machines.DEBIAN["13"],
        builder="@buildkitsandbox",
        options={"IKHEADERS": "n", "IKCONFIG": "y"},
        config_at="/proc/config.gz",
    )
    machines.container(
        machines.lockdown(described, "confidentiality"), machines.ALL_CAPABILITIES, kind="kubernetes"
    )
    machines.lockdown(machines.mounted(described), "confidentiality").remove("/sys/kernel/security").mount(
        "/sys/kernel/security", machines.SYSFS
    )
    described.dir("/var/run/secrets/kubernetes.io/serviceaccount").env("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    return machines.bpftrace(described, "0.23.2")


def raspberry_pi() -> Description:
    """rpi-update: 6.1.28 runs, the repository's headers are for 6.1.21 (K034); no BTF."""
    system = machines.os_release("raspbian", "11", "Raspbian GNU/Linux 11 (bullseye)", ID_LIKE="debian")
    options = {"DEBUG_INFO_BTF": "n", "IKCONFIG": "m", "UPROBE_EVENTS": "n"}
    described = machines.linux(
        "6.1.28-v8+", system, machine="aarch64", builder="dom@buildbot", options=options, config_at=None
    )
    machines.without_btf(described)
    machines.modules(described, "kernel/configs").remove("/sys/bus/event_source/devices/uprobe")
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        described.remove(f"{place}/uprobe_events")
    described.file("/boot/.firmware_revision", "abc\n").file("/lib/modules/6.1.21-v8+/modules.dep", "")
    machines.tree(described, "/usr/src/linux-headers-6.1.21-v8+", release="6.1.21-v8+", arch="arm64")
    described.link("/lib/modules/6.1.21-v8+/build", "/usr/src/linux-headers-6.1.21-v8+")
    return machines.bpftrace(
        machines.installed(described, ("raspberrypi-kernel-headers", "1:1.20230405-1")), "0.11.3"
    )


# -- containers and confinement --------------------------------------------------------------------------------------


def kind_node() -> Description:
    """A kind node: /lib/modules comes from the Ubuntu host, /usr/src does not, so that the build link dangles."""
    described = machines.linux(
        "6.8.0-31-generic",
        machines.DEBIAN["12"],
        builder="buildd@lcy02 (Ubuntu 13.2.0",
        options={"IKHEADERS": "m"},
    )
    machines.container(described, machines.ALL_CAPABILITIES)
    machines.modules(machines.mounted(described).dir("/kind"))
    described.link("/lib/modules/6.8.0-31-generic/build", "/usr/src/linux-headers-6.8.0-31-generic")
    return machines.bpftrace(described, "0.17.0")


def kubernetes_pod() -> Description:
    """A pod on Ubuntu 22.04 with BPF, SYS_RESOURCE, PERFMON and SYS_PTRACE, where perf_event_paranoid is 4 (K086)."""
    described = machines.linux(
        "5.15.0-25-generic", machines.DEBIAN["13"], builder="buildd@lcy02 (Ubuntu 11.2.0", paranoid=4
    )
    machines.container(
        described,
        machines.mask("CAP_BPF", "CAP_SYS_RESOURCE", "CAP_PERFMON", "CAP_SYS_PTRACE"),
        kind="kubernetes",
    )
    described.dir("/var/run/secrets/kubernetes.io/serviceaccount").env("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    return machines.bpftrace(machines.mounted(described, debugfs=False), "0.23.2")


def user_namespace() -> Description:
    """Root of a user namespace (K068)."""
    return machines.bpftrace(machines.userns(machines.linux()), "0.23.2")


def no_kprobes() -> Description:
    """A kernel that somebody built: CONFIG_HAVE_KPROBES and nothing else of kprobes (K069)."""
    options = {"KPROBES": "n", "KPROBE_EVENTS": None, "FPROBE": None, "BPF_KPROBE_OVERRIDE": None}
    described = machines.linux("6.5.7-me", machines.DEBIAN["13"], builder="me@home", options=options)
    described.remove("/sys/bus/event_source/devices/kprobe", "/sys/kernel/debug/kprobes")
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        described.remove(f"{place}/kprobe_events")
    described.probe("bpf:kprobe-multi", errno.EOPNOTSUPP, "load")
    return machines.bpftrace(described, "0.23.2")


def wrong_recipe() -> Description:
    """The recipe of the web, followed word for word on a machine where everything worked."""
    release = "6.12.107"
    described = machines.linux(
        release, machines.DEBIAN["13"], options={"IKHEADERS": "m"}, config_at="/lib/modules/{release}/config"
    )
    machines.tree(machines.kheaders(described, "loaded"), "/tmp/tmp.Q1w2E3")
    path = f"/tmp/tmp.Q1w2E3/usr/src/linux-headers-{release}"
    described.env("BPFTRACE_KERNEL_SOURCE", path).env("BPFTRACE_KERNEL_BUILD", path)
    return machines.bpftrace(described, "0.23.2")


def snap() -> Description:
    """bpftrace from a snap on Ubuntu."""
    described = machines.linux(
        "6.8.0-31-generic",
        machines.UBUNTU_2404,
        builder="buildd@lcy02 (Ubuntu 13.2.0",
        options={"IKHEADERS": "m"},
        paranoid=4,
    )
    described.program("bpftrace", "/snap/bin/bpftrace").link("/snap/bin/bpftrace", "/usr/bin/snap")
    described.file("/usr/bin/snap", b"\x7fELF", mode=0o755)
    return described.command("/snap/bin/bpftrace --version", "bpftrace v0.20.1\n")


def lima() -> Description:
    """Ubuntu in a Lima VM: the distribution's own kernel, so that its package is right, in the VM."""
    described = ubuntu_2404().file("/run/lima-boot-done")
    return described.file("/sys/class/dmi/id/sys_vendor", "QEMU\n")


def complete() -> Description:
    """Debian 13 with everything that tracing can use: every check is content with it."""
    described = machines.debian_headers(
        machines.kheaders(machines.linux(options={"IKHEADERS": "m"}), "loaded")
    )
    machines.bpftrace(described, "0.23.2").program("bpftool", "/usr/sbin/bpftool").program(
        "clang", "/usr/bin/clang"
    )
    described.command("/usr/sbin/bpftool version", "bpftool v7.5.0\nusing libbpf v1.5\n")
    described.dir("/sys/firmware/efi").file(SECURE_BOOT, b"\x06\0\0\0\0")
    described.program("execsnoop-bpfcc", "/usr/sbin/execsnoop-bpfcc")
    own = b"\x7fELF\0#ifndef __LINUX_BPF_H__\nstruct bpf_timer {\n};\n\0"
    described.file("/usr/lib/x86_64-linux-gnu/libbcc.so.0.31.0", own)
    return machines.bcc_starts(described)


#: Every machine described here, by its name.
BY_NAME: dict[str, Callable[[], Description]] = {
    "orbstack-container": orbstack_container,
    "orbstack-amd64-machine": orbstack_amd64_machine,
    "docker-desktop": docker_desktop,
    "docker-desktop-old": docker_desktop_old,
    "wsl2-5.15": wsl2_515,
    "wsl2-6.18": wsl2_618,
    "wsl2-6.18-uapi": wsl2_618_uapi,
    "wsl1": wsl1,
    "gvisor": gvisor,
    "microvm-kata": microvm_kata,
    "ubuntu-24.04": ubuntu_2404,
    "debian-12": debian_12,
    "debian-12-headers": partial(debian_12, "both"),
    "debian-12-half": partial(debian_12, "arch"),
    "debian-11-backport": debian_11,
    "debian-11": bullseye,
    "fedora-43": fedora_43,
    "arch-upgraded": arch_upgraded,
    "cos": cos,
    "talos": talos,
    "raspberry-pi": raspberry_pi,
    "kind-node": kind_node,
    "kubernetes-pod": kubernetes_pod,
    "user-namespace": user_namespace,
    "no-kprobes": no_kprobes,
    "wrong-recipe": wrong_recipe,
    "snap": snap,
    "lima": lima,
}
