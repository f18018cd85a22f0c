"""Which kernels' headers a release of BCC compiles."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.knowledge.tools.bcc_history import enough, unmet
from kdiag.machine import Machine
from kdiag.machine.compilers.bcc import Bcc
from kdiag.model import Evidence, Finding, Remedy, expect, expected, fail, ok, skip
from kdiag.system import Unavailable


@check("headers.bcc-age", "BCC can compile this kernel's headers")
def bcc_age(machine: Machine) -> Iterator[Finding]:
    """BCC puts a bpf.h of its own, of the kernel that was new when it was released, in the place of the kernel's. The
    headers of a newer kernel rely on structs and constants that are not in it, on extensions of C and on `asm goto`:
    clang ends with `incomplete type 'struct bpf_wq'`, `use of undeclared identifier`, `no member named`. Both are
    looked at, BCC's own header in its library and the kernel's in the tree; where one is not to be seen, a table of
    releases says what is expected. See it yourself: `strings $(ldconfig -p | grep -o '/.*libbcc.so.0') | grep bpf_wq`.
    """
    if machine.tools.bcc_tools is None:
        yield skip("BCC's tools are not installed")
        return
    library, bcc = machine.tools.libbcc, Bcc(machine)
    if library is None:
        yield expected(
            "which BCC this is was not seen", reason="no libbcc.so.0.* where libraries are looked for"
        )
        return
    name = f"BCC {'.'.join(map(str, library[1]))}"
    evidence: tuple[Evidence, ...] = (Evidence(library[0], name),)
    try:
        lacks = bcc.lacks
    except Unavailable as gap:
        yield _by_release(machine, name, library[1], evidence, gap.reason)
        return
    evidence += tuple(
        Evidence(f"{bcc.source}/{lack.file}", f"{name} lacks {', '.join(lack.names[:6])}") for lack in lacks
    )
    if not lacks:
        yield ok(
            f"{name} has what this kernel's headers rely on",
            evidence=(*evidence, Evidence(f"{bcc.source}/include/linux/bpf.h", "its own bpf.h is enough")),
        )
        return
    widest = lacks[-1]
    yield fail(
        f"{name} cannot compile {widest.what}: it lacks {widest.names[0]}",
        reason=f"{'; '.join(f'{lack.file} relies on {_some(lack.names)}' for lack in lacks)}; the other tools compile",
        evidence=evidence,
        remedies=_newer(enough(machine.kernel.version_numbers, library[1])),
    )


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


def _by_release(
    machine: Machine, name: str, version: tuple[int, int, int], evidence: tuple[Evidence, ...], gap: str
) -> Finding:
    """What is expected of this pair where its header or the kernel's was not looked at."""
    kernel = machine.kernel.release
    lacks = unmet(machine.kernel.version_numbers, version)
    if lacks is None:
        return expected(
            f"whether {name} can compile the headers of {kernel} was not tried",
            reason=f"{gap}; nothing is known against this pair",
            evidence=(*evidence, expect("BCC's releases", "none is known to lack anything for this kernel")),
        )
    first = ".".join(map(str, lacks.bcc))
    return fail(
        f"{name} is too old for the headers of {kernel}: {lacks.hits} do not compile",
        reason=f"the headers of Linux {lacks.kernel[0]}.{lacks.kernel[1]} and newer have {lacks.what}, "
        f"which BCC reads from {first} on; the other tools compile",
        evidence=(*evidence, expect("BCC's releases", f"{first} is the first that can")),
        remedies=_newer(lacks.bcc),
    )
