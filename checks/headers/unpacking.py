"""How the kernel's own headers are unpacked, and what an earlier unpacking left."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.trees.tree import judge
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail, ok, skip, warn

LOAD = Remedy(
    "kheaders.load",
    "Load the kheaders module",
    commands=("sudo modprobe kheaders",),
    needs=("root",),
    undo=("sudo modprobe -r kheaders",),
)


EXTRACT = Remedy(
    "kheaders.extract",
    "Unpack the kernel's headers where bpftrace can be pointed to",
    commands=("sudo kdiag fix",),
    undo=("sudo kdiag fix --undo",),
    needs=("root",),
)


def unpack_again(path: str) -> Remedy:
    """Without what was unpacked the tool unpacks anew, where the kernel has the archive."""
    title, command = "Look at it and remove it: the tool unpacks it anew", f"sudo rm -r {shlex.quote(path)}"
    return Remedy("kheaders.remove-leftover", title, "manual", (command,), needs=("root",))


EXTRACT_MODULE = Remedy(
    "kheaders.extract-module",
    "Take the archive out of the module file, without loading it",
    commands=("kdiag fix",),
    undo=("kdiag fix --undo",),
)


MODPROBE = WrongRemedy("modprobe kheaders", "this kernel has no such module: CONFIG_IKHEADERS is off")


@check("kheaders.leftover", "Headers that a tool unpacked")
def leftover(machine: Machine) -> Iterator[Finding]:
    """bpftrace up to 0.20.3 and BCC unpack kheaders to $TMPDIR/kheaders-RELEASE (/tmp without the variable) and take
    what is there the next time, without a look at what is in it: systemd-tmpfiles empties /tmp of files that are ten
    days old. bpftrace before 0.20.2 did not ask whose it is (CVE-2024-2313), and neither did BCC (CVE-2024-2314). See
    it yourself: `ls /tmp/kheaders-$(uname -r)/include/linux/kconfig.h`.
    """
    path = machine.headers.unpacked_place
    info = machine.system.stat(path)
    if info is None:
        yield ok("no tool has unpacked headers", evidence=(Evidence(path, "absent"),))
        return
    evidence: tuple[Evidence, ...] = (Evidence(path, f"uid {info.uid}, mode {info.mode:04o}"),)
    away = (unpack_again(path),)
    if info.uid != 0:
        yield fail(
            f"{path} belongs to uid {info.uid}",
            reason="old bpftrace and BCC compile as root what they find there",
            evidence=evidence,
            remedies=away,
        )
        return
    tree = judge(machine, path, path)
    if tree.missing:
        evidence = (*evidence, *(Evidence(missing, "absent") for missing in tree.missing))
        users = machine.headers.users_of_unpacked
        text = f"{path} is no longer complete: no {tree.missing[0].removeprefix(f'{path}/')}"
        if not users:
            yield skip(f"{text}; no tool here takes it", evidence=evidence)
            return
        yield warn(
            text,
            reason=f"files of /tmp are removed after ten days; {' and '.join(users)} takes the directory as it is",
            evidence=evidence,
            remedies=away,
        )
        return
    behaviour = machine.tools.behaviour
    used = behaviour is not None and behaviour.unpacks_kheaders != "never"
    yield (skip if not used else ok)(f"{path} is there, from an older tool", evidence=evidence)
