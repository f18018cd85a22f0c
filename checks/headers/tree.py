"""The header tree that bpftrace takes."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.knowledge.recipes import RECIPE
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail

from .judged import judged, links, ways_to_a_tree


@check("headers.tree", "Kernel headers for bpftrace")
def tree(machine: Machine) -> Iterator[Finding]:
    """The directory that bpftrace would take, in its own order (variable, /lib/modules/R/source,
    /lib/modules/R/build), tested for completeness, version and architecture. Links are followed hop by hop.

    With BTF, headers are needed for `#include <linux/...>` only. See it yourself: `ls $(readlink -f
    /lib/modules/$(uname -r)/build)/include/linux/kconfig.h`.
    """
    headers = machine.headers
    chosen = headers.for_bpftrace
    if chosen is None:
        yield _none(machine)
        return
    if headers.bpftrace_tree is not None:
        yield judged(machine, chosen, headers.bpftrace_tree, links(machine))


#: Where only /lib/modules of the host is there, its links lead into a directory that is not.
_MOUNT_SOURCE = Remedy(
    "headers.mount-source",
    "Start the container with /usr/src of the host as well, if that has the headers: -v /usr/src:/usr/src:ro",
    "manual",
    run_on="the host",
)


def _none(machine: Machine) -> Finding:
    evidence = links(machine)
    elsewhere = machine.headers.elsewhere()
    broken = [chain for chain in machine.headers.links.values() if chain.hops and chain.broken]
    summary, reason = "bpftrace finds no kernel headers", ""
    remedies = ways_to_a_tree(machine)
    if broken:
        summary = f"{broken[0].path} is a dangling link: {broken[0].broken} is not there"
        reason = "the link is installed, what it points to is not"
        in_container = (
            machine.environment.container is not None and machine.origin.packages.advice.obtainable != "no"
        )
        if in_container and (broken[0].broken or "").startswith("/usr/src"):
            reason += (
                "; in a container, /usr/src of the host has to be mounted as well (-v /usr/src:/usr/src:ro)"
            )
            remedies = (*remedies, _MOUNT_SOURCE)
    if elsewhere:
        evidence += tuple(Evidence(found.source, "complete, for this release") for found in elsewhere)
        reason = f"{elsewhere[0].source} is complete and fits; bpftrace does not look there unless told to"
    elif machine.origin.headers.other_releases:
        others = ", ".join(machine.origin.headers.other_releases[:3])
        reason = "; ".join(filter(None, (reason, f"headers are there for other kernels: {others}")))
    return fail(
        summary,
        reason=reason,
        evidence=evidence,
        causes=("headers.package", "kheaders.available", "kernel.rebooted"),
        remedies=remedies,
        wrong_remedies=_wrong(machine),
    )


def _wrong(machine: Machine) -> tuple[WrongRemedy, ...]:
    advice = machine.origin.packages.advice
    wrong = (
        [RECIPE]
        if machine.kheaders.module.state != "off"
        else [WrongRemedy("modprobe kheaders", "CONFIG_IKHEADERS is off in this kernel")]
    )
    if advice.obtainable == "no":
        wrong.append(WrongRemedy(f"apt install linux-headers-{machine.kernel.release}", advice.reason))
    return tuple(wrong)
