"""The variables that lead tools to headers."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.knowledge.recipes import RECIPE
from kdiag.machine import Machine
from kdiag.machine.headers import BCC_SUFFIX
from kdiag.machine.kernel import source_arch_of
from kdiag.model import Evidence, Finding, Remedy, fail, ok, skip, warn
from kdiag.system import Unavailable


@check("headers.env", "Header variables point to header trees")
def variables(machine: Machine) -> Iterator[Finding]:
    """BPFTRACE_KERNEL_SOURCE, BPFTRACE_KERNEL_BUILD and BCC_KERNEL_SOURCE. bpftrace does not check that
    they exist: a wrong one is worse than none, because it also hides good trees and silences the warning
    about missing ones.

    `sudo` drops the variables unless told otherwise, so look at them as the program sees them: `sudo env |
    grep KERNEL`.
    """
    headers = machine.headers
    try:
        known = headers.variables
    except Unavailable as gap:
        yield skip("the environment is not part of this system", reason=gap.reason)
        return
    evidence = tuple(Evidence(f"${name}", _shown(value)) for name, value in known.items())
    for name in ("BPFTRACE_KERNEL_SOURCE", "BCC_KERNEL_SOURCE"):
        problem = "" if known[name] is None else _wrong(machine, name)
        if problem:
            yield fail(
                f"{name} {problem}",
                reason="the tool takes it unseen, and looks for headers nowhere else; "
                "scripts that go through clang stop at the first file that is not there",
                evidence=evidence,
                remedies=(
                    Remedy(
                        "headers.unset",
                        "Unset it, or set what `kdiag env` says",
                        commands=(f"unset {name}",),
                        run_on="the shell that starts the tool",
                    ),
                ),
                wrong_remedies=(RECIPE,),
            )
            return
    if known["BPFTRACE_KERNEL_BUILD"] is not None and known["BPFTRACE_KERNEL_SOURCE"] is None:
        yield warn(
            "BPFTRACE_KERNEL_BUILD alone does nothing",
            reason="bpftrace reads it only beside BPFTRACE_KERNEL_SOURCE",
            evidence=evidence,
        )
    elif any(known[name] is not None for name in ("BPFTRACE_KERNEL_SOURCE", "BCC_KERNEL_SOURCE")):
        yield ok("the variables point to complete trees", evidence=evidence)
    else:
        yield ok("no header variable is set", evidence=evidence)


@check("headers.bcc-env", "Variables that BCC's compiler takes")
def of_bcc(machine: Machine) -> Iterator[Finding]:
    """ARCH and BCC_KERNEL_MODULES_SUFFIX. BCC compiles for the architecture that ARCH names, whatever the machine is
    (kbuild_helper.cc, since 0.6); who builds kernels for another one has it set. BCC_KERNEL_MODULES_SUFFIX takes the
    place of `build` below /lib/modules/R. See it yourself: `sudo env | grep -E 'ARCH|BCC_'`.
    """
    if not machine.tools.bcc.installed:
        yield skip("BCC is not installed")
        return
    arch, suffix = machine.headers.optional("ARCH"), machine.headers.optional(BCC_SUFFIX)
    evidence = (Evidence("$ARCH", _shown(arch)), Evidence(f"${BCC_SUFFIX}", _shown(suffix)))
    chosen, own = machine.headers.for_bcc, machine.kernel.source_arch
    if arch is not None and (source_arch_of(arch) or arch) != own:
        yield fail(
            f"ARCH is {arch or 'empty'}: BCC compiles for that, and this machine is {own}",
            evidence=evidence,
            remedies=(_unset("ARCH"),),
        )
    elif chosen is not None and chosen.via == BCC_SUFFIX and chosen.missing:
        yield fail(
            f"{BCC_SUFFIX} points to nothing: {chosen.source}",
            evidence=evidence,
            remedies=(_unset(BCC_SUFFIX),),
        )
    else:
        yield ok("no variable misleads BCC's compiler", evidence=evidence)


def _unset(name: str) -> Remedy:
    return Remedy(
        "headers.unset", "Unset it", commands=(f"unset {name}",), run_on="the shell that starts the tool"
    )


def _shown(value: str | None) -> str:
    return "not set" if value is None else value or "set, and empty"


def _wrong(machine: Machine, name: str) -> str:
    """What is wrong with a variable that is set, empty where it names a complete tree."""
    headers = machine.headers
    if not headers.variable(name):
        return "is set and empty: that counts as a path"
    chosen, tree = headers.for_bpftrace, headers.bpftrace_tree
    if name == "BCC_KERNEL_SOURCE":
        chosen, tree = headers.for_bcc, headers.bcc_tree
    if chosen is None or chosen.via != name or tree is None:
        return ""
    if chosen.missing:
        return f"points to nothing: {chosen.source}"
    return f"names an incomplete tree: {tree.missing[0]} is not there" if tree.missing else ""
