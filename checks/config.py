"""The kernel's configuration: where it is, and what each option unlocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.check import check
from kdiag.knowledge.options import options as known
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Remedy, expect, fail, ok, skip, unknown, warn
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.options import Option


@check("config.source", "The kernel's configuration can be read")
def source(machine: Machine) -> Iterator[Finding]:
    """Looks for the configuration in every place that any tool searches, checks that it belongs to the
    running kernel, and recovers it from configs.ko or the kernel image (IKCONFIG) without loading anything.

    No configuration means unknown, never "feature missing": WSL2 6.18 and OrbStack's VM have none to read.
    See it yourself: `zcat /proc/config.gz`, `cat /boot/config-$(uname -r)`.
    """
    try:
        hit = machine.config.found
    except Unavailable as gap:
        attempts = machine.config.attempts
        identity = machine.kernel.identity
        noted = () if identity is None else (expect("knowledge", _expected(machine), of=identity.name),)
        yield unknown(
            "no kernel configuration to read",
            reason=f"{gap.reason}; features are probed instead",
            evidence=(*(Evidence(a.path, a.outcome) for a in attempts), *noted),
            remedies=_load_configs(machine),
        )
        return
    evidence = tuple(Evidence(a.path, a.outcome) for a in hit.attempts)
    served = (
        "served by the running kernel"
        if hit.by_kernel
        else f"of {hit.config.banner_version or 'this release'}"
    )
    yield ok(f"{hit.path} ({served})", evidence=evidence)


def _expected(machine: Machine) -> str:
    found = machine.kernel.identity
    if found is None:
        return "nothing known"
    shown = ("IKHEADERS", "DEBUG_INFO_BTF", "IKCONFIG_PROC", "KPROBES")
    return (
        ", ".join(f"{name}={found.expected[name].value}" for name in shown if name in found.expected)
        or "nothing known"
    )


def _load_configs(machine: Machine) -> tuple[Remedy, ...]:
    """modules.dep may list a module whose file is gone, or that cannot be loaded here."""
    try:
        path = machine.modules.find("configs")
        there = path is not None and machine.system.stat(path) is not None and not machine.modules.obstacles
    except Unavailable:
        there = False
    if not there:
        return ()
    return (
        Remedy(
            "config.load",
            "Load the module that provides /proc/config.gz",
            commands=("sudo modprobe configs",),
            needs=("root",),
            undo=("sudo modprobe -r configs",),
        ),
    )


@check("config.options", "What the kernel was built with", ids=("config.*",))
def options(machine: Machine) -> Iterator[Finding]:
    """One finding per option that matters to tracing, with what it unlocks. A behaviour that was probed
    decides over these; they explain it. `# CONFIG_X is not set` and no line at all are told apart: the
    second means hidden by a dependency, or unknown to this version.
    """
    try:
        path = machine.config.found.path
    except Unavailable as gap:
        path, why = "", gap.reason
    identity = machine.kernel.identity
    for option in known():
        finding_id, title = f"config.{option.name}", f"CONFIG_{option.name}"
        if not path:
            expected = identity.expected.get(option.name) if identity is not None else None
            said = (
                f"; expected of {identity.name}: {expected.value} ({expected.confidence})"
                if identity and expected
                else ""
            )
            yield unknown(
                f"{title} cannot be read{said}",
                id=finding_id,
                title=title,
                reason=why,
                causes=("config.source",),
            )
            continue
        yield _judge(machine, option, path)


def _judge(machine: Machine, option: Option, path: str) -> Finding:
    name = next(
        (n for n in (option.name, *option.aliases) if machine.config.value(n) is not None), option.name
    )
    value = machine.config.value(name)
    finding_id, title = f"config.{option.name}", f"CONFIG_{name}"
    seen = "no line" if value is None else f"# {title} is not set" if value == "n" else f"{title}={value}"
    evidence = (Evidence(path, seen),)
    if value in (None, "n") and "n" in option.accepted:
        return ok(f"{title} is off, which is fine", id=finding_id, title=title, evidence=evidence)
    if option.accepts(value) or (not option.accepted and value is not None):
        return ok(f"{title}={value}: {option.unlocks}", id=finding_id, title=title, evidence=evidence)
    if option.arch and not _fits(machine, option.arch):
        return skip(f"{title} is not for this architecture", id=finding_id, title=title, evidence=evidence)
    instead = [other for other in option.alternatives if machine.config.value(other) in ("y", "m")]
    if instead:
        return ok(
            f"CONFIG_{instead[0]} stands in for {title}",
            id=finding_id,
            title=title,
            evidence=evidence,
        )
    state = {"n": "is off", None: "is absent from the configuration"}.get(value, f"is {value}")
    make = fail if option.required_by else warn
    # In brackets: after a colon it would read as what the kernel does have.
    summary = f"{title} {state} ({option.unlocks})"
    return make(summary, id=finding_id, title=title, evidence=evidence, causes=_kept_out_by(machine, option))


#: What keeps BTF out of a kernel although it was asked for (lib/Kconfig.debug, DEBUG_INFO_BTF).
_AGAINST_BTF = ("DEBUG_INFO_SPLIT", "DEBUG_INFO_REDUCED", "GCC_PLUGIN_RANDSTRUCT")


def _kept_out_by(machine: Machine, option: Option) -> tuple[str, ...]:
    """The options without which, or with which, this one cannot be on."""
    needed = option.needed(machine.kernel.version_numbers)
    lacking = [name for name in needed if machine.config.value(name) not in ("y", "m")]
    if option.name == "DEBUG_INFO_BTF":
        lacking += [name for name in _AGAINST_BTF if machine.config.value(name) == "y"]
    return tuple(f"config.{name}" for name in lacking)


def _fits(machine: Machine, arches: tuple[str, ...]) -> bool:
    try:
        return machine.kernel.arch in arches
    except Unavailable:
        return True
