"""The short way: whether an earlier fix has done all there is, told by a few system calls and without running
any check.
"""

from __future__ import annotations

import os
from pathlib import Path

from kdiag.fix.places import Places
from kdiag.fix.values import Options, Plan

_BTF = "/sys/kernel/btf/vmlinux"


def ready(places: Places, options: Options) -> Plan | None:
    """The plan with nothing left to do, None if the checks have to tell.

    That is: a sound tree in the store, tracefs mounted, BTF served or recovered, nothing interrupted, no
    further wish. Only for the running kernel of this machine. Raises FixError for a journal not to be
    trusted.
    """
    from kdiag.fix.environ import variables
    from kdiag.fix.journal import Journal
    from kdiag.fix.store import find
    from kdiag.machine.kernel import source_arch_of

    name = os.uname()
    srcarch = source_arch_of(name.machine)
    if srcarch is None or options.btf is not None or options.packages or not _tracefs():
        return None
    if any(not entry.finished for entry in Journal(places.journal).entries()):
        return None
    tree = find(name.release, srcarch, places.search)
    if tree is None:
        return None
    btf: Path | None = None
    if not _served(_BTF):
        from kdiag.fix.btf import in_store

        btf = in_store(name.release, places.btf_search)
        if btf is None:
            return None
    if options.load and not os.path.exists("/sys/kernel/kheaders.tar.xz"):
        return None
    link = str(places.modules / name.release / "build")
    linked = os.path.islink(link) and os.readlink(link) == str(tree)
    if options.link and not linked:
        return None
    return Plan(
        release=name.release,
        srcarch=srcarch,
        steps=(),
        notes=(f"Headers for {name.release} are in {tree}; an earlier run has done what can be done.",),
        tree=tree,
        btf=btf,
        variables=tuple(variables(tree, btf).items()),
        link=link if linked else None,
    )


def _served(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def _tracefs() -> bool:
    """Whether tracefs is mounted: its root is not an empty directory of sysfs. By the device, which costs no
    library.
    """
    try:
        return os.lstat("/sys/kernel/tracing").st_dev != os.lstat("/sys/kernel").st_dev
    except OSError:
        return False
