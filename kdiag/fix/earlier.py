"""The short way: whether an earlier fix has done all there is, told by a few system calls and without running
any check. Imports little: a second `kdiag fix` costs hardly more than `kdiag --version`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from kdiag.fix.environment import NAMES, variables
from kdiag.fix.lines import at_rest
from kdiag.fix.options import Options
from kdiag.fix.store.places import Places
from kdiag.fix.store.trees import find
from kdiag.machine.kernel import source_arch_of
from kdiag.trust import read
from kdiag.trust.search import find as find_program

_LOCKDOWN = "/sys/kernel/security/lockdown"
#: CAP_SYS_ADMIN in CapEff (include/uapi/linux/capability.h).
_SYS_ADMIN = 1 << 21
_BTF = "/sys/kernel/btf/vmlinux"
#: A longer journal is left to those who have time.
_JOURNAL = 1 << 20


class EarlierFix(NamedTuple):
    """What is there. tree, btf: what the variables point to; link: where tools find the tree without them."""

    release: str
    tree: Path
    btf: Path | None
    variables: tuple[tuple[str, str], ...]
    link: str | None


def earlier_fix(places: Places, options: Options) -> EarlierFix | None:
    """What an earlier fix left, if there is nothing more to do; None if only the checks can show it.

    That is: a sound tree in the store, tracefs mounted, BTF provided or recovered, nothing interrupted, no further
    wish. Only for the running kernel of this machine.
    """
    name = os.uname()
    srcarch = source_arch_of(name.machine)
    if srcarch is None or options.btf is not None or options.packages or options.tools:
        return None
    if not _tracefs() or not _as_usual():
        return None
    if options.load and not os.path.exists("/sys/kernel/kheaders.tar.xz"):
        return None
    tree = None if _cut_short(places.journal) else find(name.release, srcarch, places.search)
    if tree is None:
        return None
    btf: Path | None = None
    if not _served(_BTF):
        from kdiag.fix.btf_sources import in_store

        btf = in_store(name.release, places.btf_search)
        if btf is None:
            return None
    link = str(places.modules / name.release / "build")
    linked = os.path.islink(link) and os.readlink(link) == str(tree)
    if options.link and not linked:
        return None
    values = variables(tree, btf)
    if any(os.environ.get(one) not in (None, values.get(one)) for one in NAMES):
        return None
    return EarlierFix(name.release, tree, btf, tuple(values.items()), link if linked else None)


def _as_usual() -> bool:
    """Whether nothing that can be told at once keeps a tracer from starting. Else the checks say what it is, so that
    this way never says "nothing to do" where they name a next step.
    """
    if find_program("bpftrace", os.environ.get("PATH")) is None:
        return False
    if "[confidentiality]" in _text(_LOCKDOWN):
        return False
    status = dict(line.partition(":\t")[::2] for line in _text("/proc/self/status").splitlines())
    held = int(status.get("CapEff", "0"), 16) & _SYS_ADMIN
    return status.get("Seccomp", "0") == "0" and (os.geteuid() != 0 or held != 0)


def _text(path: str) -> str:
    """What one of the kernel's small files says, "" where it cannot be read."""
    try:
        return read.head(path, 1 << 14).decode(errors="replace")
    except OSError:
        return ""


def _cut_short(journal: Path) -> bool:
    """Whether the journal has to be read in full: a change was announced and is neither done nor undone, or the
    journal is damaged or cannot be read so easily.
    """
    try:
        fd = os.open(journal, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        data = os.read(fd, _JOURNAL)
    except OSError:
        return True
    finally:
        os.close(fd)
    return len(data) == _JOURNAL or not at_rest(data)


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
