"""BCC compiles the kernel's headers with a bpf.h of its own: what that lacks is looked for in both."""

from __future__ import annotations

import pytest

from kdiag.knowledge.tools.bcc_history import enough, only_by_tcp, unmet
from kdiag.model import Finding, Report, Status, Works
from kdiag.parse import cheaders, libbcc
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on

LIBRARY = "/usr/lib/x86_64-linux-gnu/libbcc.so"

#: The kernel's two headers, as far as they matter, by what they rely on.
USER = "struct bpf_timer {\n\t__u64 o[2];\n};\nstruct bpf_wq {\n\t__u64 o[2];\n};\nenum {\n\tBPF_F_NEW = 1,\n};\n"
KERNEL = "/* sizeof(struct bpf_gone) */\n#define USE BPF_F_NEW\nint f(void)\n{\n\treturn sizeof(struct bpf_wq);\n}\n"


def with_bcc(release: str, version: str) -> Report:
    described = machines.bcc_starts(machines.linux(release))
    return report_on(described.file(f"{LIBRARY}.{version}", b"\x7fELF").recording())


def library(own: str, *strings: str) -> bytes:
    """As far as it matters: its strings, and the bpf.h that it brings."""
    texts = [*strings, f"/* BCC's */\n#ifndef __LINUX_BPF_H__\n{own}"]
    return b"\x7fELF\0" + b"\0".join(text.encode() for text in texts) + b"\0rest"


def looked_at(
    own: str, user: str = USER, kernel: str = KERNEL, *strings: str, release: str = "6.12.117+deb12-amd64"
) -> tuple[Description, str]:
    """A machine with the headers of its kernel, and a BCC whose bpf.h is `own`."""
    described = machines.bcc_starts(machines.linux(release))
    place = f"/usr/src/linux-headers-{release}"
    machines.tree(described, place).link(f"/lib/modules/{release}/build", place)
    described.file(f"{place}/include/linux/bpf.h", kernel).file(f"{place}/include/uapi/linux/bpf.h", user)
    described.file(f"{LIBRARY}.0.26.0", library(own, *strings))
    return described, place


def age(described: Description) -> Finding:
    finding = report_on(described.recording()).finding("headers.bcc-age")
    assert finding is not None
    return finding


@pytest.mark.parametrize(
    ("release", "version", "status", "said"),
    [
        ("6.1.0-50-amd64", "0.26.0", Status.UNKNOWN, "not tried"),
        ("6.12.117+deb12-amd64", "0.26.0", Status.FAIL, "linux/bpf.h"),
        ("6.12.117+deb13-amd64", "0.31.0", Status.UNKNOWN, "not tried"),
        ("5.15.0-91-generic", "0.18.0", Status.FAIL, "linux/bpf.h"),
        ("6.18.2-arch1-1", "0.35.0", Status.FAIL, "linux/bpf.h"),
        ("6.19.1-arch1-1", "0.36.1", Status.FAIL, "pid_namespace"),
        ("7.0.0", "0.36.1", Status.FAIL, "linux/fs.h"),
        ("7.0.0", "0.37.0", Status.UNKNOWN, "not tried"),
    ],
)
def test_what_is_expected_where_headers_are_not_seen(
    release: str, version: str, status: Status, said: str
) -> None:
    finding = with_bcc(release, version).finding("headers.bcc-age")
    assert finding is not None
    assert finding.status is status
    assert said in f"{finding.summary} {finding.reason}"


def test_what_nobody_tried_is_no_plain_yes() -> None:
    described = machines.bcc_starts(machines.debian_headers(machines.linux("6.1.0-50-amd64")))
    report = report_on(described.file(f"{LIBRARY}.0.26.0", b"\x7fELF").recording())
    bcc = next(c for c in report.capabilities if c.id == "bcc-tools")
    assert bcc.status is Works.CAVEAT
    assert bcc.because.startswith("expected to work: ")


