"""Machines that people sit at, described: what their kernel, their files and their tools are like.

Releases and options are those of kernels that were read or reported; each function says what is special about it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial

import kernel_parts as parts
import worlds as w
from fixtures_builder import World

UBUNTU_2204 = w.os_release("ubuntu", "22.04", "Ubuntu 22.04.5 LTS", ID_LIKE="debian")
FEDORA_43 = w.os_release("fedora", "43", "Fedora Linux 43 (Server Edition)")
ARCH = w.os_release("arch", "", "Arch Linux")
RHEL_8 = w.os_release("rhel", "8.4", "Red Hat Enterprise Linux 8.4 (Ootpa)")
ALPINE = w.os_release("alpine", "3.22.1", "Alpine Linux v3.22")

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


def _own_namespaces(world: World, *names: str) -> World:
    for name in names or ("pid", "ipc", "uts"):
        world.link(f"/proc/self/ns/{name}", f"{name}:[4026532999]")
    return world


# -- vendors' virtual machines ---------------------------------------------------------------------------------------


def orbstack_container() -> World:
    """An Ubuntu image, privileged: arm64 kernel with kheaders built in; its config hides the kprobes it has."""
    options = {
        "KPROBES": None,
        "KPROBE_EVENTS": None,
        "IKHEADERS": "y",
        "IKCONFIG": "y",
        "IKCONFIG_PROC": "y",
    }
    world = w.linux(
        ORBSTACK,
        w.UBUNTU_2404,
        machine="aarch64",
        builder="orbstack@builder",
        options=options,
        config_at="/proc/config.gz",
    )
    w.kheaders(world, "builtin", arch="arm64")
    return w.bpftrace(w.mounted(w.container(world, w.ALL_CAPABILITIES)), "0.20.2")


def orbstack_amd64_machine() -> World:
    """`orb create -a amd64` on Apple silicon: uname and user space say x86_64, the kernel is arm64 (K024)."""
    options = {"IKHEADERS": "y", "IKCONFIG": "y", "IKCONFIG_PROC": "y"}
    world = w.linux(ORBSTACK, UBUNTU_2204, builder="orbstack@builder", options=options, config_at=None)
    world.file("/proc/config.gz", parts.config_gz("6.15.11", options, arch="arm64"))
    # bpftrace 0.14 unpacks kheaders only without BTF, and there it did.
    w.without_btf(w.kheaders(world, "builtin", arch="arm64")).remove("/lib/modules")
    return w.bpftrace(_own_namespaces(world, "pid", "ipc", "uts", "cgroup"), "0.14.0")


def docker_desktop(release: str = "6.6.16-linuxkit", *, btf: bool = True) -> World:
    """A privileged Debian container in Docker Desktop's VM, tracefs passed in."""
    options = {**DOCKER, "DEBUG_INFO_BTF": "y" if btf else "n"}
    world = w.linux(
        release, w.DEBIAN["12"], builder="root@buildkitsandbox", options=options, config_at="/proc/config.gz"
    )
    if not btf:
        w.without_btf(world)
    w.container(world, w.ALL_CAPABILITIES)
    return w.bpftrace(w.mounted(world), "0.17.0")


def docker_desktop_old() -> World:
    """The kernel of a Docker Desktop before 4.30: no BTF (K020, K022)."""
    return docker_desktop("5.15.49-linuxkit", btf=False)


def wsl2(release: str, system: str = UBUNTU_2204, *, config: bool = True, kheaders: str = "n") -> World:
    """A distribution under WSL 2: Microsoft's kernel, namespaces of its own."""
    options = {"IKHEADERS": kheaders, "IKCONFIG": "y", "IKCONFIG_PROC": "y", "FPROBE": "n"}
    world = w.linux(
        release,
        system,
        builder="oe-user@oe-host",
        options=options,
        config_at="/proc/config.gz" if config else None,
    )
    world.remove("/lib/modules").file("/proc/sys/fs/binfmt_misc/WSLInterop", "enabled\n").dir("/run/WSL")
    world.remove("/sys/class/dmi")
    return w.bpftrace(_own_namespaces(world), "0.14.0")


def wsl2_515() -> World:
    return wsl2("5.15.167.4-microsoft-standard-WSL2")


