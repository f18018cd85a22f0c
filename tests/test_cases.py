"""Problems that people reported in public: does `kdiag check` find the cause, and offer what helps and nothing else?

Each case is a machine described by the facts of one report (its address is in `URLS`), and what must be found on it.
Key phrases are asserted, not sentences. What `kdiag check` cannot see is listed in UNSEEN with the reason; the number
of both is printed at the end of the run.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from kdiag.model import Finding, Report, Status, Works
from tests.support import kernel_parts as parts
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import Examine

OK, WARN, FAIL, UNKNOWN, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN, Status.SKIP

#: Commands that install header packages of a distribution.
INSTALLS_HEADERS = r"(apt|apt-get|dnf|yum) .*(linux-headers|kernel-devel|kernel-headers)"


@dataclass(frozen=True)
class Case:
    """One report. All patterns are regular expressions, searched without regard to case.

    says: in the finding's own summary, reason, evidence and causes; silent_on: not in them. offers: in the title,
    commands or place of some remedy of the report. withholds: in no command of any remedy. warns_against: in some wrong
    remedy of the report.
    """

    build: Callable[[], Description]
    finding: str
    status: Status
    says: tuple[str, ...] = ()
    silent_on: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    withholds: tuple[str, ...] = ()
    warns_against: tuple[str, ...] = ()
    works: Mapping[str, frozenset[Works]] = field(default_factory=dict)
    statuses: Mapping[str, tuple[Status, ...]] = field(default_factory=dict)


YES, NO, PART = frozenset({Works.WORKS}), frozenset({Works.FAILS}), frozenset({Works.CAVEAT})


# -- the machines that are not in known_machines.py ------------------------------------------------------------------


def android() -> Description:
    """adb shell, bpftrace in /data/local/tmp: neither BTF nor headers."""
    described = machines.linux(
        "5.10.149-android13-4-00003-g05231a35ff43-ab9850636",
        "",
        machine="aarch64",
        builder="build-user@build-host",
        options={"DEBUG_INFO_BTF": "n", "IKHEADERS": "n", "IKCONFIG": "y"},
        config_at="/proc/config.gz",
    )
    described.remove("/etc", "/var", "/lib/modules")
    described.program("bpftrace", "/data/local/tmp/bpftools/bpftrace")
    described.command("/data/local/tmp/bpftools/bpftrace --version", "bpftrace v0.16.0\n")
    return machines.without_btf(described)


def rhel_8() -> Description:
    """BTF and the kheaders module; bpftrace 0.12.1 does not unpack it because there is BTF."""
    release = "4.18.0-304.3.el8.bz1928463.x86_64"
    described = machines.linux(
        release, known.RHEL_8, builder="mockbuild@x86-vm-08", options={"IKHEADERS": "m"}
    )
    machines.bpftrace(machines.kheaders(described, "module"), "0.12.1").remove("/var/lib/dpkg/status")
    return described.file("/var/lib/rpm/rpmdb.sqlite", parts.rpm_database(("bpftrace", "0.12.1", "3.el8")))


def oracle_7() -> Description:
    """kernel-devel is installed, of another release than the running one."""
    release, other = "3.10.0-1160.81.1.0.1.el7.x86_64", "3.10.0-1160.83.1.0.1.el7.x86_64"
    system = machines.os_release("ol", "7.9", "Oracle Linux Server 7.9", ID_LIKE="fedora")
    described = machines.without_btf(
        machines.linux(
            release, system, builder="mockbuild@host", options={"DEBUG_INFO_BTF": None, "IKHEADERS": None}
        )
    )
    machines.tree(described, f"/usr/src/kernels/{other}", release=other).link(
        f"/lib/modules/{other}/build", f"/usr/src/kernels/{other}"
    )
    packages = [
        ("kernel-devel", "3.10.0", "1160.83.1.0.1.el7"),
        ("kernel-headers", "3.10.0", "1160.83.1.0.1.el7"),
    ]
    return described.remove("/var/lib/dpkg/status").file(
        "/var/lib/rpm/rpmdb.sqlite", parts.rpm_database(*packages)
    )


def recommended_docker_run() -> Description:
    """/lib/modules and an empty /usr/src/linux are mounted, as the manual said; the headers are beside it."""
    described = machines.linux(
        "5.3.0-40-generic",
        machines.DEBIAN["12"],
        builder="buildd@lcy01 (Ubuntu 9.2.1",
        options={"IKHEADERS": "m"},
    )
    machines.modules(machines.mounted(machines.container(described, machines.ALL_CAPABILITIES))).dir(
        "/usr/src/linux"
    )
    described.link("/lib/modules/5.3.0-40-generic/build", "/usr/src/linux-headers-5.3.0-40-generic")
    return machines.bpftrace(described, "0.17.0")


def pod(
    release: str,
    link_to: str,
    builder: str,
    effective: int = machines.CONTAINER_CAPABILITIES | machines.mask("CAP_SYS_ADMIN"),
) -> Description:
    """A pod with the node's /lib/modules, whose build link leads out of what is mounted."""
    described = machines.linux(
        release,
        machines.DEBIAN["12"],
        builder=builder,
        options={"IKHEADERS": "n"},
        config_at="/proc/config.gz",
    )
    machines.container(described, effective, kind="kubernetes")
    described.dir("/var/run/secrets/kubernetes.io/serviceaccount").env("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    machines.modules(machines.mounted(described)).link(f"/lib/modules/{release}/build", link_to)
    return machines.bpftrace(described, "0.17.0")


def eks_node() -> Description:
    release = "4.14.181-142.260.amzn2.x86_64"
    return machines.without_btf(pod(release, f"/usr/src/kernels/{release}", "mockbuild@ip-10-0-1-1"))


def linuxkit_dangling() -> Description:
    described = known.docker_desktop("4.9.184-linuxkit", btf=False)
    machines.modules(described)
    return described.link("/lib/modules/4.9.184-linuxkit/build", "/usr/src/linux-headers-4.9.184-linuxkit")


def linuxkit_config() -> Description:
    """The plug-in and the split debug information that keep BTF out."""
    options: dict[str, str | None] = {
        "DEBUG_INFO_BTF": None,
        "DEBUG_INFO_SPLIT": "y",
        "GCC_PLUGIN_RANDSTRUCT": "y",
        "IKHEADERS": "n",
        "IKCONFIG": "y",
    }
    described = machines.linux(
        "5.10.76-linuxkit",
        machines.DEBIAN["12"],
        builder="root@buildkitsandbox",
        options=options,
        config_at="/proc/config.gz",
    )
    return machines.bpftrace(
        machines.mounted(machines.container(machines.without_btf(described), machines.ALL_CAPABILITIES)),
        "0.17.0",
    )


def orbstack_without_config() -> Description:
    described = machines.linux(
        "6.4.10-orbstack-00066-ga79fe089e66c",
        machines.DEBIAN["12"],
        machine="aarch64",
        builder="orbstack@b",
        config_at=None,
    )
    return machines.bpftrace(
        machines.mounted(machines.container(described, machines.ALL_CAPABILITIES)), "0.17.0"
    )


def talos_with_bcc() -> Description:
    """BTF, and neither headers nor kheaders; the tool that was tried is one of BCC's."""
    described = machines.linux(
        "6.1.73-talos",
        machines.DEBIAN["13"],
        builder="@buildkitsandbox",
        options={"IKHEADERS": "n"},
        config_at="/proc/config.gz",
    )
    machines.mounted(machines.container(described, machines.ALL_CAPABILITIES, kind="kubernetes"))
    described.dir("/var/run/secrets/kubernetes.io/serviceaccount").program(
        "execsnoop-bpfcc", "/usr/sbin/execsnoop-bpfcc"
    )
    return machines.bpftrace(described, "0.23.2")


def vmlinux_on_disk() -> Description:
    """5.3 built with BTF does not serve it in sysfs; the debug image has it."""
    described = machines.linux(
        "5.3.18", machines.os_release("ubuntu", "19.10", "Ubuntu 19.10"), builder="me@home"
    ).remove("/sys/kernel/btf")
    return described.file("/usr/lib/debug/lib/modules/5.3.18/vmlinux", parts.btf_elf(parts.btf(enum64=False)))


def t2_mac() -> Description:
    """The build switched debug information off, and with it BTF went."""
    options: dict[str, str | None] = {
        "DEBUG_INFO": None,
        "DEBUG_INFO_DWARF5": None,
        "DEBUG_INFO_NONE": "y",
        "DEBUG_INFO_BTF": None,
    }
    described = machines.linux(
        "7.1.0-3-t2-noble", machines.UBUNTU_2404, builder="t2linux@build", options=options
    )
    return machines.bpftrace(machines.without_btf(described), "0.23.2")


def arm64(release: str, options: Mapping[str, str | None]) -> Description:
    """No BPF trampoline: programs load and do not attach."""
    described = machines.linux(release, machines.DEBIAN["12"], machine="aarch64", options=options)
    described.probe(f"bpf:fentry:{parts.FENTRY_TEST}", 524, "attach")
    return machines.bpftrace(described, "0.23.2")


def no_automount() -> Description:
    """debugfs without tracefs below it (TRACEFS_AUTOMOUNT_DEPRECATED is off)."""
    described = machines.linux(
        "6.17.5-arch1-1", known.ARCH, builder="linux@archlinux", config_at="/proc/config.gz"
    )
    return machines.bpftrace(described.remove("/sys/kernel/debug/tracing"), "0.23.2")


def runner_image() -> Description:
    """The mount units of tracefs and debugfs were disabled in the image."""
    described = machines.linux(
        "6.8.0-1021-aws", machines.UBUNTU_2404, builder="buildd@lcy02 (Ubuntu 13.2.0", paranoid=4
    )
    return machines.bpftrace(
        machines.unmounted(described).file("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n"), "0.23.2"
    )


def container_without_tracefs() -> Description:
    return machines.bpftrace(
        machines.container(machines.linux("6.1.0-50-amd64", machines.UBUNTU_2404), machines.ALL_CAPABILITIES),
        "0.23.2",
    )


def chrome_os() -> Description:
    """Two causes, one on top of the other: headers without generated files, and no kprobes."""
    release = "4.19.113-08528-g5803a1c7e9f9"
    options: dict[str, str | None] = {
        "KPROBES": "n",
        "KPROBE_EVENTS": None,
        "FPROBE": None,
        "DEBUG_INFO_BTF": None,
        "IKHEADERS": None,
    }
    described = machines.without_btf(
        machines.linux(
            release, machines.os_release("chromeos", "83", "Chrome OS"), builder="chromeos@b", options=options
        )
    )
    described.remove("/sys/bus/event_source/devices/kprobe", "/sys/kernel/debug/kprobes")
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        described.remove(f"{place}/kprobe_events")
    machines.put(described, "/usr/src/linux", parts.common().items())
    described.link(f"/lib/modules/{release}/build", "/usr/src/linux")
    return described.program("execsnoop-bpfcc", "/usr/sbin/execsnoop-bpfcc")


def leftover_probe() -> Description:
    described = machines.linux(
        "4.15.12-1-ARCH", known.ARCH, builder="builduser@heftig", config_at="/proc/config.gz"
    )
    line = "p:kprobes/opensnitch_exec_probe do_execve path=+0(%di):string\n"
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        described.file(f"{place}/kprobe_events", line)
    return described


def integrity() -> Description:
    """Files of debugfs refuse; BPF goes on."""
    described = machines.lockdown(machines.linux(), "integrity")
    described.refuse("/sys/kernel/debug/kprobes/enabled", errno.EPERM).refuse(
        "/sys/kernel/debug/kprobes/blacklist", errno.EPERM
    )
    return machines.bpftrace(described, "0.23.2")


def ordinary_user(release: str, system: str) -> Description:
    return machines.bpftrace(machines.user(machines.linux(release, system)), "0.23.2")


def cos_container() -> Description:
    """2020: a kernel without CAP_BPF, a container with the default capabilities."""
    system = machines.os_release("debian", "10", "Debian GNU/Linux 10 (buster)")
    described = machines.linux("5.4.49+", system, builder="builder@localhost", config_at="/proc/config.gz")
    described.memlock = (65536, 65536)
    return machines.mounted(machines.container(described))


def sticky_sysctl() -> Description:
    described = machines.linux("6.12.0-124.29.1.el10_1.x86_64", known.RHEL_8)
    machines.sysctls(described, unprivileged_bpf_disabled=1)
    return machines.user(described)


# -- the cases --------------------------------------------------------------------------------------------------------


CASES: dict[str, Case] = {
    "K002": Case(
        android,
        "btf.vmlinux",
        FAIL,
        withholds=(INSTALLS_HEADERS,),
        works={"tracepoint-args": NO},
        statuses={"headers.tree": (FAIL,), "headers.package": (FAIL,), "kheaders.module": (FAIL,)},
    ),
    "K004": Case(
        rhel_8,
        "headers.tree",
        FAIL,
        offers=(r"kdiag fix|kernel-devel-4\.18\.0-304\.3",),
        works={"include": NO, "struct": YES, "tracepoint-args": YES, "stock-tools": PART},
        statuses={"kheaders.available": (OK,), "btf.vmlinux": (OK,)},
    ),
    "K006": Case(
        oracle_7,
        "headers.package",
        FAIL,
        says=(r"another kernel", r"1160\.83\.1\.0\.1"),
        offers=(r"kernel-devel-3\.10\.0-1160\.81\.1\.0\.1\.el7\.x86_64",),
        withholds=(r"install.* kernel-headers",),
    ),
    "K011": Case(
        recommended_docker_run,
        "headers.tree",
        FAIL,
        says=(
            r"dangling|not there",
            r"-v /usr/src:/usr/src:ro",
            r"/usr/src/linux-headers-5\.3\.0-40-generic",
        ),
        works={"include": NO},
    ),
    "K013": Case(
        eks_node,
        "headers.tree",
        FAIL,
        says=(r"dangling", r"/usr/src/kernels"),
        offers=(r"kernel-devel-4\.14\.181-142\.260\.amzn2\.x86_64", r"the host"),
        withholds=(r"install.* kmod", r"modprobe kheaders"),
    ),
    "K014": Case(
        lambda: pod("5.8.17", "/home/keyolk/src/linux-stable", "keyolk@home"),
        "headers.tree",
        FAIL,
        says=(r"/home/keyolk",),
        silent_on=(r"-v /usr/src",),
        withholds=(INSTALLS_HEADERS,),
    ),
    "K017": Case(
        lambda: known.docker_desktop("5.10.76-linuxkit"),
        "headers.package",
        FAIL,
        says=(r"no distribution",),
        offers=(r"linuxkit/kernel",),
        withholds=(INSTALLS_HEADERS, r"modprobe kheaders"),
        warns_against=(r"linux-headers-5\.10\.76-linuxkit", r"modprobe kheaders"),
    ),
    "K018": Case(
        linuxkit_dangling,
        "headers.tree",
        FAIL,
        says=(r"dangling", r"/usr/src"),
        silent_on=(r"-v /usr/src",),
        withholds=(INSTALLS_HEADERS,),
    ),
    "K019": Case(
        lambda: known.docker_desktop("6.6.22-linuxkit"),
        "headers.package",
        FAIL,
        offers=(r"linuxkit/kernel.*(published|often not)",),
        withholds=(r"linuxkit/kernel:",),
    ),
    "K020": Case(
        known.docker_desktop_old,
        "btf.vmlinux",
        FAIL,
        says=(r"config\.DEBUG_INFO_BTF",),
        offers=(r"update docker desktop",),
        withholds=(INSTALLS_HEADERS,),
        works={"core-tools": NO, "fentry": NO},
    ),
    "K021": Case(
        linuxkit_config,
        "btf.vmlinux",
        FAIL,
        statuses={"config.GCC_PLUGIN_RANDSTRUCT": (WARN, FAIL), "config.DEBUG_INFO_SPLIT": (WARN, FAIL)},
    ),
    "K022": Case(
        known.docker_desktop_old,
        "btf.vmlinux",
        FAIL,
        says=(r"without CONFIG_DEBUG_INFO_BTF|no BTF",),
        offers=(r"update docker desktop",),
        withholds=(r"upgrade.*kernel",),
        works={"core-tools": NO},
    ),
    "K024": Case(
        known.orbstack_amd64_machine,
        "kernel.arch",
        FAIL,
        says=(r"arm64", r"x86"),
        offers=(r"arm64",),
        withholds=(INSTALLS_HEADERS, r"kdiag fix"),
        warns_against=(r"headers for this architecture",),
        works={"include": NO, "tracepoint-args": NO},
        statuses={"kheaders.archive": (FAIL,), "kheaders.available": (FAIL,)},
    ),
    "K026": Case(
        orbstack_without_config,
        "config.source",
        UNKNOWN,
        says=(r"/proc/config\.gz", r"/boot/config"),
        works={"hello": YES, "tracepoint-args": YES, "kprobe": YES, "fentry": YES},
    ),
    "K034": Case(
        known.raspberry_pi,
        "headers.package",
        FAIL,
        says=(r"6\.1\.21",),
        offers=(r"--reinstall raspberrypi-kernel",),
    ),
    "K037": Case(
        talos_with_bcc,
        "headers.package",
        FAIL,
        says=(r"talos",),
        offers=(r"\bBTF\b",),
        withholds=(INSTALLS_HEADERS, r"modprobe kheaders"),
        works={"bcc-tools": NO, "core-tools": YES, "struct": YES, "tracepoint-args": YES},
    ),
    "K045": Case(
        vmlinux_on_disk,
        "btf.fallback",
        OK,
        says=(r"/usr/lib/debug/lib/modules/5\.3\.18/vmlinux",),
        works={"core-tools": YES | PART},
        statuses={"btf.vmlinux": (FAIL,)},
    ),
    "K046": Case(
        t2_mac,
        "config.DEBUG_INFO_BTF",
        FAIL,
        says=(r"config\.DEBUG_INFO\b",),
        statuses={"btf.vmlinux": (FAIL,)},
    ),
    "K061": Case(
        lambda: arm64("5.15.0", {"DYNAMIC_FTRACE_WITH_DIRECT_CALLS": None}),
        "bpf.fentry",
        FAIL,
        says=(r"attach", r"trampoline"),
        works={"fentry": NO, "struct": YES, "kprobe": YES},
    ),
    "K062": Case(
        lambda: arm64("6.1.0-50-arm64", {"DYNAMIC_FTRACE_WITH_DIRECT_CALLS": None}),
        "bpf.fentry",
        FAIL,
        says=(r"ENOTSUPP|524", r"config\.DYNAMIC_FTRACE_WITH_DIRECT_CALLS"),
        works={"fentry": NO},
    ),
    "K064": Case(
        no_automount,
        "tracing.debug-path",
        WARN,
        says=(r"/sys/kernel/debug/tracing",),
        works={"tracepoint-args": YES},
        statuses={"tracing.tracefs": (OK,)},
    ),
    "K065": Case(
        runner_image,
        "tracing.tracefs",
        FAIL,
        says=(r"not mounted",),
        offers=(r"mount -t tracefs",),
        works={"tracepoint-args": NO, "hello": YES},
        statuses={"config.TRACING": (OK,)},
    ),
    "K066": Case(
        container_without_tracefs,
        "tracing.tracefs",
        FAIL,
        says=(r"environment\.container", r"mount"),
        offers=(r"tracefs",),
        works={"tracepoint-args": NO},
    ),
    "K068": Case(
        known.user_namespace,
        "privileges.userns",
        FAIL,
        says=(r"0 1000 1",),
        warns_against=(r"capabilities inside",),
        works={"hello": NO, "tracepoint-args": NO},
        statuses={"tracing.syscalls": (FAIL, UNKNOWN)},
    ),
    "K069": Case(
        known.no_kprobes,
        "tracing.kprobes",
        FAIL,
        says=(r"config\.KPROBES", r"HAVE_KPROBES"),
        withholds=(r"mount -t debugfs",),
        warns_against=(r"mounting debugfs",),
        works={"kprobe": NO, "tracepoint-args": YES, "uprobe": YES},
    ),
    "K071": Case(
        chrome_os,
        "headers.tree",
        FAIL,
        says=(r"version\.h|autoconf\.h|generated",),
        works={"bcc-tools": NO},
        statuses={"tracing.kprobes": (FAIL,), "config.KPROBES": (FAIL,)},
    ),
    "K075": Case(
        leftover_probe,
        "tracing.kprobe-leftovers",
        WARN,
        says=(r"opensnitch_exec_probe",),
        offers=(r"-:(kprobes/)?opensnitch_exec_probe.*(tee -a|>>)",),
        withholds=(r"(?<!>)> ?/sys/kernel/.*/kprobe_events", r"tee /sys/kernel/.*/kprobe_events"),
    ),
    "K080": Case(
        integrity,
        "kernel.lockdown",
        OK,
        says=(r"integrity", r"debugfs"),
        works={"hello": YES, "kprobe": YES, "tracepoint-args": YES},
    ),
    "K081": Case(
        known.talos,
        "kernel.lockdown",
        FAIL,
        says=(r"confidentiality",),
        offers=(r"lockdown=integrity",),
        withholds=(INSTALLS_HEADERS, r"downgrade"),
        works={"hello": NO, "struct": NO},
    ),
    "K083": Case(
        lambda: ordinary_user(
            "4.15.0-1031-aws", machines.os_release("ubuntu", "18.04", "Ubuntu 18.04.6 LTS")
        ),
        "privileges.root",
        FAIL,
        offers=(r"sudo",),
        withholds=(r"ulimit -l",),
        works={"hello": NO},
        statuses={"privileges.memlock": (OK, SKIP)},
    ),
    "K086": Case(
        known.kubernetes_pod,
        "perf.events",
        FAIL,
        says=(r"perf_event_paranoid", r"CAP_SYS_ADMIN"),
        offers=(r"perf_event_paranoid",),
        works={"tracepoint-args": NO, "hello": YES},
        statuses={"sysctl.kernel.perf_event_paranoid": (FAIL,)},
    ),
    "K087": Case(
        cos_container,
        "privileges.capabilities",
        FAIL,
        says=(r"CAP_SYS_ADMIN", r"CAP_SYS_RESOURCE"),
        offers=(r"--privileged",),
        withholds=(r"CAP_BPF",),
        works={"core-tools": NO},
    ),
    "K096": Case(
        lambda: ordinary_user(
            "5.18.9-250.vanilla.fc36.x86_64", machines.os_release("fedora", "36", "Fedora Linux 36")
        ),
        "privileges.root",
        FAIL,
        offers=(r"sudo",),
        withholds=(r"ulimit", r"limits\.conf"),
        works={"hello": NO},
        statuses={"privileges.memlock": (OK, SKIP)},
    ),
    "K099": Case(
        known.snap,
        "tools.bpftrace",
        WARN,
        says=(r"snap", r"confined"),
        offers=(r"install bpftrace",),
        withholds=(r"snap install",),
    ),
    "K100": Case(
        sticky_sysctl,
        "sysctl.kernel.unprivileged_bpf_disabled",
        WARN,
        says=(r"reboot",),
        withholds=(r"sysctl -w kernel\.unprivileged_bpf_disabled",),
    ),
}

#: Reports whose cause `kdiag check` cannot see on the machine.
UNSEEN: dict[str, str] = {
    "K023": "without CONFIG_SECURITY a function that a tool wanted is missing: only the tool's message names it",
    "K041": "headers that refuse an old clang: only compiling shows it",
    "K042": "headers of 5.15 that bpftrace 0.9.4 cannot compile: only compiling shows it",
    "K052": "a regression of one release of bpftrace on 4.19: only loading its program shows it",
    "K056": "module BTF that the kernel refused: told in the kernel's log only",
    "K059": "a bpftrace built without libbpf: told by `bpftrace --info`, which kdiag check does not run",
}

#: Where each case was reported.
URLS = {
    "K002": "facebookexperimental/ExtendedAndroidTools#37",
    "K004": "bpftrace/bpftrace#1820",
    "K006": "iovisor/bcc#4504",
    "K011": "bpftrace/bpftrace#1182",
    "K013": "DataDog/datadog-agent#6215",
    "K014": "iovisor/kubectl-trace#144",
    "K017": "singe/ebpf-docker-for-mac#2",
    "K018": "docker/for-mac#3223",
    "K019": "docker/for-mac#7267",
    "K020": "docker/for-mac#6800",
    "K021": "linuxkit/linuxkit#3755",
    "K022": "grafana/beyla#132",
    "K023": "docker/for-mac#7250",
    "K024": "orbstack/orbstack#2199",
    "K026": "orbstack/orbstack#550",
    "K034": "alexreinert/debmatic#354",
    "K037": "siderolabs/talos#8277",
    "K041": "criticalstack/swoll#12",
    "K042": "bpftrace/bpftrace#2811",
    "K045": "iovisor/bcc#2872",
    "K046": "t2linux/T2-Debian-and-Ubuntu-Kernel#194",
    "K052": "bpftrace/bpftrace#3011",
    "K056": "oracle/bpftune#68",
    "K059": "bpftrace/bpftrace#1422",
    "K061": "bpftrace/bpftrace#2496",
    "K062": "kxxt/tracexec#173",
    "K064": "iovisor/bcc#5423",
    "K065": "runs-on/runner-images-for-aws#29",
    "K066": "aquasecurity/tracee#4026",
    "K068": "sosy-lab/benchexec#989",
    "K069": "iovisor/bcc#4087",
    "K071": "iovisor/bcc#2944",
    "K075": "evilsocket/opensnitch#159",
    "K080": "iovisor/bcc#2942",
    "K081": "falcosecurity/falco#3416",
    "K083": "bpftrace/bpftrace#293",
    "K086": "falcosecurity/charts#921",
    "K087": "falcosecurity/falco#1299",
    "K096": "coreos/fedora-coreos-tracker#1164",
    "K099": "bpftrace/bpftrace#664",
    "K100": "ComplianceAsCode/content#12170",
}


def summary() -> str:
    """How many of the judgeable reports are seen; printed at the end of the run."""
    return f"{len(CASES)} of {len(CASES) + len(UNSEEN)} judgeable reports are seen by `kdiag check`"


def _own_words(finding: Finding) -> str:
    seen = [f"{e.source}: {e.observed}" for e in finding.evidence]
    return "\n".join([finding.summary, finding.reason, *seen, *finding.causes])


def _offers(report: Report) -> list[str]:
    return [
        " ".join([remedy.title, *remedy.commands, remedy.run_on])
        for finding in report.findings
        for remedy in finding.remedies
    ]


def _commands(report: Report) -> list[tuple[str, str]]:
    return [(f.id, command) for f in report.findings for remedy in f.remedies for command in remedy.commands]


@pytest.mark.parametrize("name", CASES)
def test_reported_problem(name: str, examine: Examine) -> None:
    case = CASES[name]
    report = examine(case.build())
    finding = report.finding(case.finding)
    assert finding is not None, f"no finding {case.finding}"
    words = _own_words(finding)
    assert finding.status is case.status, words
    for pattern in case.says:
        assert re.search(pattern, words, re.IGNORECASE), f"{case.finding} does not say {pattern!r}:\n{words}"
    for pattern in case.silent_on:
        assert not re.search(pattern, words, re.IGNORECASE), f"{case.finding} says {pattern!r}:\n{words}"
    offers = _offers(report)
    for pattern in case.offers:
        assert any(re.search(pattern, text, re.IGNORECASE) for text in offers), (
            f"nothing offers {pattern!r}: {offers}"
        )
    for pattern in case.withholds:
        bad = [
            (where, command)
            for where, command in _commands(report)
            if re.search(pattern, command, re.IGNORECASE)
        ]
        assert not bad, f"{pattern!r} must not be offered: {bad}"
    wrong = [f"{w.advice} {w.why}" for f in report.findings for w in f.wrong_remedies]
    for pattern in case.warns_against:
        assert any(re.search(pattern, text, re.IGNORECASE) for text in wrong), (
            f"no word against {pattern!r}: {wrong}"
        )
    works = {capability.id: capability for capability in report.capabilities}
    for capability, wanted in case.works.items():
        assert works[capability].status in wanted, works[capability]
    for other, statuses in case.statuses.items():
        there = report.finding(other)
        assert there is not None, f"no finding {other}"
        assert there.status in statuses, there


@pytest.mark.parametrize("name", CASES)
def test_the_verdict_follows_the_cause(name: str, examine: Examine) -> None:
    """Causes are findings of the same report that are not fine, and none goes round in a circle."""
    report = examine(CASES[name].build())
    by_id = {finding.id: finding for finding in report.findings}
    for finding in report.findings:
        assert finding.summary.strip()
        for cause in finding.causes:
            assert by_id[cause].status not in (OK, SKIP), (
                f"{finding.id} because of {cause}, which is {by_id[cause].status.value}"
            )
        seen, pending = set[str](), [*finding.causes]
        while pending:
            cause = pending.pop()
            assert cause != finding.id, f"{finding.id} causes itself"
            if cause not in seen:
                seen.add(cause)
                pending += by_id[cause].causes


def test_every_case_has_its_address() -> None:
    assert sorted(URLS) == sorted({*CASES, *UNSEEN})
    assert not CASES.keys() & UNSEEN.keys()
