"""What the machine itself says about a concept, beyond the findings: sizes, counts, places, what its bpftrace does.

A fact that cannot be looked at says so, and what is known from tables is called expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kdiag.explain.options.option import value_here
from kdiag.explain.options.parts import behaviour_here, installed
from kdiag.explain.probe import tracepoints
from kdiag.explain.value import Section
from kdiag.knowledge.kernel_options import surveyed
from kdiag.knowledge.options import by_name
from kdiag.parse.bpftrace.attach import parse
from kdiag.parse.btf import BtfError
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.here import Here

Rows = Iterator[tuple[str, str]]

#: Kinds of BTF that a row has room for.
_KINDS = ("STRUCT", "UNION", "ENUM", "TYPEDEF", "FUNC")
_ARCHIVE = "/sys/kernel/kheaders.tar.xz"
_EVENT = "tracepoint:sched:sched_process_fork"
#: The rights that tracing tools ask for.
_RIGHTS = ("CAP_SYS_ADMIN", "CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH", "CAP_SYSLOG", "CAP_SYS_RESOURCE")


def _btf(here: Here) -> Rows:
    try:
        found = here.machine.btf.vmlinux
    except (Unavailable, BtfError) as error:
        yield "BTF", str(error)
        return
    counts = dict(found.counts)
    kinds = ", ".join(f"{counts[kind]:,} {kind}" for kind in _KINDS if kind in counts)
    size = f"{found.size:,} bytes, {found.n_types:,} types: {kinds}; no line of source"
    yield "/sys/kernel/btf/vmlinux", size
    modules = len(found.modules.names)
    yield "modules", f"{modules} with BTF of their own" if modules else "none has BTF of its own"


def _kheaders(here: Here) -> Rows:
    yield "CONFIG_IKHEADERS", value_here(by_name()["IKHEADERS"], here)
    try:
        archive = here.machine.kheaders.archive
        if archive is not None:
            info = here.machine.kheaders.archive_info
            arch = f", for {', '.join(info.archs)}" if info is not None and info.archs else ""
            yield _ARCHIVE, f"{len(archive):,} bytes{arch}"
    except (Unavailable, ParseError) as error:
        yield _ARCHIVE, str(error)
    yield "elsewhere", _elsewhere("IKHEADERS", here)


def _elsewhere(name: str, here: Here) -> str:
    """How many kernels of the table have an option, in one line; those of which nothing is known are no part of it."""
    identity = here.machine.kernel.identity
    arch = identity.arch if identity is not None and identity.arch == "aarch64" else "x86_64"
    values = [kernel.expected[name].value for kernel in surveyed(arch) if name in kernel.expected]
    counted = ", ".join(f"{values.count(value)} have {value}" for value in ("y", "m", "n"))
    return f"of {len(values)} kernels, read or expected: {counted}"


def _release(here: Here) -> str:
    """The bpftrace whose behaviour is spoken of."""
    name = f"bpftrace {'.'.join(map(str, behaviour_here(here).version))}"
    return name if installed(here) is not None else f"{name} (not seen here)"


def _tracepoint(here: Here) -> Rows:
    if behaviour_here(here).args_need_btf:
        how = "takes the types of arguments from BTF alone, and needs no headers for them"
    else:
        how = "gives clang the fields of the format file, and takes the types that they name from BTF or headers"
    yield _release(here), how


def _warning(here: Here) -> Rows:
    behaviour = installed(here)
    if behaviour is None:
        yield "bpftrace", "none is seen, or it does not say its release"
        return
    said = {
        "never": "does not print it",
        "before-parsing": "prints it for every script that needs a type, if it finds no headers",
        "after-failure": "prints it only below the error of a script that did not compile",
    }
    yield _release(here), said[behaviour.header_warning]
    try:
        chosen = here.machine.headers.for_bpftrace
        types = here.machine.headers.has_btf
    except Unavailable as gap:
        yield "headers", f"not known: {gap.reason}"
        return
    if chosen is not None:
        yield "headers", f"found in {chosen.source}"
    elif behaviour.header_warning != "before-parsing":
        yield "headers", "it finds none"
    elif types:
        yield "so", "it comes here, and is harmless: BTF has the types"
    else:
        yield "so", "it comes here, and there is no BTF that could stand in for headers"


def _output(here: Here) -> Rows:
    said = {
        "perf-events": "prints through a perf buffer",
        "either": "prints through a ring buffer, and through a perf buffer where the kernel has none",
        "ring-buffer": "prints through a ring buffer",
    }
    yield _release(here), said[behaviour_here(here).output]


def _rights(here: Here) -> Rows:
    privileges = here.machine.privileges
    try:
        held = [name for name in _RIGHTS if privileges.has(name)]
        user = "root" if privileges.is_root else f"uid {here.machine.system.identity().euid}"
        yield "the caller", f"{user}, holds {', '.join(held) or 'none of the rights for tracing'}"
    except Unavailable as gap:
        yield "the caller", f"not known: {gap.reason}"
    euid = behaviour_here(here).privileges == "euid"
    yield _release(here), "asks for uid 0" if euid else "asks for rights, not for uid 0"


def _whose(here: Here) -> Rows:
    machine = here.machine
    identity = machine.kernel.identity
    try:
        release = machine.kernel.release
    except Unavailable as gap:
        release = f"release not known ({gap.reason})"
    yield "the kernel", f"{release}: {identity.name if identity is not None else 'not one that kdiag knows'}"
    try:
        place, vm = machine.environment.container, machine.environment.vm
    except Unavailable as gap:
        yield "where", f"not known: {gap.reason}"
        return
    if place is not None:
        yield "where", f"in a container ({place.name}): BTF, kheaders and tracepoints are its host's"
    elif vm is not None:
        yield "where", f"in a VM ({vm.name}): they are those of the VM's kernel, whatever the host runs"
    else:
        yield "where", "no container and no VM is seen: every container here has the same"


def _an_event(here: Here) -> tuple[Section, ...]:
    """The fields of one event by tracefs, beside their types in BTF."""
    sections = tracepoints.found(parse(_EVENT), here).sections
    return tuple(
        Section(f"{_EVENT}: {section.title[0].lower()}{section.title[1:]}", (), section.head, section.rows)
        for section in sections
        if section.rows
    )


FACTS: dict[str, Callable[[Here], Rows]] = {
    "btf": _btf,
    "kheaders": _kheaders,
    "tracepoint": _tracepoint,
    "headers-warning": _warning,
    "ring-buffer": _output,
    "capabilities": _rights,
    "containers": _whose,
}
#: What a concept shows of this machine in a part of its own.
EXAMPLES: dict[str, Callable[[Here], tuple[Section, ...]]] = {"tracepoint": _an_event}