def wsl2_618() -> World:
    """No config to read; IKHEADERS=m, and the modules are not in the distribution's files."""
    return wsl2("6.18.20.1-microsoft-standard-WSL2", config=False)


def wsl2_618_uapi() -> World:
    """6.18.40.1: /lib/modules/R/build exists and holds UAPI headers only."""
    world = wsl2("6.18.40.1-microsoft-standard-WSL2", config=False)
    w.modules(world)
    tree = "/usr/src/linux-headers-6.18.40.1-microsoft-standard-WSL2"
    world.files({f"{tree}/include/linux/types.h": "", f"{tree}/include/linux/version.h": ""})
    world.files({f"{tree}/include/linux/sched.h": "", f"{tree}/include/asm/types.h": ""})
    return world.link(f"/lib/modules/{world.release}/build", tree)


def wsl1() -> World:
    """Not Linux: bpf(2) and perf_event_open(2) are not there."""
    world = w.linux("4.4.0-19041-Microsoft", UBUNTU_2204, builder="Microsoft@Microsoft.com", config_at=None)
    return w.bpftrace(_no_ebpf(world), "0.14.0")


def _no_ebpf(world: World) -> World:
    w.unmounted(world).remove(
        "/sys/kernel", "/sys/fs/bpf", "/sys/bus/event_source", "/lib/modules", "/proc/modules"
    )
    world.dir("/sys/kernel").file("/proc/filesystems", "nodev\tproc\nnodev\tsysfs\nnodev\ttmpfs\n")
    world.remove("/proc/sys/kernel/perf_event_paranoid", "/proc/sys/kernel/unprivileged_bpf_disabled")
    for name in world.probes:
        world.probe(name, errno.ENOSYS)
    return world


def gvisor() -> World:
    """runsc: its own kernel in user space."""
    world = w.linux("4.4.0", w.DEBIAN["12"], config_at=None)
    world.file("/proc/version", "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n")
    world.file("/.dockerenv")
    return w.bpftrace(_own_namespaces(_no_ebpf(world)), "0.17.0")


def microvm_kata() -> World:
    """A Kata guest with a kernel of its own: no tracefs, no BTF in it."""
    world = w.without_btf(w.linux("6.1.62", w.DEBIAN["12"], options={"DEBUG_INFO_BTF": "n", "TRACING": "n"}))
    world.file("/proc/filesystems", "nodev\tsysfs\nnodev\tproc\n")
    return w.unmounted(world)


# -- distributions ---------------------------------------------------------------------------------------------------


def ubuntu_2404() -> World:
    """A cloud image: CONFIG_IKHEADERS=m, and the module is in linux-modules-extra, which is not installed."""
    world = w.linux(
        "6.8.0-31-generic",
        w.UBUNTU_2404,
        builder="buildd@lcy02 (Ubuntu 13.2.0",
        options={"IKHEADERS": "m"},
        paranoid=4,
    )
    return w.bpftrace(w.installed(world, "linux-modules-6.8.0-31-generic"), "0.20.2")


def debian_12(headers: str = "none") -> World:
    world = w.linux("6.1.0-50-amd64", w.DEBIAN["12"], paranoid=3)
    return w.bpftrace(w.debian_headers(world, headers) if headers != "none" else world, "0.17.0")


def debian_11() -> World:
    """5.10 lists no BTF object, and 0.17.0 (backported by hand) asks for one by id."""
    return w.bpftrace(
        w.linux("5.10.0-32-amd64", w.DEBIAN["11"], options={"DEBUG_INFO_BTF_MODULES": None}, paranoid=3),
        "0.17.0",
    )


def bullseye() -> World:
    """Debian 11 as it is: 5.10 and bpftrace 0.11.3."""
    return w.bpftrace(
        w.linux("5.10.0-32-amd64", w.DEBIAN["11"], options={"DEBUG_INFO_BTF_MODULES": None}, paranoid=3),
        "0.11.3",
    )


def _rpm(world: World, path: str, *packages: tuple[str, str, str]) -> World:
    world.remove("/var/lib/dpkg/status")
    return world.file(path, parts.rpm_database(("filesystem", "3", "1"), *packages))


