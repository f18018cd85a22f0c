"""Containers of real engines as they were seen in booted guests (`tests/lab`): `tests/observations/containers.toml`.

A cell holds what the kernel and the engine showed inside (`seen`), what worked there (`works`), the findings that are
the true cause (`because`), and the line that kdiag has to print, which was tried and works (`line`).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support import kernel_parts as parts
from tests.support import machines, toml
from tests.support.description import Description
from tests.support.paths import REPOSITORY

PLACE = REPOSITORY / "tests" / "observations" / "containers.toml"

_NUMBERED = {"bpf:fentry": parts.FENTRY_TEST, "bpf:iter": parts.ITER_TASK}
_STORAGE = {
    "docker": "lowerdir=/var/lib/docker/overlay2/l/A,upperdir=/var/lib/docker/overlay2/b/diff",
    "containers": "lowerdir=/srv/image,upperdir=/var/lib/containers/storage/overlay-containers/c/rootfs/upper",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen inside. answers: probes that did not succeed; foreign: namespaces that are not the machine's."""

    effective: str
    bounding: str
    seccomp: int
    label: str
    uid_map: str
    paranoid: int
    tracefs: str
    foreign: list[str]
    answers: dict[str, list[str]]
    marker: str = ""
    storage: str = ""
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class EngineCell:
    """One container."""

    name: str
    run: str
    release: str
    bpftrace: str
    because: list[str]
    works: dict[str, bool]
    seen: Seen
    line: str = ""

    def build(self) -> Description:
        """A machine that shows the same."""
        seen = self.seen
        described = machines.bpftrace(machines.linux(self.release, paranoid=seen.paranoid), self.bpftrace)
        described.remove("/lib/modules", f"/boot/config-{self.release}", "/sys/kernel/security")
        described.mount("/sys/kernel/security", machines.SYSFS)
        machines.mounted(described, tracefs=seen.tracefs != "absent", debugfs=False)
        if seen.tracefs in errno.errorcode.values():
            number = getattr(errno, seen.tracefs)
            for path in [p for p in described.nodes if p.startswith("/sys/kernel/tracing/")]:
                described.refuse(path, number)
        for name in seen.foreign:
            described.link(f"/proc/self/ns/{name}", f"{name}:[4026532999]")
        self._process(described)
        self._mounts(described)
        for name, (answer, detail) in seen.answers.items():
            full = f"{name}:{_NUMBERED[name]}" if name in _NUMBERED else name
            described.probe(full, _number(answer), detail)
        return described

    def _process(self, described: Description) -> None:
        seen = self.seen
        status = parts.process_status(int(seen.effective, 16), int(seen.bounding, 16), seccomp=seen.seccomp)
        described.file("/proc/self/status", status).file("/proc/self/uid_map", f"{seen.uid_map}\n")
        described.file("/proc/self/attr/current", f"{seen.label}\n")
        if ":" in seen.label:
            described.file("/sys/module/apparmor/parameters/enabled", "N\n").file(
                "/sys/fs/selinux/enforce", "1"
            )
        if seen.marker:
            described.file(seen.marker)

    def _mounts(self, described: Description) -> None:
        root = (
            f"overlay overlay rw,{_STORAGE[self.seen.storage]}" if self.seen.storage else "ext4 /dev/vda rw"
        )
        lines = [f"21 1 0:40 / / rw - {root}", "23 21 0:22 / /sys ro - sysfs sysfs ro"]
        if self.seen.hidden:
            described.remove("/sys/kernel/btf").dir("/sys/kernel/btf")
            lines.append(f"24 23 0:60 / {self.seen.hidden} ro - tmpfs tmpfs rw")
        described.file("/proc/self/mountinfo", "\n".join(lines) + "\n")


def _number(name: str) -> int:
    """An errno by its name; ENOTSUPP is the kernel's own (include/linux/errno.h)."""
    return {"ok": 0, "ENOTSUPP": 524}.get(name) or int(getattr(errno, name, 0))


@cache
def cells() -> dict[str, EngineCell]:
    """All of them, by name."""
    found: list[dict[str, Any]] = toml.read(PLACE)["container"]
    return {one["name"]: EngineCell(**{**one, "seen": Seen(**one["seen"])}) for one in found}
