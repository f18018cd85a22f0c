"""What is said of headers that are not the kernel's, not there, or no longer: and what bpftrace will say of them."""

from __future__ import annotations

import pytest

from kdiag.model import Status, Works
from kdiag.report.story.kernel_headers import answer
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import finding_of, report_on

RELEASE = "6.12.107+deb13-amd64"
UNPACKED = f"/tmp/kheaders-{RELEASE}"


def on(version: str) -> Description:
    return machines.bpftrace(machines.linux(RELEASE), version)


def works(described: Description) -> dict[str, Works]:
    return {c.id: c.status for c in report_on(described.recording()).capabilities}


# -- the warning that people come with --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "printed"),
    [
        ("0.17.0", False),
        ("0.20.3", False),
        ("0.20.4", True),
        ("0.21.0", True),
        ("0.21.3", True),
        ("0.22.0", False),  # only below an error
        ("0.23.2", False),
        ("0.24.0", False),
        ("0.27.1", False),
    ],
)
def test_the_warning_that_bpftrace_prints_although_all_works(version: str, printed: bool) -> None:
    report = report_on(on(version).recording())
    assert (finding_of(report, "headers.warning").status is Status.OK) == printed
    said = (
        f"{version} prints `WARNING: Could not find kernel headers` from the first tracepoint with arguments"
    )
    assert (f"{said} on, not at BEGIN: harmless here, BTF has the types." in answer(report)) == printed
    assert {c.status for c in report.capabilities if c.id in report.required} == {Works.WORKS}


@pytest.mark.parametrize(
    "change",
    [
        machines.debian_headers,
        lambda x: x.env("BPFTRACE_KERNEL_SOURCE", "/nonexistent"),
    ],
)
def test_no_warning_where_bpftrace_takes_a_directory(change: object) -> None:
    assert callable(change)
    report = report_on(change(on("0.21.2")).recording())
    assert finding_of(report, "headers.warning").status is Status.SKIP
    assert "prints `WARNING" not in answer(report)


def test_an_empty_variable_counts_as_none_up_to_0_21() -> None:
    """It is returned as it is, before the warning, and means "no headers"."""
    report = report_on(on("0.21.2").env("BPFTRACE_KERNEL_SOURCE", "").recording())
    assert "harmless" not in answer(report)


def test_without_btf_it_is_not_harmless() -> None:
    report = report_on(machines.without_btf(on("0.21.2")).recording())
    assert "harmless" not in answer(report) and "Yes" in answer(report)


# -- the C library's headers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["/usr/include/sys", "/usr/include/x86_64-linux-gnu/sys"])
def test_tools_that_include_the_c_librarys_headers(place: str) -> None:
    described = machines.debian_headers(on("0.17.0"))
    report = report_on(described.recording())
    assert finding_of(report, "headers.libc").status is Status.FAIL
    assert "stock-tools" in report.blocks["headers.libc"]
    again = report_on(described.file(f"{place}/socket.h").recording())
    assert finding_of(again, "headers.libc").status is Status.OK
    assert finding_of(report_on(on("0.23.2").recording()), "headers.libc").status is Status.SKIP


# -- what a tool unpacked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "place"), [(None, "/tmp"), ("/var/tmp/mine", "/var/tmp/mine"), ("", "/tmp")]
)
def test_where_a_tool_unpacks_and_looks_again(variable: str | None, place: str) -> None:
    described = machines.without_btf(on("0.17.0")).env("TMPDIR", variable)
    assert works(described)["tracepoint-args"] is Works.FAILS
    machines.tree(described, f"{place}/kheaders-{RELEASE}")
    assert works(described)["tracepoint-args"] is Works.WORKS


def test_a_tree_that_was_emptied() -> None:
    """systemd-tmpfiles leaves the directories: bpftrace takes them, and does not unpack anew."""
    described = machines.kheaders(machines.without_btf(on("0.17.0")), "loaded")
    assert works(described)["tracepoint-args"] is Works.WORKS
    described.dir(f"{UNPACKED}/include/linux")
    report = report_on(described.recording())
    assert finding_of(report, "kheaders.leftover").status is Status.WARN
    assert works(described)["tracepoint-args"] is Works.FAILS
    assert finding_of(report, "headers.intact").remedies[0].commands == (f"sudo rm -r {UNPACKED}",)


