"""Program types, the places that programs attach to, and maps: whether this kernel has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from kdiag.explain.object.trouble import Trouble, unknown
from kdiag.knowledge.bpf.tables import map_types, program_types
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.object.kernel import KernelFacts
    from kdiag.knowledge.bpf.tables import Section
    from kdiag.parse.bpf.maps import Map

#: Types of which kdiag has the kernel load an empty program.
_PROBED = {
    "KPROBE": "kprobe",
    "TRACEPOINT": "tracepoint",
    "PERF_EVENT": "perf_event",
    "RAW_TRACEPOINT": "raw_tracepoint",
}
_TRAMPOLINE = ("TRACE_FENTRY", "TRACE_FEXIT", "MODIFY_RETURN", "TRACE_FSESSION")
#: What an attach type is called in `enum bpf_attach_type`; those that every kernel with the program type has are not
#: looked for.
_LATE = (
    "TRACE_KPROBE_MULTI",
    "TRACE_UPROBE_MULTI",
    "TRACE_KPROBE_SESSION",
    "TRACE_UPROBE_SESSION",
    "TRACE_FSESSION",
)
_LINKS = {
    "TRACE_UPROBE_MULTI": "uprobe-multi",
    "TRACE_KPROBE_SESSION": "kprobe-session",
    "TRACE_UPROBE_SESSION": "uprobe-session",
}
#: The names below which the kernel's types have what a program attaches to (libbpf's btf_get_kernel_prefix_kind()).
_PREFIX = {
    "TRACE_RAW_TP": "btf_trace_",
    "LSM_MAC": "bpf_lsm_",
    "LSM_CGROUP": "bpf_lsm_",
    "TRACE_ITER": "bpf_iter_",
}

#: What kdiag does not look into.
_REPLACES = (
    "it replaces {what} of another BPF program, which the program that loads it names; "
    "kdiag does not look at loaded programs"
)

_HASHES = ("HASH", "PERCPU_HASH", "LRU_HASH", "LRU_PERCPU_HASH", "HASH_OF_MAPS", "LPM_TRIE")
_ARRAYS = ("ARRAY", "PERCPU_ARRAY", "PROG_ARRAY", "CGROUP_ARRAY", "ARRAY_OF_MAPS")
_ENTRIES = (*_HASHES, *_ARRAYS, "STACK_TRACE", "RINGBUF", "QUEUE", "STACK", "BLOOM_FILTER", "USER_RINGBUF")
_SIZES = (*_HASHES, "ARRAY", "PERCPU_ARRAY", "STACK_TRACE", "QUEUE", "STACK", "BLOOM_FILTER")


def program_type(section: Section, kernel: KernelFacts) -> Iterator[Trouble]:
    """Whether an empty program of this type loads."""
    known = program_types()[section.program]
    try:
        if section.program in _PROBED:
            result = kernel.machine.bpf.program(_PROBED[section.program])
            if not result.ok:
                finding = f"bpf.prog.{_PROBED[section.program]}"
                yield Trouble(
                    f"the kernel refuses an empty program of type {section.program}: {result.describe()}",
                    finding=finding,
                    rights=result.name == "EPERM",
                )
                return
        elif section.attach in _TRAMPOLINE:
            yield from _trampoline(kernel)
        elif section.attach == "TRACE_ITER":
            result = kernel.tracing_probe("iter", "bpf_iter_task")
            if not result.ok:
                text = f"the kernel refuses an empty iterator: {result.describe()}"
                yield Trouble(text, finding="bpf.iter", rights=result.name == "EPERM")
        elif not kernel.has("bpf_prog_type", f"BPF_PROG_TYPE_{section.program}", known.number):
            yield Trouble(f"the kernel has no program type {section.program} (since {known.since})")
        elif known.option not in ("BPF_EVENTS", "BPF_SYSCALL"):
            yield from _option(known.option, f"programs of type {section.program}", kernel)
    except Unavailable as gap:
        yield unknown(f"whether the kernel has program type {section.program} cannot be seen: {gap.reason}")
    yield from _late(section, kernel)


def _trampoline(kernel: KernelFacts) -> Iterator[Trouble]:
    result = kernel.tracing_probe("fentry", "bpf_fentry_test1")
    if not result.ok:
        attach = result.detail == "attach"
        what = "attach an empty fentry program" if attach else "load an empty fentry program"
        text = f"the kernel refuses to {what}: {result.describe()}"
        yield Trouble(text, finding="bpf.fentry", attach=attach, rights=result.name == "EPERM")


def _late(section: Section, kernel: KernelFacts) -> Iterator[Trouble]:
    """Ways to attach that came later than their program type."""
    if section.attach not in _LATE:
        return
    try:
        if f"BPF_{section.attach}" not in kernel.constants("bpf_attach_type"):
            yield Trouble(f"the kernel has no attach type {section.attach}")
            return
        if section.attach in _LINKS:
            result = kernel.machine.bpf.feature(_LINKS[section.attach])
            refused = result.name not in ("ESRCH", "EBADF", "ok")
        elif section.attach == "TRACE_KPROBE_MULTI":
            result = kernel.machine.bpf.kprobe_multi
            refused = result.name not in ("ESRCH", "ok")
        else:
            return
        if refused:
            text = f"the kernel refuses links of type {section.attach}: {result.describe()}"
            yield Trouble(text, attach=True, rights=result.name == "EPERM")
    except Unavailable as gap:
        yield unknown(f"whether the kernel has attach type {section.attach} cannot be seen: {gap.reason}")


def _option(option: str, what: str, kernel: KernelFacts) -> Iterator[Trouble]:
    if not option:
        return
    try:
        value = kernel.option(option)
    except Unavailable as gap:
        yield unknown(f"{what} require CONFIG_{option}, and {gap.reason}", "config.source")
        return
    if value not in ("y", "m"):
        yield Trouble(
            f"{what} require CONFIG_{option}, which this kernel was built without", finding="config.options"
        )


def target(section: Section, what: str, kernel: KernelFacts) -> Iterator[Trouble]:
    """Whether the kernel's types have what a program attaches to; for those where loading looks it up."""
    if section.program == "EXT":
        yield unknown(_REPLACES.format(what=f"function {what}" if what else "a function"))
        return
    if "btf" not in section.flags:
        return
    if not what:
        head = section.name.rstrip("+")
        yield unknown(
            f"the section {head} does not say what it attaches to: the program that loads it decides"
        )
        return
    name = what.rpartition(":")[2]
    full = f"{_PREFIX.get(section.attach, '')}{name}"
    try:
        there = (kernel.typedef if section.attach == "TRACE_RAW_TP" else kernel.function)(full)
    except Unavailable as gap:
        yield unknown(
            f"whether the kernel has {name} to attach to cannot be seen: {gap.reason}", "btf.vmlinux"
        )
        return
    if not there:
        nouns = {
            "TRACE_RAW_TP": "tracepoint",
            "TRACE_ITER": "iterator",
            "LSM_MAC": "LSM hook",
            "LSM_CGROUP": "LSM hook",
        }
        yield Trouble(f"the kernel's BTF has no {nouns.get(section.attach, 'function')} {name}")
    elif section.attach in _TRAMPOLINE:
        with suppress(Unavailable):
            # kernel/bpf/verifier.c, bpf_check_attach_target(): "The address of function ... cannot be found"
            if not kernel.symbol(name):
                yield Trouble(
                    f"the kernel's BTF has function {name}, and its symbols do not: it was inlined or renamed"
                )


