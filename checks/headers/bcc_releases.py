"""Which kernels' headers a release of BCC compiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from kdiag.check import check
from kdiag.knowledge.tools.bcc_history import (
    NAMESPACES,
    NET_TCP,
    NET_TCP_HITS,
    NETWORK,
    enough,
    only_by_tcp,
    unmet,
)
from kdiag.machine import Machine
from kdiag.machine.compilers.bcc import Bcc
from kdiag.model import Evidence, Finding, Remedy, expect, expected, fail, ok, skip, warn
from kdiag.system import Unavailable


class _Scope(NamedTuple):
    """Which tools a finding is about. but: what is lacked in these headers does not concern them."""

    id: str
    title: str
    what: str
    but: tuple[str, ...]


_BPF_H = "include/linux/bpf.h"
_NAMESPACES = ("include/linux/ns/ns_common_types.h", "include/linux/ns_common.h")
_FS = "include/linux/fs.h"
#: pid_namespace.h and fs.h do not include bpf.h, fs.h not the namespaces' headers (tried with 5.10, 6.1 and 6.12), and
#: none of the 159 headers that 7.2's sched.h leads to is fs.h (tried: opensnoop of BCC 0.31 compiles there).
_SCOPES = (
    _Scope("headers.bcc-age", "BCC can compile this kernel's headers", "tools", ()),
    _Scope(
        "headers.bcc-namespaces",
        "BCC can compile the headers of namespaces",
        "tools that include pid_namespace.h",
        (_BPF_H,),
    ),
    _Scope(
        "headers.bcc-structs",
        "BCC can compile the kernel's sched.h and fs.h",
        "tools that include linux/fs.h",
        (_BPF_H, *_NAMESPACES),
    ),
    _Scope(
        "headers.bcc-sched",
        "BCC can compile the kernel's sched.h",
        "tools that include linux/sched.h",
        (_BPF_H, *_NAMESPACES, _FS),
    ),
)


@check("headers.bcc-age", "BCC can compile this kernel's headers", ids=tuple(scope.id for scope in _SCOPES))
def bcc_age(machine: Machine) -> Iterator[Finding]:
    """BCC puts a bpf.h of its own, of the kernel that was new when it was released, in the place of the kernel's. The
    headers of a newer kernel rely on structs and constants that are not in it, on extensions of C and on `asm goto`:
    clang ends with `incomplete type 'struct bpf_wq'`, `use of undeclared identifier`, `no member named`. Both are
    looked at, BCC's own header in its library and the kernel's in the tree; where one is not to be seen, a table of
    releases says what is expected. What is lacked in bpf.h concerns the network's tools, and not those that include
    fs.h or pid_namespace.h only (headers.bcc-structs, headers.bcc-namespaces); opensnoop includes neither, but sched.h
    (headers.bcc-sched). From 5.17 to 6.9 only net/tcp.h leads to bpf.h, which two tools include. See it yourself:
    `strings $(ldconfig -p | grep -o '/.*libbcc.so.0') | grep bpf_wq`.
    """
    library, bcc = machine.tools.bcc.library, Bcc(machine)
    for scope in _SCOPES:
        if not machine.tools.bcc.installed:
            found = skip("BCC is not installed")
        elif library is None:
            found = expected(
                "which BCC this is was not seen", reason="no libbcc.so.0.* where libraries are looked for"
            )
        else:
            found = _judged(machine, bcc, scope, *library)
        yield replace(found, id=scope.id, title=scope.title)


def _judged(machine: Machine, bcc: Bcc, scope: _Scope, path: str, version: tuple[int, int, int]) -> Finding:
    name = f"BCC {'.'.join(map(str, version))}"
    evidence: tuple[Evidence, ...] = (Evidence(path, name),)
    try:
        lacks = tuple(lack for lack in bcc.lacks if lack.file not in scope.but)
    except Unavailable as gap:
        return _by_release(machine, name, version, evidence, gap.reason, scope)
    evidence += tuple(
        Evidence(f"{bcc.source}/{lack.file}", f"{name} lacks {', '.join(lack.names[:6])}") for lack in lacks
    )
    if not lacks:
        return ok(
            f"{name} has what this kernel's headers rely on",
            evidence=(*evidence, Evidence(f"{bcc.source}/{_BPF_H}", "its own bpf.h is enough"))
            if not scope.but
            else evidence,
        )
    widest = lacks[-1]
    evidence += _stopped(machine, widest.file, few=widest.few)
    return (warn if widest.few else fail)(
        f"{name} lacks {widest.names[0]}, on which these headers rely",
        reason="; ".join(f"{lack.file} relies on {_some(lack.names)}" for lack in lacks)
        + f": {widest.what} do not compile, the other tools do",
        evidence=evidence,
        remedies=_newer(enough(machine.kernel.version_numbers, version)),
    )


def _stopped(machine: Machine, file: str, *, few: bool = False) -> tuple[Evidence, ...]:
    """The installed tools that do not compile without what this file relies on, where it is a few."""
    named: tuple[str, ...] = ()
    if file == _BPF_H:
        named = NET_TCP if few else NETWORK
    elif file in _NAMESPACES:
        named = (*NETWORK, *NAMESPACES)
    found = machine.tools.bcc.present(named)
    return (Evidence(f"{machine.tools.bcc.tools}", f"do not compile: {', '.join(found)}"),) if found else ()


def _some(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"


def _newer(release: tuple[int, int, int] | None) -> tuple[Remedy, ...]:
    title = f"Use BCC {'.'.join(map(str, release))} or newer" if release else "Use a newer BCC"
    return (
        Remedy(
            "bcc.newer",
            f"{title}, BCC's libbpf-tools, or bpftrace: the last two read BTF and need no headers",
            "manual",
        ),
    )


def _by_release(  # noqa: PLR0913, PLR0917  what the sentence is made of
    machine: Machine,
    name: str,
    version: tuple[int, int, int],
    evidence: tuple[Evidence, ...],
    gap: str,
    scope: _Scope,
) -> Finding:
    """What is expected of this pair where its header or the kernel's was not looked at."""
    kernel = machine.kernel.release
    unmet_ones = unmet(machine.kernel.version_numbers, version)
    lacks = next((one for one in unmet_ones if one.file not in scope.but), None)
    if lacks is None:
        return expected(
            f"whether {name} can compile the headers of {kernel} was not tried",
            reason=f"{gap}; nothing is known against this pair",
            evidence=(*evidence, expect("BCC's releases", "none is known to lack anything for this kernel")),
        )
    first = ".".join(map(str, lacks.bcc))
    few = lacks.file == _BPF_H and only_by_tcp(machine.kernel.version_numbers)
    evidence += _stopped(machine, lacks.file, few=few)
    hits = NET_TCP_HITS if few else lacks.hits
    return (warn if few else fail)(
        f"{name} is too old for the headers of {kernel}, which have {lacks.what}",
        reason=f"BCC reads them from {first} on: {hits} do not compile, the other tools do",
        evidence=(*evidence, expect("BCC's releases", f"{first} is the first that can")),
        remedies=_newer(lacks.bcc),
    )
