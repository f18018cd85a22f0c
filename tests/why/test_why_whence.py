"""A text that names another machine than the one that was examined says so."""

from __future__ import annotations

import pytest

from kdiag.model import MachineInfo
from kdiag.why.joining import join
from kdiag.why.whence import foreign

HERE = MachineInfo(release="6.1.0-18-amd64", arch="x86_64", bpftrace="bpftrace v0.21.2")


def told(text: str, machine: MachineInfo = HERE) -> list[str]:
    return list(foreign(join(text.splitlines()).origin, machine))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Unable to find kernel headers, tried /lib/modules/5.15.0-91-generic/build", "5.15.0-91-generic"),
        ("chdir(/lib/modules/4.18.0-305.el8.x86_64/build): No such file", "4.18.0-305.el8.x86_64"),
        ("error: no BTF found for kernel version 5.15.49-linuxkit: not supported", "5.15.49-linuxkit"),
        ('Kernel version \\"5.4.257-1.el7.elrepo.x86_64\\" BTF search failed', "5.4.257-1.el7.elrepo.x86_64"),
        ("fatal error: /tmp/kheaders-6.15.11-orbstack/include/a.h: not found", "6.15.11-orbstack"),
        ("cannot open /boot/vmlinux-6.6.87.2-microsoft-standard-WSL2", "6.6.87.2-microsoft-standard-WSL2"),
        ("error: Linux version 5.15.167.4-microsoft-standard-WSL2", "5.15.167.4-microsoft-standard-WSL2"),
        ("error: /usr/src/kernels/5.14.0-503.el9.x86_64: not found", "5.14.0-503.el9.x86_64"),
    ],
)
def test_another_kernel(text: str, names: str) -> None:
    assert told(text) == [f"the text names Linux {names}, and Linux 6.1.0-18-amd64 was examined"]


@pytest.mark.parametrize(
    "text",
    [
        "error: /lib/modules/6.1.0-18-amd64/build: not found",
        "error: /lib/modules/6.1.0/build: not found",
        "failed: /lib/modules/5.10.0-1/build is of another kernel than /lib/modules/6.1.0-18-amd64/build",
        "error: requires Linux kernel 5.8.0 or newer",
        "this tool needs at least kernel version 5.10.2, cannot go on",
        "error: kernel 5.8.0 or later is required",
        "kernel: 802.11 failed",
        "error: version 5.15.0 of the tool failed",
    ],
)
def test_this_kernel_and_what_a_program_asks_for(text: str) -> None:
    assert told(text) == []


def test_a_kernel_that_is_not_known_is_no_other() -> None:
    assert told("error: /lib/modules/5.15.0-91-generic/build", MachineInfo()) == []


def test_another_architecture() -> None:
    text = "Failed to attach BPF program b'hello' to kprobe b'__arm64_sys_clone'"
    assert told(text) == ["the text names system calls of aarch64, and x86_64 was examined"]
    assert told(text.replace("arm64", "x64")) == []
    assert told(text + "\nerror: __x64_sys_clone") == []


def test_another_bpftrace() -> None:
    assert told("bpftrace v0.9.4\nERROR: failed") == [
        "the text names bpftrace 0.9.4, and 0.21.2 is installed"
    ]
    assert told("bpftrace v0.21.2\nERROR: failed") == []
    assert told("bpftrace v0.9.4\nERROR: failed", HERE._replace(bpftrace="")) == []
