"""What the guest starts from: its initramfs and its kernel command line.

The initramfs is made anew for each run (a few megabytes, milliseconds): busybox, the modules needed to see the disks,
two init programs, the job, and a payload that is copied over the root.
"""

from __future__ import annotations

import lzma
import re
import shlex
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import busybox, cpio
from .cpio import Node
from .errors import LabError
from .kernels import Kernel

#: modules that must be loaded before the root can be mounted, where they are not built in
_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "crc32c_generic", "ext4", "overlay")
_HERE = Path(__file__).parent / "guest"


@dataclass(frozen=True, slots=True)
class Ports:
    """Names of the guest's lines: kernel messages, standard output and error of the job, marks."""

    console: str
    out: str
    err: str
    control: str


PORTS: Mapping[str, Ports] = {
    "amd64": Ports("ttyS0", "ttyS1", "ttyS2", "ttyS3"),
    "i386": Ports("ttyS0", "ttyS1", "ttyS2", "ttyS3"),
    "arm64": Ports("ttyAMA0", "hvc0", "hvc1", "hvc2"),
    "armhf": Ports("ttyAMA0", "hvc0", "hvc1", "hvc2"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """What the guest is to do: a shell script, for whom, and how long at most (seconds of the guest)."""

    script: str
    user: str = "root"
    limit: float = 300.0
    interactive: bool = False
    #: rows and columns of the terminal, for a shell
    size: tuple[int, int] | None = None
    #: files put over the root: path without the leading slash -> content
    payload: Mapping[str, Node] = field(default_factory=dict)


def script_of(words: Sequence[str]) -> str:
    """A command as the shell reads it: one word is a script, several are a program and its arguments."""
    return words[0] if len(words) == 1 else shlex.join(words)


def command_line(kernel: Kernel, append: Sequence[str] = ()) -> str:
    """The kernel's command line; LabError when it is longer than the kernel reads (2048; 32-bit ARM 1024)."""
    ports = PORTS[kernel.arch]
    words = [f"console={ports.console}", "panic=-1", "mitigations=off", "nokaslr", "quiet", *append]
    line = " ".join(words)
    limit = 1023 if kernel.arch == "armhf" else 2047
    if len(line) > limit:
        raise LabError(f"the kernel command line has {len(line)} bytes, the kernel reads {limit}")
    return line


def initramfs(kernel: Kernel, job: Job, disks: int) -> bytes:
    """The whole initramfs as a cpio archive."""
    nodes: dict[str, Node] = {
        "init": cpio.executable((_HERE / "initrd-init").read_bytes()),
        ".lab/init": Node((_HERE / "init").read_bytes()),
        ".lab/busybox": cpio.executable(busybox.get(kernel.arch).read_bytes()),
        ".lab/disks": Node(b"%d\n" % disks),
        ".lab/job/env": Node(environment(kernel, job).encode()),
        ".lab/job/command": Node(f"{job.script}\n".encode()),
        "dev": cpio.directory(),
        "proc": cpio.directory(),
        "sys": cpio.directory(),
    }
    order = []
    for path in boot_modules(read_index(kernel.modules)) if kernel.modules is not None else ():
        order.append(re.sub(r"\.(xz|zst|gz)$", "", path.name))
        nodes[f".lab/modules/{order[-1]}"] = Node(plain(path))
    nodes[".lab/modules/order"] = Node("".join(f"{name}\n" for name in order).encode())
    nodes.update({f"payload/{name}": node for name, node in job.payload.items()})
    return cpio.archive(nodes)


def environment(kernel: Kernel, job: Job) -> str:
    """The job as assignments that the guest's init reads."""
    ports = PORTS[kernel.arch]
    values = {
        "out": ports.out,
        "err": ports.err,
        "ctl": ports.control,
        "limit": str(int(job.limit)),
        "user": job.user,
        "mode": "shell" if job.interactive else "run",
        "term": "vt100" if job.interactive else "dumb",
        "rows": str(job.size[0]) if job.size else "",
        "cols": str(job.size[1]) if job.size else "",
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


@dataclass(frozen=True, slots=True)
class ModuleIndex:
    """modules.dep of a kernel: file of each module (by name, "-" read as "_") and the files it needs."""

    top: Path
    files: Mapping[str, str]
    needs: Mapping[str, tuple[str, ...]]


def module_name(path: str) -> str:
    """``kernel/fs/ext4/ext4.ko.xz`` -> ``ext4``."""
    return Path(path).name.split(".ko")[0].replace("-", "_")


def read_index(top: Path) -> ModuleIndex:
    """Read ``modules.dep`` in ``lib/modules/REL``."""
    files, needs = {}, {}
    for line in (top / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        files[module_name(path)] = path
        needs[path] = tuple(rest.split())
    return ModuleIndex(top, files, needs)


def boot_modules(index: ModuleIndex) -> list[Path]:
    """Files to load, in an order in which each finds what it needs."""
    order: list[str] = []

    def visit(path: str) -> None:
        for needed in index.needs.get(path, ()):
            if needed not in order:
                visit(needed)
        if path not in order:
            order.append(path)

    for name in _MODULES:
        if name in index.files:
            visit(index.files[name])
    return [index.top / path for path in order]


def plain(path: Path) -> bytes:
    """A module's bytes, decompressed: busybox cannot load compressed ones."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return zlib.decompress(data, wbits=31)
    if path.suffix == ".zst":
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data
