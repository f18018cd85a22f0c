"""kheaders: the kernel's own headers, served by the kernel or lying in its module."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.kheaders import ARCHIVE, OF_HOST, mismatch
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, expect, fail, ok, skip, unknown, warn
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

from .refusals import quoted

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


#: By the module's state; of "off" the module's own finding, which is the cause, says all.
_WHY_NOT = {
    "loadable": "the module is on disk and not loaded",
    "blocked": "the module is on disk and cannot be loaded here",
    "deleted": "modules.dep lists the module, and its file is gone",
    "not-installed": "the kernel was built with CONFIG_IKHEADERS=m, and the module is not installed",
    "builtin": "it is built in, yet the file is not shown: /sys is masked, or not that of this kernel",
    "loaded": "the module is loaded, yet the file is not shown: /sys is masked",
    "absent": "modules.dep lists no kheaders: it is off in this kernel, or its package is not installed",
    "no-modules": "it is not built in, and this kernel loads no modules",
    "unknown": "cannot tell whether the kernel has the module: no configuration and no module directory here",
}


@check("kheaders.archive", "The kernel provides its headers")
def archive(machine: Machine) -> Iterator[Finding]:
    """Whether /sys/kernel/kheaders.tar.xz is there, readable, sound, and of this architecture and release.

    The kernel provides the archive with CONFIG_IKHEADERS=y, or with =m after `modprobe kheaders`. bpftrace
    does not use it automatically (0.20 and older did): it has to be unpacked. See it yourself: `tar -tf
    /sys/kernel/kheaders.tar.xz | head`.
    """
    kheaders = machine.kheaders
    data = kheaders.archive
    if data is None:
        state = kheaders.module
        yield fail(
            "the kernel does not provide its headers",
            reason=_WHY_NOT.get(state.state, ""),
            evidence=(Evidence(ARCHIVE, "absent"),),
            causes=("kheaders.module",),
            remedies=(LOAD,)
            if state.state == "loadable"
            else (EXTRACT_MODULE,)
            if state.state == "blocked"
            else (),
            wrong_remedies=(MODPROBE,) if state.state == "off" else (),
        )
        return
    problem = kheaders.problem
    evidence = [Evidence(ARCHIVE, f"{len(data)} bytes")]
    if problem:
        yield fail(
            f"the kernel's header archive cannot be used: {problem}",
            evidence=tuple(evidence),
            causes=("kernel.arch",),
            wrong_remedies=(
                WrongRemedy(
                    "unpacking it nevertheless",
                    "headers of another architecture stop with 'asm/types.h' file not found",
                ),
            ),
        )
        return
    info = kheaders.archive_info
    if info is not None:
        evidence.append(
            Evidence(
                "archive",
                f"arch/: {', '.join(info.archs) or 'not seen yet'}; release {info.release or 'not seen yet'}",
            )
        )
    yield ok("the kernel provides its headers", evidence=tuple(evidence), remedies=(EXTRACT,))


@check("kheaders.module", "The kheaders module")
def module(machine: Machine) -> Iterator[Finding]:
    """In which state the module is: loaded, loadable, on disk but impossible to load (lockdown,
    modules_disabled, no CAP_SYS_MODULE, no kmod), configured but not installed (Ubuntu puts it into
    linux-modules-extra), off, or not to be told.

    The configuration alone does not say "available". See it yourself: `modprobe -n -v kheaders`.
    """
    state = machine.kheaders.module
    evidence = [Evidence("CONFIG_IKHEADERS", machine.kheaders.configured or "no config to read")]
    promised = _expected(machine) if machine.kheaders.configured is None else ()
    if state.path:
        evidence.append(Evidence("modules.dep", state.path))
    evidence += [Evidence("loading", reason) for _, reason in state.reasons]
    if state.state in ("loaded", "builtin"):
        yield _inside(machine, state.state, tuple(evidence))
    elif state.state == "loadable" and (refused := machine.log.refused_module("kheaders")) is not None:
        yield warn(
            "the kernel refused to load the kheaders module, since it booted",
            reason="unless the file was replaced since then, it is not of this build of the kernel",
            evidence=(*evidence, quoted(refused)),
            causes=("kernel.rebooted",),
            remedies=(EXTRACT_MODULE,),
        )
    elif state.state == "loadable":
        yield warn("the kheaders module can be loaded", evidence=tuple(evidence), remedies=(LOAD,))
    elif state.state == "blocked" and any(reason == OF_HOST for _, reason in state.reasons):
        yield fail(
            "the kheaders module is on the host, and is not loaded",
            reason="; ".join(reason for _, reason in state.reasons),
            evidence=tuple(evidence),
            remedies=(EXTRACT_MODULE, _load_outside(machine)),
        )
    elif state.state == "blocked":
        yield fail(
            "the kheaders module cannot be loaded here",
            reason="; ".join(reason for _, reason in state.reasons),
            evidence=tuple(evidence),
            causes=tuple(cause for cause, _ in state.reasons if cause),
            remedies=(EXTRACT_MODULE,),
        )
    elif state.state in ("not-installed", "deleted"):
        yield fail(
            _not_there(machine, state.state),
            evidence=tuple(evidence),
            causes=("environment.container", "kernel.rebooted"),
            remedies=_install(machine),
        )
    elif state.state == "off":
        yield fail(
            "CONFIG_IKHEADERS is off: this kernel has no kheaders",
            evidence=tuple(evidence),
            causes=("config.IKHEADERS",),
            wrong_remedies=(MODPROBE,),
        )
    elif state.state == "no-modules":
        yield fail(
            "kheaders is not built in, and this kernel loads no modules",
            evidence=(*evidence, Evidence("/proc/modules", "absent"), *promised),
            causes=("kernel.modules",),
        )
    elif state.state == "absent":
        yield fail(
            "modules.dep lists no kheaders module",
            reason="it is off in this kernel, or in a package that is not installed; no configuration is readable here",
            evidence=(*evidence, *promised),
            causes=("config.source",),
            remedies=_install(machine) if any("=m" in e.observed for e in promised) else (),
        )
    else:
        yield unknown(
            "cannot tell whether this kernel has kheaders",
            reason="no config and no module directory",
            evidence=(*evidence, *promised),
            causes=("config.source",),
        )


def _inside(machine: Machine, state: str, evidence: tuple[Evidence, ...]) -> Finding:
    """Loaded: /proc/modules shows it. Built in is what files say, and the archive proves it."""
    if state == "loaded":
        return ok("kheaders is loaded", evidence=(*evidence, Evidence("/proc/modules", "lists kheaders")))
    served = machine.kheaders.archive
    if served is not None:
        return ok("kheaders is built in", evidence=(*evidence, Evidence(ARCHIVE, f"{len(served)} bytes")))
    return unknown(
        "kheaders is configured as built in, and the kernel does not show it here",
        reason="/sys is masked, or the files are not those of this kernel",
        evidence=(*evidence, Evidence(ARCHIVE, "absent")),
        causes=("kheaders.archive",),
    )


def _not_there(machine: Machine, state: str) -> str:
    if state == "deleted":
        return "the kheaders module is listed in modules.dep, and its file is gone"
    place = machine.environment.container
    where = "installed" if place is None else "in this container's files"
    if machine.origin is not machine:
        where = "installed on the host"
    return f"CONFIG_IKHEADERS=m, and the module is not {where}"


def _install(machine: Machine) -> tuple[Remedy, ...]:
    of_host = machine.origin is not machine
    if machine.environment.container is not None and not of_host:
        return (_load_outside(machine),)
    identity = machine.kernel.identity
    if identity is not None and identity.kheaders_package:
        command = f"sudo apt-get install {identity.kheaders_package}"
        return (
            Remedy(
                "kheaders.package",
                f"Install the package that holds the module{' on the host' if of_host else ''}",
                "manual" if of_host else "safe",
                (command, "sudo modprobe kheaders"),
                "the host" if of_host else "here",
                ("root", "network"),
            ),
        )
    return ()


def _load_outside(machine: Machine) -> Remedy:
    place = machine.environment.container
    return Remedy(
        "kheaders.load-outside",
        f"Load it outside of {place.name}" if place is not None else "Load it on the host",
        "manual",
        ("sudo modprobe kheaders",),
        "the host",
        ("root",),
        ("sudo modprobe -r kheaders",),
    )


def _expected(machine: Machine) -> tuple[Evidence, ...]:
    """What the table says of such a kernel where no configuration can be read."""
    identity = machine.kernel.identity
    found = identity.expected.get("IKHEADERS") if identity is not None else None
    if identity is None or found is None:
        return ()
    return (expect("knowledge", f"CONFIG_IKHEADERS={found.value} ({found.confidence})", of=identity.name),)


@check("kheaders.available", "Headers can be had from the kernel")
def available(machine: Machine) -> Iterator[Finding]:
    """Whether the kernel's own headers are within reach: the served archive, or the module file on disk,
    whose .rodata holds the same archive between the symbols kernel_headers_data and
    kernel_headers_data_end, loaded or not.
    """
    kheaders = machine.kheaders
    try:
        served = kheaders.archive is not None and not kheaders.problem
    except Unavailable:
        served = False
    if served:
        yield ok(
            "the kernel provides its headers", evidence=(Evidence(ARCHIVE, "sound"),), remedies=(EXTRACT,)
        )
        return
    state = kheaders.module
    if state.state == "unknown":
        yield unknown("cannot tell whether the kernel has a source of headers", causes=("kheaders.module",))
        return
    if state.state not in ("loadable", "blocked"):
        yield fail(_none(state.state), causes=("kheaders.archive", "kheaders.module"))
        return
    path = state.path or ""
    try:
        info = kheaders.archive_in_module
        if info is None:
            yield fail("the module's file went away", evidence=(Evidence(path, "absent"),))
            return
        problem = mismatch(machine, info)
    except (Unavailable, ParseError) as error:
        yield fail(
            f"the kheaders module does not give its archive: {error}", evidence=(Evidence(path, str(error)),)
        )
        return
    if problem:
        yield fail(f"the archive in the module {problem}", evidence=(Evidence(path, problem),))
    else:
        yield ok(
            "the archive can be taken from the module file",
            evidence=(Evidence(path, "holds a sound archive"),),
            remedies=(LOAD,) if state.state == "loadable" else (EXTRACT_MODULE,),
        )


def _none(state: str) -> str:
    if state in ("not-installed", "deleted"):
        return "the kernel's headers are in a module that is not installed"
    if state in ("loaded", "builtin"):
        return "the kernel contains its headers and does not provide them here"
    return (
        "this kernel contains no headers"
        if state != "absent"
        else "no source of the kernel's headers is here"
    )


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
    tree = machine.headers.judge(path, path)
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