def map_type(one: Map, kernel: KernelFacts, *, set_later: bool) -> Iterator[Trouble]:
    """Whether the kernel makes such a map. set_later: the program that carries the object may still change it."""
    known = map_types().get(one.kind)
    if one.kind == 0 or known is None:
        number = f"number {one.kind}" if one.kind else "not written in the object"
        yield Trouble(f"its type is {number}", certain=not set_later and not one.kind)
        return
    try:
        if known.name == "RINGBUF":
            result = kernel.machine.bpf.feature("ring-buffer")
            if not result.ok:
                text = f"the kernel refuses a ring buffer: {result.describe()}"
                yield Trouble(text, finding="bpf.ringbuf", rights=result.name == "EPERM")
                return
        elif not kernel.has("bpf_map_type", f"BPF_MAP_TYPE_{known.name}", known.number):
            yield Trouble(f"the kernel has no map type {known.name} (since {known.since})")
            return
    except Unavailable as gap:
        if not _old(known.since):
            yield unknown(f"whether the kernel has map type {known.name} cannot be seen: {gap.reason}")
    yield from _option(known.option, f"maps of type {known.name}", kernel)
    yield from _sizes(one, known.name, set_later=set_later)


def _old(since: str) -> bool:
    """Of a type that is in every kernel which kdiag is for (4.9, the first with BPF for perf events)."""
    parts = since.split(".")
    return bool(since) and (int(parts[0]), int(parts[1])) <= (4, 9)


def _sizes(one: Map, name: str, *, set_later: bool) -> Iterator[Trouble]:
    """What kernel/bpf/*.c refuse with EINVAL: no entries, no value. A program that carries the object sets them."""
    if set_later:
        return
    if name in _ENTRIES and not one.max_entries:
        yield Trouble("it has no max_entries: the program that loads it must set them")
    elif name in _SIZES and not one.value_size:
        yield Trouble("its values have no size: the program that loads it must set it")
