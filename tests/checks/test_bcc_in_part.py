"""BCC that works in part: tools that do not compile are named, and the library may be there without the tools."""

from __future__ import annotations

import pytest

from kdiag.checking.analysis import analyse
from kdiag.knowledge.tools.bcc_history import NAMESPACES, NETWORK
from kdiag.machine import Machine
from kdiag.model import Capability, Readiness, Report, Status, Works
from kdiag.report.formats import render_as
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import builtin, finding_of, report_on

RELEASE = "6.12.117+deb12-amd64"
PLACE = f"/usr/src/linux-headers-{RELEASE}"
LIBRARY = "/usr/lib/x86_64-linux-gnu/libbcc.so.0.26.0"
MODULE = "/usr/lib/python3/dist-packages/bcc/__init__.py"
INSTALLED = ("execsnoop", "opensnoop", "tcpconnect", "tcptop", "runqlat")


def debian(user: str = "struct bpf_wq {\n};\n", own: str = "struct bpf_timer {\n};\n") -> Description:
    """Debian 12's BCC with the headers of its backported 6.12, as far as both matter."""
    described = machines.tree(machines.linux(RELEASE), PLACE).link(f"/lib/modules/{RELEASE}/build", PLACE)
    described.file(f"{PLACE}/include/linux/bpf.h", "int f(void)\n{\n\treturn sizeof(struct bpf_wq);\n}\n")
    described.file(f"{PLACE}/include/uapi/linux/bpf.h", user)
    described.file(LIBRARY, f"\x7fELF\0/* BCC's */\n#ifndef __LINUX_BPF_H__\n{own}\0")
    for name in INSTALLED:
        described.file(f"/usr/sbin/{name}-bpfcc", "#!/usr/bin/python3\n", mode=0o755)
    return machines.bcc_starts(described)


def capability(report: Report, name: str = "bcc-tools") -> Capability:
    return next(one for one in report.capabilities if one.id == name)


def asked(described: Description) -> Report:
    registry = builtin()
    return analyse(Machine(described.recording()), registry, registry.checks, (), ("bcc",))


def test_headers_that_only_the_network_needs_stop_only_the_network() -> None:
    report = asked(debian())
    mine = capability(report)
    assert mine.status is Works.CAVEAT, mine
    assert "those for the network do not compile" in mine.because and "struct bpf_wq" in mine.because
    assert capability(report, "bcc-net").status is Works.FAILS
    assert report.verdict.status is Readiness.READY
    assert "works in part" in report.verdict.summary, "it does not say that all is well"
    finding = finding_of(report, "headers.bcc-age")
    assert any("tcpconnect, tcptop" in e.observed and "execsnoop" not in e.observed for e in finding.evidence)
    assert "tcptop" in render_as("text", report).replace("\n", " "), "named without being asked for"


def test_headers_that_most_tools_need_stop_them_all() -> None:
    described = debian("struct bpf_timer {\n};\n")
    described.file(f"{PLACE}/include/linux/fs.h", "struct f {\n\tstruct __filename_head;\n};\n")
    report = asked(described)
    assert capability(report).status is Works.FAILS
    assert report.verdict.status is Readiness.NOT_READY


@pytest.mark.parametrize("file", ["linux/ns_common.h", "linux/ns/ns_common_types.h"])
def test_namespaces_stop_those_that_look_at_them(file: str) -> None:
    described = debian("struct bpf_timer {\n};\n")
    described.file(f"{PLACE}/include/{file}", "struct ns_common {\n\tstruct ns_tree;\n};\n")
    report = asked(described)
    mine = capability(report)
    assert mine.status is Works.CAVEAT and "pid_namespace.h" in mine.because
    named = " ".join(e.observed for e in finding_of(report, "headers.bcc-namespaces").evidence)
    assert "runqlat" in named and "opensnoop" not in named


def test_what_is_expected_and_what_fails_are_told_apart() -> None:
    report = asked(debian().file(LIBRARY, b"\x7fELF"))
    assert "expected to work in part" in report.verdict.summary, report.verdict
    fine = asked(debian("struct bpf_timer {\n};\n"))
    assert "in part" not in fine.verdict.summary and "expected" not in fine.verdict.summary, fine.verdict


def test_no_tool_is_in_two_families() -> None:
    assert not {*NETWORK} & {*NAMESPACES}


# -- the library without the tools ----------------------------------------------------------------------------------


def without_tools(described: Description) -> Description:
    for name in INSTALLED:
        described.remove(f"/usr/sbin/{name}-bpfcc")
    described.programs.pop("execsnoop-bpfcc", None)
    return described.file(MODULE, "# bcc\n").file("/usr/bin/python3", b"\x7fELF", mode=0o755)


def test_a_module_is_bcc_and_no_tools() -> None:
    """Debian's python3-bpfcc: scripts of one's own work, and execsnoop-bpfcc is not there."""
    report = asked(without_tools(debian("struct bpf_timer {\n};\n")))
    assert finding_of(report, "tools.bcc").status is Status.OK
    assert finding_of(report, "tools.bcc-programs").status is Status.FAIL
    works = {c.id: c.status for c in report.capabilities}
    assert {works[f"bcc-{part}"] for part in ("compiler", "headers", "load", "kprobe", "perf")} == {
        Works.WORKS
    }
    assert {works[f"bcc-{part}"] for part in ("tools", "opensnoop", "biolatency", "runqlat")} == {Works.FAILS}
    assert "tools are not installed" in report.verdict.summary
    assert "bpfcc-tools" in report.verdict.next


def test_a_module_in_another_place() -> None:
    described = without_tools(debian()).remove("/usr/lib/python3")
    described.file("/usr/lib/python3.13/site-packages/bcc/__init__.py", "# bcc\n")
    assert finding_of(report_on(described.recording()), "tools.bcc").status is Status.OK


def test_a_library_alone_is_no_bcc() -> None:
    """bpftrace brings libbcc along; nothing that is written in Python can use it."""
    described = without_tools(debian()).remove("/usr/lib/python3")
    report = report_on(described.recording())
    assert finding_of(report, "tools.bcc").status is Status.FAIL
    assert finding_of(report, "tools.bcc").summary == "BCC is not installed"


def test_the_module_starts_with_the_distributions_python() -> None:
    described = without_tools(debian())
    described.commands["/usr/bin/python3", "-IBc", "import bcc"] = (1, "", "ImportError: libbcc.so.0\n")
    report = report_on(described.recording())
    assert finding_of(report, "tools.bcc-start").status is Status.FAIL
    assert capability(report, "bcc-compiler").status is Works.FAILS