def test_the_newest_requirement_is_said_with_the_release_that_meets_it() -> None:
    found, *older = unmet((6, 12, 0), (0, 20, 0))
    assert [one.bcc for one in older] == [(0, 28, 0), (0, 26, 0), (0, 21, 0)]
    assert (found.kernel, found.bcc) == ((6, 10, 0), (0, 31, 0))
    assert unmet((5, 10, 0), (0, 18, 0)) == ()
    assert enough((6, 12, 0), (0, 20, 0)) == (0, 31, 0)
    assert enough((6, 12, 0), (0, 31, 0)) is None


def test_a_struct_that_its_own_header_lacks_is_found_in_the_headers() -> None:
    described, _ = looked_at("struct bpf_timer {\n};\n")
    finding = age(described)
    assert finding.status is Status.FAIL
    assert "struct bpf_wq" in finding.summary
    assert any(e.source.endswith("/include/linux/bpf.h") and "bpf_wq" in e.observed for e in finding.evidence)
    assert any("0.31.0" in remedy.title for remedy in finding.remedies)


@pytest.mark.parametrize("version", ["0.12.0", "0.26.0", "0.37.0"])
def test_the_header_decides_and_not_the_release(version: str) -> None:
    """A distribution may patch either: here the struct is there whatever the library is called."""
    described, _ = looked_at("struct bpf_timer {\n};\nstruct bpf_wq {\n};\n")
    described.remove(f"{LIBRARY}.0.26.0")
    described.file(f"{LIBRARY}.{version}", library("struct bpf_wq {\n};\n"))
    finding = age(described)
    assert finding.status is Status.OK
    assert "has what" in finding.summary


def test_headers_that_rely_on_nothing_new_are_compiled_by_an_old_one() -> None:
    described, _ = looked_at("", kernel="struct bpf_wq;\nvoid f(struct bpf_wq *);\n")
    assert age(described).status is Status.OK


def chain(described: Description, place: str, *headers: str) -> Description:
    """Headers of which each includes the next."""
    for one, following in zip(headers, (*headers[1:], "linux/types.h"), strict=True):
        described.file(f"{place}/include/{one}", f"#ifndef A\n#  include <{following}>\n#endif\n")
    return described


@pytest.mark.parametrize(
    ("ways", "status"),
    [
        ([("net/sock.h", "linux/security.h", "linux/bpf.h")], Status.FAIL),
        ([("net/sock.h", "linux/a.h", "net/b.h", "uapi/linux/c.h", "linux/bpf.h")], Status.FAIL),
        ([("net/sock.h", "linux/a.h"), ("net/tcp.h", "linux/filter.h", "linux/bpf.h")], Status.WARN),
        ([("net/sock.h", "linux/a.h"), ("net/tcp.h", "net/sock.h")], Status.OK),
        ([("net/sock.h", "linux/a.h", "net/sock.h"), ("net/tcp.h",)], Status.OK),
    ],
)
def test_only_tools_whose_headers_lead_to_bpf_h_are_stopped(
    ways: list[tuple[str, ...]], status: Status
) -> None:
    """Seen: BCC 0.18 compiles <net/sock.h> of Debian's 6.1, whose bpf.h it could not compile."""
    described, place = looked_at("struct bpf_timer {\n};\n")
    for way in ways:
        chain(described, place, *(one for one in way if one != "linux/bpf.h"))
        if way[-1] == "linux/bpf.h":
            described.file(f"{place}/include/{way[-2]}", "#include <linux/bpf.h>\n")
    described.file(f"{place}/include/linux/bpf.h", KERNEL)
    finding = age(described)
    assert finding.status is status
    if status is Status.WARN:
        assert "net/tcp.h" in finding.reason
        network = next(c for c in report_on(described.recording()).capabilities if c.id == "bcc-net")
        assert network.status is Works.CAVEAT


def test_where_the_way_was_not_seen_the_release_tells() -> None:
    assert [only_by_tcp(one) for one in ((5, 16, 9), (5, 17, 0), (6, 9, 12), (6, 10, 0))] == [
        *(False, True, True, False)
    ]
    finding = with_bcc("6.5.0-14-generic", "0.18.0").finding("headers.bcc-age")
    assert finding is not None
    assert finding.status is Status.WARN
    assert "net/tcp.h" in finding.reason


