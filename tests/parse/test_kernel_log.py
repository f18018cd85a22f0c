"""The kernel's log, in both of its forms: what counts, what does not, and who wrote it."""

from __future__ import annotations

import pytest

from kdiag.parse.kernel_log import kernel_text, notable, notices

#: Lines as kernels write them, with what they say: (text, kind, subject).
LINES = [
    ("failed to validate module [veth] BTF: -22", "module-btf", "veth"),
    ("bpf: failed to validate module [nf_tables] BTF: -22", "module-btf", "nf_tables"),
    (
        "Kernel module BTF mismatch detected, BTF debug info may be unavailable for some modules",
        "module-btf-ignored",
        "Kernel module BTF mismatch",
    ),
    ("BPF: [101283] STRUCT nf_conn", "btf", "[101283] STRUCT nf_conn"),
    (
        "Lockdown: bpftrace: use of bpf to read kernel RAM is restricted; see man kernel_lockdown.7",
        "lockdown",
        "use of bpf to read kernel RAM",
    ),
    (
        "Lockdown: a: b: use of tracefs is restricted; see man kernel_lockdown.7",
        "lockdown",
        "b: use of tracefs",
    ),
    (
        "Kernel is locked down from EFI Secure Boot mode; see man kernel_lockdown.7",
        "locked",
        "EFI Secure Boot mode",
    ),
    (
        'audit: type=1400 audit(1700000000.123:45): avc:  denied  { map_create } for  pid=9 comm="bpftrace" '
        "scontext=system_u:system_r:container_t:s0:c1,c2 tcontext=system_u:system_r:container_t:s0:c1,c2 tclass=bpf "
        "permissive=0",
        "avc",
        "map_create",
    ),
    (
        'audit: type=1400 audit(1700000000.123:46): apparmor="DENIED" operation="capable" class="cap" '
        'profile="docker-default" pid=9 comm="bpftrace" capability=39  capname="bpf"',
        "apparmor",
        "capable",
    ),
    (
        "Memory cgroup out of memory: Killed process 4711 (bpftrace) total-vm:812344kB, anon-rss:261120kB",
        "oom",
        "bpftrace",
    ),
    ("Out of memory: Killed process 812 (clang) total-vm:1kB", "oom", "clang"),
    (
        "bpftrace[2371]: segfault at 50 ip 00007f2b sp 00007ffd error 4 in libbpf.so.1.1.2[fee0+35000]",
        "crash",
        "bpftrace",
    ),
    (
        "kheaders: version magic '6.1.0-18-amd64 SMP' should be '6.1.0-20-amd64 SMP'",
        "module",
        "kheaders",
    ),
    ("nvidia: loading out-of-tree module taints kernel.", "taint", "nvidia"),
    ("Loading of unsigned module is rejected", "signature", "Loading of unsigned module"),
]


@pytest.mark.parametrize(
    "form", ["4,339,5140900,-;{}", "<4>[    5.140900] {}", "<4>[    5.140900][  T123] {}", "<4>{}"]
)
@pytest.mark.parametrize(("text", "kind", "subject"), LINES)
def test_a_line_in_every_form(form: str, text: str, kind: str, subject: str) -> None:
    (found,) = notices(f"6,1,0,-;Linux version 6.1\n{form.format(text)}\n".encode())
    assert (found.kind, found.subject, found.line) == (kind, subject, text)


@pytest.mark.parametrize("form", ["30,339,5140900,-;{}", "<30>[    5.140900] {}", "{}"])
def test_what_a_program_wrote_does_not_count(form: str) -> None:
    """Facility 3: what systemd and other programs write to /dev/kmsg."""
    for text, _, _ in LINES:
        assert list(notices(form.format(text).encode())) == []


def test_a_message_of_user_space_in_an_audit_record_does_not_count() -> None:
    """Type 1107 (USER_AVC) quotes what a program sent."""
    line = "<5>[ 1.0] audit: type=1107 audit(1.1:2): pid=1 uid=0 msg='avc:  denied  { prog_load } for tclass=bpf'"
    assert list(notices(line.encode())) == []


def test_the_fields_of_an_audit_record() -> None:
    avc, apparmor = (
        next(iter(notices(f"5,1,2,-;{text}".encode())))
        for text, kind, _ in LINES
        if kind in ("avc", "apparmor")
    )
    assert (avc.field("tclass"), avc.field("permissive"), avc.field("nothing")) == ("bpf", "0", "")
    assert (apparmor.field("profile"), apparmor.field("capname")) == ("docker-default", "bpf")


def test_only_what_is_about_tracing_is_kept() -> None:
    mine = b"4,2,3,-;failed to validate module [veth] BTF: -22\n"
    log = (
        b"6,1,2,-;usb 1-1: SerialNumber: 4C530001\n"
        + mine
        + b"6,3,4,-;device eth0 entered promiscuous mode\n"
    )
    assert notable(log) == mine
    assert list(notices(notable(log))) == list(notices(log))
    assert notable(b"6,1,2,-;usb 1-1: new device\n") == b""


def test_bytes_that_are_no_text() -> None:
    assert list(notices(b"\xff\xfe\x00BTF\n<4>\xffBPF: x\n\n;;;\n4,1;BTF")) == []
    assert not kernel_text("999999999999,1,2,-;BTF")


def test_the_work_grows_with_the_log(request: pytest.FixtureRequest) -> None:
    """A line of many blanks and brackets is one look for each rule, not one for each of its characters."""
    del request
    for text in (
        "Lockdown: " + "a: " * 5000,
        "audit: type=1400 audit(" + "(" * 5000,
        "BTF" * 5000,
        "x" * 9000 + ": segfault",
    ):
        assert len(list(notices(f"4,1,2,-;{text}".encode()))) <= 1
