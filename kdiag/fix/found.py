"""What tools can be pointed to on this machine without changing anything: for `kdiag env`, also before any
fix.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdiag.fix.places import Places
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine


def kept(places: Places, release: str, srcarch: str) -> tuple[Path | None, Path | None]:
    """(tree, BTF) that an earlier fix left in the store. Quick: a few system calls."""
    from kdiag.fix.btf import in_store
    from kdiag.fix.store import find

    return find(release, srcarch, places.search), in_store(release, places.btf_search)


def lying_about(machine: Machine) -> tuple[Path | None, Path | None]:
    """(tree, BTF) that is there and that bpftrace does not find by itself: see headers.use-tree and
    btf.variable.
    """
    return _tree(machine), _btf(machine)


def _tree(machine: Machine) -> Path | None:
    try:
        trees = machine.headers.elsewhere()
    except Unavailable:
        return None
    return next((Path(tree.source) for tree in trees if not tree.untrusted), None)


def _btf(machine: Machine) -> Path | None:
    """The kernel's own BTF for a bpftrace that asks for it by object id, on a kernel that gives it no id."""
    from kdiag.machine.btf import VMLINUX
    from kdiag.parse.btf import BtfError

    try:
        behaviour = machine.tools.behaviour
        if behaviour is None or behaviour.btf_source != "kernel-id" or not behaviour.honours_btf_variable:
            return None
        if machine.bpf.btf_by_id.name != "ENOENT":
            return None
        machine.btf.vmlinux  # noqa: B018  the variable must not point to nothing
    except (Unavailable, BtfError):
        return None
    return Path(VMLINUX)