def test_constants_count_too() -> None:
    described, _ = looked_at(
        "struct bpf_wq {\n};\n", kernel=f"{KERNEL}int g(void)\n{{\n\treturn BPF_F_NEW;\n}}\n"
    )
    finding = age(described)
    assert finding.status is Status.FAIL
    assert "BPF_F_NEW" in finding.summary


@pytest.mark.parametrize(
    ("flag", "status"),
    [
        ("", Status.FAIL),
        ("\0microsoft-anon-tag\0", Status.FAIL),
        ("\0-Wno-microsoft-anon-tag\0", Status.OK),
        # Debian's libbcc 0.37.0: a constant of 16 bytes between others, and a number in an instruction
        ("H\xb9anon-tagH\x89H\x0f -prote-Wno-microsoft-a-DCONFIG", Status.OK),
        # both halves of the constant are numbers in instructions
        ("H\xb8-Wno-micH\xbarosoft-aH\xb9anon-tag", Status.OK),
    ],
    ids=["before", "name-of-clang", "whole", "constant-and-number", "numbers"],
)
def test_unnamed_members_need_an_option_of_the_compiler(flag: str, status: Status) -> None:
    described, place = looked_at("struct bpf_wq {\n};\n", USER, KERNEL, flag, release="7.0.0")
    described.file(
        f"{place}/include/linux/fs.h", "struct forward;\nstruct filename {\n\tstruct __filename_head;\n};\n"
    )
    finding = age(described)
    assert finding.status is status
    assert ("struct __filename_head" in finding.summary) is (status is Status.FAIL)


def test_opensnoop_compiles_where_only_fs_h_has_unnamed_members() -> None:
    """It includes linux/sched.h: opensnoop of BCC 0.31 was seen to work on 7.2, and execsnoop not to compile."""
    described, place = looked_at("struct bpf_wq {\n};\n", USER, KERNEL, release="7.2.13+deb14-cloud-amd64")
    described.file(f"{place}/include/linux/fs.h", "struct filename {\n\tstruct __filename_head;\n};\n")
    report = report_on(described.recording())
    found = {one.id: one.status for one in report.findings}
    assert (found["headers.bcc-structs"], found["headers.bcc-sched"]) == (Status.FAIL, Status.OK)
    execsnoop = next(c for c in report.capabilities if c.id == "bcc-execsnoop")
    opensnoop = next(c for c in report.capabilities if c.id == "bcc-opensnoop")
    assert "headers.bcc-structs" in execsnoop.findings
    assert "headers.bcc-structs" not in opensnoop.findings


@pytest.mark.parametrize(
    ("llvm", "written", "status"),
    [
        ("libLLVM-8.so.1", "asm goto(", Status.FAIL),
        ("libLLVM-8.so.1", "asm_volatile_goto(", Status.OK),
        ("libLLVM-9.so.1", "asm goto(", Status.OK),
        ("libLLVM.so.19.1", "asm goto(", Status.OK),
        ("clang version 6.0.0", "asm goto(", Status.FAIL),
    ],
)
def test_asm_goto_needs_a_compiler_that_has_it(llvm: str, written: str, status: Status) -> None:
    described, place = looked_at("struct bpf_wq {\n};\n", USER, KERNEL, llvm)
    described.file(f"{place}/arch/x86/include/asm/jump_label.h", f"static int f(void)\n{{\n\t{written}\n}}\n")
    assert age(described).status is status


def test_what_was_looked_at_survives_in_a_recording_that_was_reduced() -> None:
    many = "".join(f"struct s{n} {{\n\tint a;\n}};\nenum {{ BPF_{n}, }};\n" for n in range(1000))
    data = library(many, "libLLVM-14.so.1", "\0-Wno-microsoft-anon-tag\0")
    assert libbcc.parse(libbcc.digest(data)) == libbcc.parse(data)
    assert libbcc.parse(data).llvm == 14
    text = many + KERNEL + "struct x {\n\tstruct y;\n\tstruct z field;\n};\n"
    for question in (cheaders.defined, cheaders.relies_on, cheaders.unnamed_members, cheaders.includes):
        assert question(cheaders.digest(text)) == question(text)
