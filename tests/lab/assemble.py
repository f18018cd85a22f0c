"""From names to a guest: which kernel, root, layers and payload a boot is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import build, cpio, debian_kernels, engines, guest, kernels, layers, payload, qemu, roots, selinux
from .cpio import Node
from .errors import LabError
from .guest import Job
from .kernels import Kernel

#: names that ``find_layer`` knows
LAYERS = ("kheaders", "kheaders-extracted", "engines", "selinux", *layers.HEADERS)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, by names.

    ``layers``: as ``find_layer`` takes them, the last on top. ``bare``: without the kernel's own files (/lib/modules,
    /boot). ``append``: words for the kernel command line. ``files``: host path -> path in the guest. ``memory``: MiB.
    ``cpus``: one emulation thread serves them all.
    """

    kernel: str
    root: str
    layers: Sequence[str] = ()
    append: Sequence[str] = ()
    files: Mapping[Path, str] = field(default_factory=dict)
    bare: bool = False
    kdiag: bool = True
    memory: int = 1536
    cpus: int = 2


def boot(request: Request, job: Job) -> qemu.Boot:
    """Everything QEMU needs, made or fetched if need be."""
    kernel = find_kernel(request.kernel)
    root = roots.get(request.root, kernel.arch)
    disks = [root.image]
    if kernel.layer is not None and not request.bare:
        disks.append(kernel.layer)
    disks += [find_layer(name, kernel, request.root) for name in request.layers]
    nodes: dict[str, Node] = {}
    if request.kdiag:
        disks += payload.layers_for(root)
        nodes.update(payload.working_tree(root))
    for host, inside in request.files.items():
        nodes.update(cpio.from_tree(host, inside.strip("/")))
    return qemu.Boot(
        kernel=kernel,
        initramfs=guest.initramfs(kernel, replace(job, payload={**nodes, **job.payload}), len(disks)),
        command_line=guest.command_line(kernel, request.append),
        disks=disks,
        memory=request.memory,
        cpus=request.cpus,
    )


def find_kernel(text: str) -> Kernel:
    """A kernel by its name in the catalogue, or by directory."""
    if text in debian_kernels.SOURCES:
        return debian_kernels.get(text)
    if text in build.VARIANTS:
        return build.get(text)
    return kernels.from_directory(Path(text))


def find_layer(text: str, kernel: Kernel, root: str) -> Path:
    """A layer's image by name, ``NAME@KERNEL`` for another kernel's, or by directory; the root's own engines."""
    if Path(text).is_dir():
        return layers.from_directory(Path(text))
    name, _, other = text.partition("@")
    owner = find_kernel(other) if other else kernel
    if name == "kheaders":
        return layers.kheaders(owner)
    if name == "kheaders-extracted":
        return layers.extracted(owner)
    if name == "engines":
        return engines.get(root, kernel.arch)
    if name == "selinux":
        return selinux.get(root, kernel.arch)
    if name.startswith("packages:"):
        return layers.packages(roots.SUITES[root].suite, kernel.arch, name.partition(":")[2].split(","))
    if name in layers.HEADERS:
        return layers.headers(owner, name)
    raise LabError(f"no layer {text!r}", f"{', '.join(LAYERS)}, packages:NAME,NAME, or a directory")
