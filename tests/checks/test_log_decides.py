"""Lines of the kernel's log decide between causes that look the same; where it may not be read nothing follows."""

from __future__ import annotations

import errno

import pytest

from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.machine import Machine
from kdiag.model import Finding, Status
from kdiag.parse.kernel_log import LIMIT, PATH
from kdiag.recording.make import make
from kdiag.recording.secrets import Secrets
from kdiag.system import Unavailable, kernel_log
from kdiag.system.base import CommandResult
from kdiag.system.live import Live
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import builtin, finding_of, report_on

LOG = "/dev/kmsg"
VETH = "failed to validate module [veth] BTF: -22"
AVC = (
    'audit: type=1400 audit(1700000000.123:45): avc:  denied  {{ {what} }} for  pid=9 comm="{comm}" '
    "scontext=system_u:system_r:{domain}:s0 tcontext=system_u:system_r:{domain}:s0 tclass={tclass} "
    "permissive={permissive}"
)


def logged(described: Description, *lines: str) -> Description:
    """The machine's log, in the form of /dev/kmsg."""
    text = "".join(f"4,{number},{number}000,-;{line}\n" for number, line in enumerate(lines))
    return described.file(LOG, f"6,0,0,-;Linux version\n{text}")


def quotes(finding: Finding) -> list[str]:
    return [e.observed for e in finding.evidence if e.source == "the kernel's log"]


# -- module BTF ----------------------------------------------------------------------------------------------------


def test_a_module_whose_btf_was_refused() -> None:
    report = report_on(logged(machines.linux(), "BPF: [101283] STRUCT nf_conn", VETH).recording())
    btf = finding_of(report, "btf.modules")
    assert btf.status is Status.FAIL
    assert btf.summary == "the kernel refused the BTF of 1 module: veth"
    assert quotes(btf) == [VETH, "BPF: [101283] STRUCT nf_conn"]
    assert "6.12.107+deb13-amd64" in btf.remedies[0].title


def test_a_module_that_has_its_btf_by_now_was_replaced() -> None:
    """xfs is loaded, with BTF."""
    report = report_on(logged(machines.linux(), VETH.replace("veth", "xfs")).recording())
    assert finding_of(report, "btf.modules").status is Status.OK


def test_a_kernel_that_loads_the_module_all_the_same() -> None:
    line = "Kernel module BTF mismatch detected, BTF debug info may be unavailable for some modules"
    btf = finding_of(report_on(logged(machines.linux("6.18.5-arch1-1"), line).recording()), "btf.modules")
    assert (
        btf.status is Status.FAIL and "loaded without it" in btf.summary and "does not load" not in btf.reason
    )


# -- security modules ----------------------------------------------------------------------------------------------


def refused(described: Description) -> Description:
    return described.probe("bpf:map", errno.EACCES).probe("bpf:prog:kprobe", errno.EACCES)


def selinux(domain: str = "user_t") -> Description:
    described = machines.linux("6.12.0-55.el10.x86_64", machines.os_release("rhel", "10", "RHEL 10"))
    described.file("/proc/self/attr/current", f"system_u:system_r:{domain}:s0\0")
    described.file("/sys/fs/selinux/enforce", "1").file("/sys/module/apparmor/parameters/enabled", "N\n")
    return refused(described)


def test_a_denial_of_this_domain_is_quoted() -> None:
    line = AVC.format(what="map_create", comm="bpftrace", domain="user_t", tclass="bpf", permissive=0)
    report = report_on(logged(selinux(), line).recording())
    bpf = finding_of(report, "bpf.map")
    assert bpf.causes[:1] == ("privileges.lsm",)
    assert "SELinux (user_t) denied map_create" in bpf.reason and quotes(bpf) == [line]


@pytest.mark.parametrize(
    "change",
    [{"domain": "init_t"}, {"permissive": 1}, {"tclass": "file", "what": "read"}, {"tclass": "perf_event"}],
)
def test_a_denial_of_something_else_is_not(change: dict[str, str]) -> None:
    values = {
        "what": "map_create",
        "comm": "x",
        "domain": "user_t",
        "tclass": "bpf",
        "permissive": 0,
        **change,
    }
    assert quotes(finding_of(report_on(logged(selinux(), AVC.format(**values)).recording()), "bpf.map")) == []


