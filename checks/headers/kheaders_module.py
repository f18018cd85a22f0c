"""kheaders as a module: loaded, loadable, or lying in its file."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.kheaders import ARCHIVE, OF_HOST
from kdiag.model import Evidence, Finding, Remedy, expect, fail, ok, unknown, warn

from ..refusals import quoted
from .unpacking import EXTRACT_MODULE, LOAD, MODPROBE


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
