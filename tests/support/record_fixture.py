"""Records this machine as a fixture in a new directory.

    sudo .venv/bin/python -m tests.support.record_fixture fixtures/NAME

All checks run on a `Recorder` around the live machine. What a fixture must not hold is taken out on the way: the
environment of process 1, words of the command line that kdiag does not know, mounts that are no kernel file systems,
packages that kdiag does not ask for, where this interpreter lies. The BTF of 5 MB is replaced by the small one of
`kernel_parts`, and the probes that name its types follow.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from kdiag.checking.analysis import analyse
from kdiag.machine import Machine
from kdiag.system.live import Live
from kdiag.system.recorder import Recorder
from tests.support import kernel_parts as parts
from tests.support.reports import builtin

_KERNEL_MOUNTS = re.compile(
    rb" - (proc|sysfs|tracefs|debugfs|securityfs|bpf|cgroup2?|devtmpfs|ext4|overlay) "
)
_WORDS = re.compile(
    r"(console|quiet|reboot|panic|nomodule|lockdown|lsm|security|pci|virtio_mmio\.device)(=.*)?"
)
_PACKAGES = re.compile(
    rb"^Package: (bpftrace|bpftool|bpfcc-tools|base-files|linux-(headers|kbuild|libc-dev).*)$", re.M
)
_INTERPRETER = "/usr/bin/python3"
#: Larger files do not belong into a repository.
_LARGEST = 200_000


def record(directory: Path) -> None:
    """Examine this machine, and write the recording of it into `directory`."""
    recorder = Recorder(Live())
    registry = builtin()
    analyse(Machine(recorder), registry, registry.checks)
    _small_btf(recorder)
    files = recorder.files
    _rewrite(
        files,
        "/proc/1/environ",
        lambda data: b"\0".join(e for e in data.split(b"\0") if e.startswith(b"container=")),
    )
    _rewrite(
        files,
        "/proc/cmdline",
        lambda data: " ".join(filter(_WORDS.fullmatch, data.decode().split())).encode() + b"\n",
    )
    _rewrite(files, "/proc/version", lambda data: re.sub(rb"\(\S+@\S+\)", b"(builder@build)", data))
    _rewrite(
        files,
        "/proc/self/mountinfo",
        lambda data: b"".join(filter(_KERNEL_MOUNTS.search, data.splitlines(True))),
    )
    _rewrite(
        files,
        "/var/lib/dpkg/status",
        lambda data: b"\n\n".join(filter(_PACKAGES.search, data.split(b"\n\n"))) + b"\n",
    )
    for path, data in files.items():
        if len(data) > _LARGEST:
            raise SystemExit(f"{path} has {len(data)} bytes: too large for a fixture")
    recorder.env_table = {
        k: "/root" if k == "HOME" else v for k, v in recorder.env_table.items() if k != "PATH"
    }
    recorder.write(directory)
    _hide_the_interpreter(recorder, directory)


def _rewrite(files: dict[str, bytes], path: str, change: Callable[[bytes], bytes]) -> None:
    if path in files:
        files[path] = change(files[path])


def _hide_the_interpreter(recorder: Recorder, directory: Path) -> None:
    """The path of the Python that recorded is nobody's business; the architecture in its first bytes is."""
    if recorder.identity_table is None:
        return
    mine = str(recorder.identity_table["interpreter"])
    index = directory / "recording.json"
    index.write_text(
        index.read_text(encoding="utf-8").replace(json.dumps(mine), json.dumps(_INTERPRETER)),
        encoding="utf-8",
    )
    stored = directory / "root" / mine.lstrip("/")
    if stored.exists():
        target = directory / "root" / _INTERPRETER.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        stored.rename(target)
        for parent in stored.parents:
            if parent == directory or any(parent.iterdir()):
                break
            parent.rmdir()


def _small_btf(recorder: Recorder) -> None:
    path = "/sys/kernel/btf/vmlinux"
    if path not in recorder.files:
        return
    recorder.files[path] = parts.btf()
    numbers = {"bpf:fentry": parts.FENTRY_TEST, "bpf:iter": parts.ITER_TASK}
    for name in [*recorder.probes]:
        kind = name.rpartition(":")[0]
        if kind in numbers:
            recorder.probes[f"{kind}:{numbers[kind]}"] = recorder.probes.pop(name)


if __name__ == "__main__":
    if len(sys.argv) != 2 or Path(sys.argv[1]).exists():
        raise SystemExit(__doc__)
    record(Path(sys.argv[1]))