def test_a_denial_names_the_module_that_nothing_else_shows() -> None:
    """A domain that is unconfined by its name, in a policy that confines it."""
    line = AVC.format(what="bpf", comm="bpftrace", domain="initrc_t", tclass="capability2", permissive=0)
    without = finding_of(report_on(selinux("initrc_t").recording()), "bpf.map")
    told = finding_of(report_on(logged(selinux("initrc_t"), line).recording()), "bpf.map")
    assert "a limit of this kernel" in without.reason and quotes(told) == [line]
    assert "SELinux denied bpf" in told.reason and told.causes[:1] == ("privileges.lsm",)
    lsm = finding_of(report_on(logged(selinux("initrc_t"), line).recording()), "privileges.lsm")
    assert lsm.status is Status.FAIL and quotes(lsm) == [line]


def test_a_denial_of_apparmor_is_quoted() -> None:
    line = (
        'audit: type=1400 audit(1700000000.1:46): apparmor="DENIED" operation="capable" class="cap" '
        'profile="{}" pid=9 comm="bpftrace" capability=39  capname="bpf"'
    )
    described = refused(machines.linux()).file("/proc/self/attr/current", "tracer (enforce)\n")
    mine = finding_of(report_on(logged(described, line.format("tracer")).recording()), "bpf.map")
    assert "AppArmor (tracer) denied bpf" in mine.reason and len(quotes(mine)) == 1
    other = finding_of(report_on(logged(described, line.format("other")).recording()), "bpf.map")
    assert quotes(other) == [] and other.causes[:1] == ("privileges.lsm",)


# -- lockdown ------------------------------------------------------------------------------------------------------


def unseen_lockdown() -> Description:
    """Neither securityfs nor a call tells."""
    described = machines.linux("6.8.0-31-generic", machines.UBUNTU_2404, config_at=None)
    return described.remove("/sys/kernel/security").probe("bpf:read-kernel", errno.EPERM)


def test_lockdown_that_only_the_log_shows() -> None:
    line = "Lockdown: bpftrace: use of bpf to read kernel RAM is restricted; see man kernel_lockdown.7"
    assert finding_of(report_on(unseen_lockdown().recording()), "kernel.lockdown").status is Status.UNKNOWN
    lockdown = finding_of(report_on(logged(unseen_lockdown(), line).recording()), "kernel.lockdown")
    assert lockdown.status is Status.FAIL and quotes(lockdown) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "Lockdown: systemd-logind: hibernation is restricted; see man kernel_lockdown.7",
        "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7",
        "Kernel is locked down from EFI Secure Boot mode; see man kernel_lockdown.7",
    ],
)
def test_what_integrity_refuses_too_is_no_proof(line: str) -> None:
    lockdown = finding_of(report_on(logged(unseen_lockdown(), line).recording()), "kernel.lockdown")
    assert lockdown.status is Status.UNKNOWN


def test_tracefs_that_lockdown_closed_says_so() -> None:
    line = "Lockdown: bpftrace: use of tracefs is restricted; see man kernel_lockdown.7"
    described = machines.linux()
    for directory in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        described.refuse(f"{directory}/available_filter_functions", errno.EPERM)
    functions = finding_of(report_on(logged(described, line).recording()), "tracing.functions")
    assert "EPERM" in functions.reason and quotes(functions) == [line]


# -- tools, modules ------------------------------------------------------------------------------------------------


def test_a_tool_that_was_killed() -> None:
    line = "Memory cgroup out of memory: Killed process 4711 (bpftrace) total-vm:812344kB, anon-rss:261120kB"
    log = finding_of(report_on(logged(machines.linux(), line).recording()), "kernel.log")
    assert (
        log.status is Status.WARN
        and "killed bpftrace" in log.summary
        and "Raise the memory limit" in log.remedies[0].title
    )
    other = finding_of(
        report_on(logged(machines.linux(), line.replace("bpftrace", "postgres")).recording()), "kernel.log"
    )
    assert other.status is Status.OK


def test_a_compiler_that_the_whole_machine_had_no_memory_for() -> None:
    line = "Out of memory: Killed process 99 (clang-16) total-vm:1kB"
    log = finding_of(report_on(logged(machines.linux(), line).recording()), "kernel.log")
    assert "killed clang-16" in log.summary and "swap" in log.remedies[0].title


