"""QEMU's command line and what is read from its lines afterwards; no QEMU is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import qemu
from .kernels import Kernel


def _boot(arch: str = "amd64") -> qemu.Boot:
    kernel = Kernel("k", "6.1.0", arch, Path("/k/image"), None)
    return qemu.Boot(kernel, b"", "console=x", [Path("/cache/a,b.ext4"), Path("/cache/c.ext4")])


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_disks_are_read_only_and_in_order(arch: str) -> None:
    words = qemu.command(_boot(arch), Path("/tmp/x"), interactive=False)
    drives = [words[i + 1] for i, word in enumerate(words) if word == "-drive"]
    assert drives == [
        "file=/cache/a,,b.ext4,format=raw,if=virtio,readonly=on",
        "file=/cache/c.ext4,format=raw,if=virtio,readonly=on",
    ]
    assert "-no-reboot" in words and "kvm" not in " ".join(words)


def test_cmpxchg16b_is_hidden() -> None:
    # QEMU 7.2 loses the flags around it now and then: one boot in five of Debian's 6.12 died with it
    words = qemu.command(_boot(), Path("/tmp/x"), interactive=False)
    assert words[words.index("-cpu") + 1] == "max,-cx16"


def test_a_shell_has_the_terminal() -> None:
    words = qemu.command(_boot(), Path("/tmp/x"), interactive=True)
    assert "stdio,id=out,signal=off" in words


def _lines(place: Path, control: str, out: bytes = b"", console: str = "") -> None:
    (place / "control").write_text(control)
    (place / "out").write_bytes(out)
    (place / "err").write_bytes(b"")
    (place / "console").write_text(console)


def test_a_told_status_is_the_outcome(tmp_path: Path) -> None:
    _lines(tmp_path, "KD-BOOT 4.85\nKD-EXIT 3\n", b"\x00binary\n")
    outcome = qemu.read_outcome(tmp_path, "", False, 7.0, 5.5)
    assert (outcome.status, outcome.booted, outcome.timed_out) == (3, True, False)
    assert (outcome.boot_seconds, outcome.cpu_seconds, outcome.out) == (4.85, 5.5, b"\x00binary\n")
    assert qemu.explain(outcome) is None


def test_a_panic_before_the_job_is_explained_with_the_last_words(tmp_path: Path) -> None:
    _lines(tmp_path, "", console="booting\nKernel panic - not syncing: no init\n")
    outcome = qemu.read_outcome(tmp_path, "", False, 2.0, 1.0)
    assert outcome.status is None and not outcome.booted
    trouble = qemu.explain(outcome)
    assert trouble is not None
    assert "before the job started" in trouble.message
    assert "Kernel panic" in trouble.message


def test_a_passed_limit_is_said(tmp_path: Path) -> None:
    _lines(tmp_path, "KD-BOOT 4.85\nKD-LIMIT\n")
    trouble = qemu.explain(qemu.read_outcome(tmp_path, "", False, 60.0, 50.0))
    assert trouble is not None
    assert trouble.message.startswith("the time limit passed after 60 s, while the job ran")


def test_a_marker_in_the_jobs_own_output_means_nothing(tmp_path: Path) -> None:
    _lines(tmp_path, "KD-BOOT 1\n", b"KD-EXIT 0\n")
    assert qemu.read_outcome(tmp_path, "", False, 1.0, 1.0).status is None