@pytest.mark.parametrize(("version", "works_here"), [("0.20.0", Works.FAILS), ("0.20.2", Works.WORKS)])
def test_whose_it_is_counts_since_0_20_2(version: str, works_here: Works) -> None:
    """An empty directory of another user: taken before, unpacked anew since."""
    described = machines.kheaders(machines.without_btf(on(version)), "loaded").dir(UNPACKED, uid=1000)
    assert works(described)["tracepoint-args"] is works_here


def test_bcc_takes_what_was_unpacked() -> None:
    described = machines.bcc_starts(on("0.23.2").program("execsnoop-bpfcc", "/usr/sbin/execsnoop-bpfcc"))
    assert finding_of(report_on(described.recording()), "headers.bcc").status is Status.FAIL
    machines.tree(described, UNPACKED)
    assert finding_of(report_on(described.recording()), "headers.bcc").status is Status.OK
    described.remove(f"{UNPACKED}/include/linux")
    report = report_on(described.recording())
    assert finding_of(report, "headers.bcc").status is Status.FAIL
    assert "BCC" in finding_of(report, "kheaders.leftover").reason


def test_a_leftover_that_no_tool_takes() -> None:
    report = report_on(on("0.23.2").dir(f"{UNPACKED}/include").recording())
    assert finding_of(report, "kheaders.leftover").status is Status.SKIP


# -- user-space headers in place of the kernel's ----------------------------------------------------------------------


def compiler_alone(version: str) -> Description:
    """Neither BTF nor kernel headers; linux-libc-dev, as on every machine with a compiler."""
    return machines.libc_headers(machines.without_btf(on(version)))


@pytest.mark.parametrize("version", ["0.17.0", "0.20.2", "0.21.3", "0.23.2", "0.24.2"])
def test_tracepoints_whose_types_user_space_has_too(version: str) -> None:
    """Seen with 0.23.2: sock works, openat fails at s64, fork at pid_t."""
    status = works(compiler_alone(version))
    assert status["tracepoint-net"] is Works.WORKS
    assert {status["tracepoint-args"], status["tracepoint-sched"], status["include"]} == {Works.FAILS}
    assert status["hello"] is Works.WORKS
    assert works(machines.without_btf(on(version)))["tracepoint-net"] is Works.FAILS


@pytest.mark.parametrize("version", ["0.11.3", "0.25.0"])
def test_releases_that_do_not_take_them(version: str) -> None:
    """0.11.3 was seen to fail; 0.25 takes BTF only."""
    assert works(compiler_alone(version))["tracepoint-net"] is Works.FAILS


def test_every_script_of_0_12_to_0_16_includes_the_types() -> None:
    assert works(machines.without_btf(on("0.14.0")))["hello"] is Works.FAILS
    assert works(compiler_alone("0.14.0"))["hello"] is Works.WORKS


def test_half_of_the_user_space_headers_is_none() -> None:
    """linux/types.h includes asm/types.h, which Debian keeps in the architecture's own directory."""
    described = compiler_alone("0.23.2").remove("/usr/include/x86_64-linux-gnu/asm")
    assert works(described)["tracepoint-net"] is Works.FAILS


def test_the_format_decides() -> None:
    """A kernel whose tracepoint names another type, and one whose files were not looked at."""
    described = compiler_alone("0.23.2")
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        path = f"{place}/events/sock/inet_sock_set_state/format"
        described.file(path, described.nodes[path].data.replace(b"__u16 sport", b"u16 sport"))
    report = report_on(described.recording())
    assert "u16" in finding_of(report, "headers.user-sock").summary
    assert works(described)["tracepoint-net"] is Works.FAILS
    assert "headers.user-sock" not in report.blocks
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        described.refuse(f"{place}/events/sock/inet_sock_set_state/format")
    found = finding_of(report_on(described.recording()), "headers.user-sock")
    assert found.status is Status.UNKNOWN and found.likely is Status.OK


def test_a_broken_kernel_tree_comes_first() -> None:
    described = compiler_alone("0.23.2").dir(f"/lib/modules/{RELEASE}/build")
    assert works(described)["tracepoint-net"] is Works.FAILS