def test_a_module_that_the_kernel_refused() -> None:
    line = "kheaders: version magic '6.12.107+deb13 SMP' should be '6.12.107+deb13-amd64 SMP'"
    described = machines.linux()
    path = "/lib/modules/6.12.107+deb13-amd64/kernel/kernel/kheaders.ko"
    described.file(path, b"\x7fELF").file(
        "/lib/modules/6.12.107+deb13-amd64/modules.dep", "kernel/kernel/kheaders.ko:\n"
    )
    plain = finding_of(report_on(described.recording()), "kheaders.module")
    told = finding_of(report_on(logged(described, line).recording()), "kheaders.module")
    assert plain.summary == "the kheaders module can be loaded"
    assert "refused to load" in told.summary and quotes(told) == [line]


# -- not to be read ------------------------------------------------------------------------------------------------


def test_a_log_that_may_not_be_read_is_unknown() -> None:
    described = logged(machines.linux(), VETH).refuse(LOG, errno.EPERM)
    report = report_on(described.recording())
    log = finding_of(report, "kernel.log")
    assert log.status is Status.UNKNOWN and "EPERM" in log.reason
    assert finding_of(report, "btf.modules").status is Status.OK


def test_an_old_recording_says_what_it_said() -> None:
    """The question was not recorded then."""
    described = machines.linux()
    new, old = report_on(described.recording()), report_on(described.remove(LOG).recording())
    assert finding_of(old, "kernel.log").status is Status.UNKNOWN
    assert [f for f in old.findings if f.id != "kernel.log"] == [
        f for f in new.findings if f.id != "kernel.log"
    ]
    assert (old.verdict, old.capabilities) == (new.verdict, new.capabilities)


def test_the_log_is_read_once() -> None:
    class Counting(Live):
        looks = 0

        def read(self, path: str, limit: int = 0) -> bytes | None:
            Counting.looks += path == LOG
            return super().read(path, limit)

    machine = Machine(Counting())
    assert machine.log.of("oom") == machine.log.of("oom")
    assert machine.log.confidential == machine.log.confidential
    assert Counting.looks == 1


def test_this_machine_s_log() -> None:
    """Either way gives the same lines, or each says why not."""
    try:
        data = kernel_log.read()
    except Unavailable as gap:
        assert PATH in gap.reason and "syslog(2)" in gap.reason
        return
    assert data.endswith(b"\n") and len(data) <= LIMIT + 16 * 1024
    assert Machine(Live()).log.of("no such kind") == ()


def test_the_journal_is_the_third_way() -> None:
    """Its lines are the kernel's own, of this boot, and are judged as those of the other two."""
    said = CommandResult(("journalctl",), 0, f"usb 1-1: new device\n{VETH}\n", "")
    machine = Machine(machines.linux().file(LOG, kernel_log.from_journal(said)).recording())
    assert [n.line for n in machine.log.notices] == [VETH]
    for status, out, err, why in (
        (1, "", "Failed to open files: Permission denied\n", "Permission denied"),
        (0, "", "", "no line"),
    ):
        with pytest.raises(Unavailable, match=why):
            kernel_log.from_journal(CommandResult(("journalctl",), status, out, err))


# -- in a recording ------------------------------------------------------------------------------------------------


def test_a_recording_keeps_the_lines_about_tracing_without_whose_they_are() -> None:
    path = 'name="/home/zebulon/x" comm="zebulons-shell"'
    line = (
        'audit: type=1400 audit(1700000000.1:46): apparmor="DENIED" operation="capable" profile="tracer" '
        f'{path} capname="bpf"'
    )
    described = refused(machines.linux()).file("/proc/self/attr/current", "tracer (enforce)\n")
    described.file(LOG, f"6,1,1,-;usb 1-1: SerialNumber: 4C530001\n4,2,2,-;{line}\n4,3,3,-;{VETH}\n")
    made = make(described.recording(), builtin(), builtin().checks, DEFAULT_REQUIRED, Secrets())
    kept = made.files["root/dev/kmsg"].decode()
    assert "4C530001" not in kept and "zebulon" not in kept and VETH in kept and 'capname="bpf"' in kept
    assert "zebulon" not in repr(made.report)
    assert made.differs == ()
