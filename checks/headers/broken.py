"""Header trees with holes, or not configured."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Remedy, expect, expected, fail, ok
from kdiag.system import Unavailable

from .judged import links
from .unpacking import unpack_again


@check("headers.intact", "bpftrace does not stumble over a broken tree")
def intact(machine: Machine) -> Iterator[Finding]:
    """Whether what bpftrace finds as headers is at least not worse than nothing. Up to 0.24 it includes
    linux/kconfig.h of whatever directory it found: with half of a split package, or a variable that points
    to nothing, every script that goes through clang stops, also the ones that need no headers.
    """
    chosen = machine.headers.for_bpftrace
    if chosen is None:
        yield _finds_none(machine)
        return
    path = f"{chosen.source}/include/linux/kconfig.h"
    if machine.system.stat(path) is not None:
        yield ok(f"{path} is there", evidence=(Evidence(path, "exists"),))
        return
    yield fail(
        f"bpftrace stops at a broken header tree: {chosen.source}",
        reason="bpftrace takes the directory and stops at linux/kconfig.h, which is not in it; "
        "with no headers at all, scripts that need none would run",
        evidence=(Evidence(path, "absent"), Evidence(chosen.via, f"leads to {chosen.source}")),
        causes=("headers.env", "headers.tree"),
        remedies=_away(machine, chosen.source),
    )


def _finds_none(machine: Machine) -> Finding:
    """No tree: seen where the variable was seen, that leads bpftrace to one wherever it is."""
    name = "BPFTRACE_KERNEL_SOURCE"
    try:
        machine.system.env(name)
    except Unavailable as gap:
        return expected(
            f"bpftrace finds no tree to stumble over, unless {name} names one",
            reason=gap.reason,
            evidence=(*links(machine), expect(f"${name}", "not set")),
        )
    return ok("bpftrace finds no tree to stumble over", evidence=links(machine))


def _away(machine: Machine, source: str) -> tuple[Remedy, ...]:
    """Without the tree, where a tool unpacked it or a name of the module directory leads there."""
    if source == machine.headers.unpacked_place:
        return (unpack_again(source),)
    names = [chain.path for chain in machine.headers.links.values() if chain.is_dir]
    if source not in names:
        return ()
    return (
        Remedy(
            "headers.away",
            "Move it away, if no headers for this kernel are to be had",
            "unsafe",
            tuple(f"sudo mv {name} {name}.away" for name in names),
            needs=("root",),
            undo=tuple(f"sudo mv {name}.away {name}" for name in names),
        ),
    )


@check("headers.configured", "The header tree is configured")
def configured(machine: Machine) -> Iterator[Finding]:
    """Whether generated/autoconf.h is where clang looks for it. linux/kconfig.h includes it, and bpftrace includes that
    file first: a tree that was never configured, or the source half of a split one alone (before 0.15 bpftrace does not
    know BPFTRACE_KERNEL_BUILD), stops every script that goes through clang.
    """
    chosen = machine.headers.for_bpftrace
    kconfig = f"{chosen.source}/include/linux/kconfig.h" if chosen is not None else ""
    if chosen is None or machine.system.stat(kconfig) is None:
        evidence = links(machine) if chosen is None else (Evidence(kconfig, "absent"),)
        yield ok("no tree whose kconfig.h would look for it", evidence=evidence)
        return
    places = tuple(
        f"{top}/include/generated/autoconf.h" for top in dict.fromkeys((chosen.build, chosen.source))
    )
    for place in places:
        if machine.system.stat(place) is not None:
            yield ok(f"{place} is there", evidence=(Evidence(place, "exists"),))
            return
    if machine.headers.variable("BPFTRACE_KERNEL_BUILD") and chosen.source == chosen.build:
        reason = "BPFTRACE_KERNEL_BUILD requires bpftrace 0.15 or newer"
    else:
        reason = "every script that goes through clang stops there; without any headers, those that need none would run"
    yield fail(
        f"{kconfig} includes generated/autoconf.h, which is not there",
        reason=reason,
        evidence=(
            *(Evidence(place, "absent") for place in places),
            Evidence(chosen.via, f"leads to {chosen.source}"),
        ),
        causes=("headers.env", "headers.tree"),
    )