def fedora_43(*packages: tuple[str, str, str]) -> World:
    """kheaders.ko is on disk; no kernel-devel unless given."""
    release = "6.17.1-300.fc43.x86_64"
    world = w.linux(
        release,
        FEDORA_43,
        builder="mockbuild@bkernel01",
        options={"IKHEADERS": "m"},
        config_at="/lib/modules/{release}/config",
    )
    w.kheaders(world, "module")
    w.bpftrace(world, "0.24.0")
    return _rpm(world, "/usr/lib/sysimage/rpm/rpmdb.sqlite", ("bpftrace", "0.24.0", "1.fc43"), *packages)


def arch_upgraded() -> World:
    """6.18.7 runs, 6.18.8 is installed: modules and headers of the running kernel are gone."""
    world = w.linux(
        "6.18.7-arch1-1",
        ARCH,
        builder="linux@archlinux",
        options={"IKHEADERS": "m"},
        config_at="/proc/config.gz",
    )
    world.remove("/lib/modules", "/var/lib/dpkg/status")
    world.files(
        {
            "/lib/modules/6.18.8-arch1-1/modules.dep": "",
            "/var/lib/pacman/local/linux-headers-6.18.8.arch1-1/desc": "",
        }
    )
    world.program("bpftrace", "/usr/bin/bpftrace").command(
        "/usr/bin/bpftrace --version", "bpftrace v0.24.2\n"
    )
    return world.file("/var/lib/pacman/local/bpftrace-0.24.2-4/desc")


def cos(release: str = "5.15.63+") -> World:
    """Container-Optimized OS, on the node: no package manager, kheaders as a module."""
    system = w.os_release("cos", "101", "Container-Optimized OS from Google", BUILD_ID="17162.40.5")
    world = w.linux(
        release, system, builder="builder@localhost", options={"IKHEADERS": "m"}, config_at="/proc/config.gz"
    )
    return w.kheaders(world, "module").remove("/var/lib/dpkg/status")


