"""All relocations of an object on one kernel: where each field is there, and what the instruction becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.bpf.btf_ext import CoreKind
from kdiag.parse.bpf.core.names import by_name, essential
from kdiag.parse.bpf.core.spec import Spec, broken, local, match
from kdiag.parse.bpf.core.types import BadRelocation, kinds_compatible
from kdiag.parse.bpf.core.values import Value, may_resize, value
from kdiag.parse.btf.graph import Graph
from kdiag.parse.btf.kinds import BtfError

if TYPE_CHECKING:
    from kdiag.parse.bpf.btf_ext import CoreRelocation


class Resolved(NamedTuple):
    """A relocation on a kernel. local: the object's own way, None if libbpf can make nothing of it (error says why);
    target: where that leads in the kernel's types, None for nowhere; module: whose types, "" for the kernel's own; own,
    here: the numbers; candidates: how many types of the kernel have the name; resizes: False where a load would have to
    change its size and may not; broken: the struct where the way ends, the member that it lacks, and whether that is
    there and of another kind.
    """

    relocation: CoreRelocation
    local: Spec | None
    target: Spec | None
    own: Value
    here: Value
    module: str = ""
    candidates: int = 0
    resizes: bool = True
    error: str = ""
    broken: tuple[str, str, bool] | None = None

    @property
    def kind(self) -> CoreKind:
        """The kind of a relocation that libbpf knows."""
        return CoreKind(self.relocation.kind)

    @property
    def missing(self) -> bool:
        """Whether what is relocated is not there, and the program did not ask if it is."""
        return not self.error and self.here.number is None

    @property
    def moved(self) -> bool:
        """Whether a field has another place here than where the object was compiled."""
        return (
            self.relocation.kind == CoreKind.FIELD_BYTE_OFFSET
            and self.target is not None
            and self.own.number != self.here.number
        )


class Kernel:
    """The types of a kernel by name. others: its modules' types, read when a name is not the kernel's own."""

    def __init__(
        self, main: Graph, others: Callable[[str], Sequence[tuple[str, Graph]]] = lambda _: ()
    ) -> None:
        self.main = main
        self._others = others
        self._known: dict[str, list[int]] = {}

    def learn(self, names: set[str]) -> None:
        """Look for all of these names in one pass."""
        new = {name for name in names if name not in self._known}
        found = by_name(self.main.btf, new)
        self._known.update((name, found.get(name, [])) for name in new)

    def candidates(self, name: str, kind: int) -> list[tuple[str, Graph, int]]:
        """The types of an essential name and a kind: the kernel's, or else its modules'."""
        self.learn({name})
        main = self.main
        own = [("", main, one) for one in self._known[name] if kinds_compatible(main.kind(one), kind)]
        return own or [
            (module, graph, one)
            for module, graph in self._others(name)
            for one in by_name(graph.btf, {name}).get(name, ())
            if one >= graph.btf.first_id and kinds_compatible(graph.kind(one), kind)
        ]


def resolve(
    graph: Graph, relocations: Sequence[CoreRelocation], kernel: Kernel, *, big: bool
) -> list[Resolved]:
    """Each relocation, in order. graph: the object's own types. A type of the object that is damaged is an error of the
    relocations that use it.
    """
    kernel.learn(set(_names(graph, relocations)))
    left: dict[int, list[tuple[str, Graph, int]]] = {}
    known: dict[tuple[int, str, int], Resolved] = {}
    found = []
    for relocation in relocations:
        question = relocation.type_id, relocation.access, relocation.kind
        if question not in known:
            try:
                known[question] = _one(graph, relocation, kernel, left, big=big)
            except (BadRelocation, BtfError) as error:
                none = Value(None)
                known[question] = Resolved(relocation, None, None, none, none, error=str(error))
        found.append(known[question]._replace(relocation=relocation))
    return found


def _names(graph: Graph, relocations: Sequence[CoreRelocation]) -> Iterator[str]:
    for type_id in {one.type_id for one in relocations}:
        try:
            if type_id:
                yield essential(graph.name(type_id))
        except BtfError:
            continue


def _one(
    graph: Graph,
    relocation: CoreRelocation,
    kernel: Kernel,
    left: dict[int, list[tuple[str, Graph, int]]],
    *,
    big: bool,
) -> Resolved:
    wanted = local(graph, relocation)
    kind = CoreKind(relocation.kind)
    own = value(kind, wanted, big=big)
    if kind is CoreKind.TYPE_ID_LOCAL:
        return Resolved(relocation, wanted, wanted, own, own)
    name = graph.name(relocation.type_id) if relocation.type_id else ""
    if not name:
        raise BadRelocation("the type that is relocated has no name")
    if relocation.type_id not in left:
        left[relocation.type_id] = kernel.candidates(essential(name), graph.kind(relocation.type_id))
    candidates = left[relocation.type_id]
    fits: list[tuple[tuple[str, Graph, int], Spec, Value]] = []
    for candidate in candidates:
        spec = match(wanted, kind, candidate[1], candidate[2])
        if spec is None:
            continue
        here = value(kind, spec, big=big)
        if fits and (spec.bits, here.number) != (fits[0][1].bits, fits[0][2].number):
            raise BadRelocation(f"{spec.describe()} has two places in this kernel's types")
        fits.append((candidate, spec, here))
    if not fits:
        where = (
            broken(wanted, kind, candidates[0][1], candidates[0][2]) if candidates and kind.of_field else None
        )
        none = value(kind, None, big=big)
        return Resolved(relocation, wanted, None, own, none, candidates=len(candidates), broken=where)
    left[relocation.type_id] = [candidate for candidate, _, _ in fits]
    (module, theirs, _), spec, here = fits[0]
    resizes = kind is not CoreKind.FIELD_BYTE_OFFSET or may_resize(graph, own, theirs, here)
    return Resolved(relocation, wanted, spec, own, here, module, len(candidates), resizes)
