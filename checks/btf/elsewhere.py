"""Files other than sysfs that hold the kernel's BTF."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import TAKES_BARE, VMLINUX, Fallback, fallback_paths
from kdiag.model import Evidence, Finding, fail, ok, unknown, warn
from kdiag.parse.btf import BtfError
from kdiag.system import Unavailable


@check("btf.fallback", "BTF elsewhere")
def fallback(machine: Machine) -> Iterator[Finding]:
    """The files that libbpf tries where sysfs has no BTF: ELF images with a .BTF section, checked to be of
    this very build by their build-id; and bare BTF, as BTFHub has it, which libbpf takes there since 1.1. See it
    yourself: `readelf -S /boot/vmlinux-$(uname -r) | grep BTF`, `bpftool btf dump file /boot/vmlinux-$(uname -r)`.
    """
    found = machine.btf.fallbacks
    paths = fallback_paths(machine.kernel.release)
    evidence = tuple(Evidence(f.path, f.problem or kept(f)) for f in found)
    absent = (Evidence("libbpf's list", f"{len(paths) - len(found)} of {len(paths)} places are empty"),)
    good = [f for f in found if not f.problem]
    if _sysfs_broken(machine):
        yield fail(
            "libbpf does not look elsewhere",
            reason=f"{VMLINUX} exists and is broken; only an absent file makes libbpf try others",
            evidence=(*evidence, *absent),
            causes=("btf.vmlinux",),
        )
    elif good:
        yield _elsewhere(machine, good, (*evidence, *absent))
    elif any(not f.seen for f in found):
        yield unknown(
            "whether another file has the kernel's BTF cannot be seen",
            reason=next(f.problem for f in found if not f.seen),
            evidence=(*evidence, *absent),
            causes=("privileges.root",),
        )
    elif found:
        yield fail(f"{found[0].path}: {found[0].problem}", evidence=(*evidence, *absent))
    else:
        yield fail(
            "no other file has the kernel's BTF", evidence=tuple(Evidence(path, "absent") for path in paths)
        )


def kept(found: Fallback) -> str:
    what = "bare BTF" if found.bare else "BTF"
    return f"{what} of this build" if found.same_build else f"{what}, build unproven"


def _elsewhere(machine: Machine, good: list[Fallback], evidence: tuple[Evidence, ...]) -> Finding:
    """Sound BTF in one of the places: for which libbpf?"""
    if not good[0].bare:
        return ok(f"BTF is also in {good[0].path}", evidence=evidence)
    libraries = machine.tools.libbpfs
    seen = tuple(Evidence(path, ".".join(map(str, version))) for path, version in libraries)
    if libraries and all(version >= TAKES_BARE for _, version in libraries):
        return ok(f"bare BTF is in {good[0].path}", evidence=(*evidence, *seen))
    return warn(
        f"bare BTF is in {good[0].path}: programs with libbpf before 1.1 do not take it",
        reason="they take an ELF image with a .BTF section there, and nothing else",
        evidence=(*evidence, *seen),
    )


def _sysfs_broken(machine: Machine) -> bool:
    try:
        machine.btf.vmlinux  # noqa: B018  asked for its exception
    except BtfError:
        return True
    except Unavailable:
        pass
    return False