def talos() -> World:
    """A privileged pod on Talos with Secure Boot: lockdown=confidentiality, and no securityfs to tell (K081)."""
    world = w.linux(
        "6.12.57-talos",
        w.DEBIAN["13"],
        builder="@buildkitsandbox",
        options={"IKHEADERS": "n", "IKCONFIG": "y"},
        config_at="/proc/config.gz",
    )
    w.container(w.lockdown(world, "confidentiality"), w.ALL_CAPABILITIES, kind="kubernetes")
    w.lockdown(w.mounted(world), "confidentiality").remove("/sys/kernel/security").mount(
        "/sys/kernel/security", w.SYSFS
    )
    world.dir("/var/run/secrets/kubernetes.io/serviceaccount").env("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    return w.bpftrace(world, "0.23.2")


def raspberry_pi() -> World:
    """rpi-update: 6.1.28 runs, the repository's headers are for 6.1.21 (K034); no BTF."""
    system = w.os_release("raspbian", "11", "Raspbian GNU/Linux 11 (bullseye)", ID_LIKE="debian")
    options = {"DEBUG_INFO_BTF": "n", "IKCONFIG": "m", "UPROBE_EVENTS": "n"}
    world = w.linux(
        "6.1.28-v8+", system, machine="aarch64", builder="dom@buildbot", options=options, config_at=None
    )
    w.without_btf(world)
    w.modules(world, "kernel/configs").remove("/sys/bus/event_source/devices/uprobe")
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        world.remove(f"{place}/uprobe_events")
    world.file("/boot/.firmware_revision", "abc\n").file("/lib/modules/6.1.21-v8+/modules.dep", "")
    w.tree(world, "/usr/src/linux-headers-6.1.21-v8+", release="6.1.21-v8+", arch="arm64")
    world.link("/lib/modules/6.1.21-v8+/build", "/usr/src/linux-headers-6.1.21-v8+")
    return w.bpftrace(w.installed(world, ("raspberrypi-kernel-headers", "1:1.20230405-1")), "0.11.3")


# -- containers and confinement --------------------------------------------------------------------------------------


def kind_node() -> World:
    """A kind node: /lib/modules comes from the Ubuntu host, /usr/src does not, so that the build link dangles."""
    world = w.linux(
        "6.8.0-31-generic", w.DEBIAN["12"], builder="buildd@lcy02 (Ubuntu 13.2.0", options={"IKHEADERS": "m"}
    )
    w.container(world, w.ALL_CAPABILITIES)
    w.modules(w.mounted(world).dir("/kind"))
    world.link("/lib/modules/6.8.0-31-generic/build", "/usr/src/linux-headers-6.8.0-31-generic")
    return w.bpftrace(world, "0.17.0")


def kubernetes_pod() -> World:
    """A pod on Ubuntu 22.04 with BPF, SYS_RESOURCE, PERFMON and SYS_PTRACE, where perf_event_paranoid is 4 (K086)."""
    world = w.linux("5.15.0-25-generic", w.DEBIAN["13"], builder="buildd@lcy02 (Ubuntu 11.2.0", paranoid=4)
    w.container(
        world, w.mask("CAP_BPF", "CAP_SYS_RESOURCE", "CAP_PERFMON", "CAP_SYS_PTRACE"), kind="kubernetes"
    )
    world.dir("/var/run/secrets/kubernetes.io/serviceaccount").env("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    return w.bpftrace(w.mounted(world, debugfs=False), "0.23.2")


def user_namespace() -> World:
    """Root of a user namespace (K068)."""
    return w.bpftrace(w.userns(w.linux()), "0.23.2")


def no_kprobes() -> World:
    """A kernel that somebody built: CONFIG_HAVE_KPROBES and nothing else of kprobes (K069)."""
    options = {"KPROBES": "n", "KPROBE_EVENTS": None, "FPROBE": None, "BPF_KPROBE_OVERRIDE": None}
    world = w.linux("6.5.7-me", w.DEBIAN["13"], builder="me@home", options=options)
    world.remove("/sys/bus/event_source/devices/kprobe", "/sys/kernel/debug/kprobes")
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        world.remove(f"{place}/kprobe_events")
    world.probe("bpf:kprobe-multi", errno.EOPNOTSUPP, "load")
    return w.bpftrace(world, "0.23.2")


def wrong_recipe() -> World:
    """The recipe of the web, followed word for word on a machine where everything worked."""
    release = "6.12.107"
    world = w.linux(
        release, w.DEBIAN["13"], options={"IKHEADERS": "m"}, config_at="/lib/modules/{release}/config"
    )
    w.tree(w.kheaders(world, "loaded"), "/tmp/tmp.Q1w2E3")
    path = f"/tmp/tmp.Q1w2E3/usr/src/linux-headers-{release}"
    world.env("BPFTRACE_KERNEL_SOURCE", path).env("BPFTRACE_KERNEL_BUILD", path)
    return w.bpftrace(world, "0.23.2")


def snap() -> World:
    """bpftrace from a snap on Ubuntu."""
    world = w.linux(
        "6.8.0-31-generic",
        w.UBUNTU_2404,
        builder="buildd@lcy02 (Ubuntu 13.2.0",
        options={"IKHEADERS": "m"},
        paranoid=4,
    )
    world.program("bpftrace", "/snap/bin/bpftrace").link("/snap/bin/bpftrace", "/usr/bin/snap")
    world.file("/usr/bin/snap", b"\x7fELF", mode=0o755)
    return world.command("/snap/bin/bpftrace --version", "bpftrace v0.20.1\n")


def lima() -> World:
    """Ubuntu in a Lima VM: the distribution's own kernel, so that its package is right, in the VM."""
    world = ubuntu_2404().file("/run/lima-boot-done")
    return world.file("/sys/class/dmi/id/sys_vendor", "QEMU\n")


def complete() -> World:
    """Debian 13 with everything that tracing can use: every check is content with it."""
    world = w.debian_headers(w.kheaders(w.linux(options={"IKHEADERS": "m"}), "loaded"))
    w.bpftrace(world, "0.23.2").program("bpftool", "/usr/sbin/bpftool").program("clang", "/usr/bin/clang")
    world.command("/usr/sbin/bpftool version", "bpftool v7.5.0\nusing libbpf v1.5\n")
    world.dir("/sys/firmware/efi").file(SECURE_BOOT, b"\x06\0\0\0\0")
    return world.program("execsnoop-bpfcc", "/usr/sbin/execsnoop-bpfcc")


#: Every machine described here, by its name.
BY_NAME: dict[str, Callable[[], World]] = {
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
