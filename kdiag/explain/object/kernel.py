"""What the kernel of the examined machine has of BPF: asked of its BTF and by harmless calls, seldom of its version."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes
from kdiag.parse.bpf.core.resolve import Kernel
from kdiag.parse.btf import BtfError, Kind
from kdiag.parse.utsrelease import version_code
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.btf.sources import Source
    from kdiag.explain.here import Here
    from kdiag.knowledge.bpf.tables import Section
    from kdiag.parse.btf.graph import Graph
    from kdiag.system import ProbeResult

_ENUMS = (Kind.ENUM, Kind.ENUM64)
#: By attach type: what the thing is called in the kernel's types, its kind, and how many more values than parameters
#: there are: a tracepoint's first is not the program's, a function's result comes last.
_CONTEXTS: dict[str, tuple[str, Kind, int]] = {
    "TRACE_RAW_TP": ("btf_trace_", Kind.TYPEDEF, -1),
    "TRACE_FENTRY": ("", Kind.FUNC, 0),
    "TRACE_FEXIT": ("", Kind.FUNC, 1),
    "MODIFY_RETURN": ("", Kind.FUNC, 1),
    "LSM_MAC": ("bpf_lsm_", Kind.FUNC, 1),
}


class KernelFacts:
    """Answers are kept. Three of them: a thing is there, it is not, or Unavailable is raised with the reason."""

    def __init__(self, here: Here) -> None:
        self.machine = here.machine
        self._here = here
        self._enums: dict[str, dict[str, int]] = {}
        self._functions: dict[str, bool] = {}

    @property
    def source(self) -> Source:
        """The kernel's types. Raises Unavailable."""
        try:
            return self._here.types
        except NoTypes as none:
            raise Unavailable(str(none)) from None

    @property
    def has_types(self) -> bool | None:
        """Whether the kernel provides BTF, None where that cannot be seen."""
        try:
            return bool(self._here.types)
        except NoTypes as none:
            return False if none.known else None

    @property
    def fallback(self) -> str:
        """A file that libbpf takes where the kernel itself provides no BTF, "" for none."""
        if self.has_types is not False:
            return ""
        try:
            sound = (one.path for one in self.machine.btf.fallbacks if one.seen and not one.problem)
            return next(sound, "")
        except Unavailable:
            return ""

    @cached_property
    def core(self) -> Kernel:
        """The kernel's types by name. Raises Unavailable."""
        return Kernel(self.source.main.graph, self._modules_with)

    def _modules_with(self, name: str) -> Sequence[tuple[str, Graph]]:
        found = self.source.others(name.encode("utf-8", "surrogateescape"))
        return [(types.module, types.graph) for types in found]

    def constants(self, enum: str) -> dict[str, int]:
        """The constants of one of the kernel's enums. Raises Unavailable where its types have no such enum."""
        if enum not in self._enums:
            graph = self.source.main.graph
            try:
                type_id = graph.btf.find(enum, _ENUMS)
                found = [] if type_id is None else graph.enumerators(type_id)
            except BtfError as error:
                raise Unavailable(f"the kernel's BTF is damaged: {error}") from None
            self._enums[enum] = {one.name: one.value for one in found}
        if not self._enums[enum]:
            raise Unavailable(f"the kernel's BTF does not describe enum {enum}")
        return self._enums[enum]

    def has(self, enum: str, constant: str, number: int) -> bool:
        """Whether the kernel has a constant of this name and number. Raises Unavailable."""
        return self.constants(enum).get(constant) == number

    def function(self, name: str) -> bool:
        """Whether the kernel's types, or a loaded module's, have a function. Raises Unavailable."""
        return self._has(name, Kind.FUNC)

    def typedef(self, name: str) -> bool:
        """Whether they have a typedef. Raises Unavailable."""
        return self._has(name, Kind.TYPEDEF)

    def struct(self, name: str) -> bool:
        """Whether they have a struct. Raises Unavailable."""
        return self._has(name, Kind.STRUCT)

    def operations(self, name: str) -> frozenset[str] | None:
        """The members of a struct of operations that BPF programs may give to the kernel, None where it takes none of
        that name. Raises Unavailable.
        """
        value = f"bpf_struct_ops_{name}"
        source = self.source
        try:
            for types in (source.main, *source.others(value.encode("utf-8", "surrogateescape"))):
                struct = types.btf.find(name, (Kind.STRUCT,))
                if struct is not None and types.btf.find(value, (Kind.STRUCT,)) is not None:
                    return frozenset(one.name for one in types.btf.members(struct, flatten=True))
        except BtfError as error:
            raise Unavailable(f"the kernel's BTF is damaged: {error}") from None
        return None

    def _has(self, name: str, kind: Kind) -> bool:
        key = f"{kind.name} {name}"
        if key not in self._functions:
            source = self.source
            try:
                self._functions[key] = source.main.btf.has(name, kind) or any(
                    types.btf.has(name, kind)
                    for types in source.others(name.encode("utf-8", "surrogateescape"))
                )
            except BtfError as error:
                raise Unavailable(f"the kernel's BTF is damaged: {error}") from None
        return self._functions[key]

    def arguments(self, section: Section, name: str) -> int | None:
        """How many arguments a program may read that attaches to a tracepoint or a function through BTF, the function's
        result among them where it is handed over (kernel/bpf/btf.c, btf_ctx_access()); None for other programs, and for
        what is only in a module. Raises Unavailable.
        """
        if section.attach not in _CONTEXTS or not name:
            return None
        prefix, kind, more = _CONTEXTS[section.attach]
        graph = self.source.main.graph
        try:
            type_id = graph.btf.find(f"{prefix}{name}", (kind,))
            if type_id is None:
                return None
            proto = graph.target(type_id)
            if kind == Kind.TYPEDEF:
                proto = graph.target(graph.plain(proto))
            return len(graph.params(proto)) + more
        except BtfError as error:
            raise Unavailable(f"the kernel's BTF is damaged: {error}") from None

    @cached_property
    def version_code(self) -> int | None:
        """LINUX_KERNEL_VERSION as libbpf works it out, None where the kernel does not say its release."""
        try:
            name = self.machine.system.uname()
            signature = self.machine.system.read("/proc/version_signature", 4096) or b""
            return version_code(name.release, name.version, signature.decode("latin-1"))
        except (Unavailable, ValueError):
            return None

    def tracing_probe(self, what: str, function: str) -> ProbeResult:
        """An empty fentry program or iterator, loaded. Raises Unavailable."""
        type_id = self.source.main.btf.find(function, (Kind.FUNC,))
        if type_id is None:
            raise Unavailable(f"the kernel's BTF has no function {function} to try with")
        return self.machine.system.probe(f"bpf:{what}:{type_id}")

    def option(self, name: str) -> str | None:
        """The value of a kernel option, None if it is not set. Raises Unavailable."""
        return self.machine.config.value(name)

    def variable(self, name: str) -> bool:
        """Whether a symbol that a program takes the address of is there. Raises Unavailable."""
        if self._has(name, Kind.VAR) or self.function(name):
            return True
        return self.symbol(name)

    def symbol(self, name: str) -> bool:
        """Whether the kernel or a module has a symbol. Raises Unavailable."""
        text, known = name.encode("utf-8", "surrogateescape"), self.machine.names.kallsyms
        if known == b"\n":
            raise Unavailable("/proc/kallsyms is empty")
        return any(b" %b%b" % (text, end) in known for end in (b"\n", b"\t"))
