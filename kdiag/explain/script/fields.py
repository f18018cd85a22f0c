"""The structs and fields that a script uses, followed through the kernel's types from where each value begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf.declare import keyword
from kdiag.btf.finding import Found, find_type
from kdiag.explain.probe import types
from kdiag.parse.bpftrace.uses import Assign, Call, Chain, TypeUse, Use
from kdiag.parse.btf import BtfError
from kdiag.parse.btf.kinds import COMPOSITES, Kind
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kdiag.btf.sources import Source
    from kdiag.parse.bpftrace.uses import Step

_POINTED = (Kind.STRUCT, Kind.UNION)
_DEEPEST = 64


class Missing(NamedTuple):
    """What this kernel's types lack. what: `struct request.rq_disk`; near: a hint, or empty."""

    what: str
    says: str
    line: int


class Context(NamedTuple):
    """Where a body runs. arguments: the type of each argument that has a name, None where the names are not known;
    returns: the type of `retval`; context: of `ctx`; own: types that the script, or a header, defines.
    """

    arguments: Mapping[str, Found | None] | None
    returns: Found | None
    context: Found | None
    own: frozenset[str]
    what: str


class Walk:
    """Follows the uses of one body; what is there is noted in `seen`, what is not in `missing`."""

    def __init__(self, source: Source, context: Context, globals_: dict[str, Found | None]) -> None:
        self._source, self._context = source, context
        self._values: dict[str, Found | None] = {}
        self._maps = globals_
        self.seen: dict[str, int] = {}
        self.missing: dict[str, Missing] = {}

    def all(self, uses: Iterable[Use]) -> None:
        """Follow all uses in their order."""
        for use in uses:
            if isinstance(use, Assign):
                kept = self._maps if use.target.startswith("@") else self._values
                kept[use.target] = self._end(use.chain) if use.chain is not None else None
            elif isinstance(use, TypeUse):
                self._cast(use.text, use.word.line)
            elif isinstance(use, Chain):
                self._end(use)

    def _end(self, chain: Chain) -> Found | None:
        """The type at the end of a chain, None where it is not known, or not of the kernel."""
        at = self._begin(chain)
        steps = chain.steps
        if chain.root == "name" and chain.text == "args" and steps:
            at = self._argument(steps[0])
            steps = steps[1:]
        for step in steps:
            if at is None:
                return None
            at = self._step(at, step)
        return at

    def _begin(self, chain: Chain) -> Found | None:
        if chain.root == "cast":
            return self._cast(chain.text, chain.word.line)
        if chain.root == "variable":
            return self._values.get(chain.text)
        if chain.root == "map":
            return self._maps.get(chain.text)
        if chain.root == "name":
            if chain.text == "curtask":
                return self._struct("struct task_struct", 1, chain.word.line)
            return {"retval": self._context.returns, "ctx": self._context.context}.get(chain.text)
        return None

    def _argument(self, step: Step) -> Found | None:
        names = self._context.arguments
        if names is None:
            return None
        if step.name in names:
            return names[step.name]
        what = f"args.{step.name}"
        hint = did_you_mean(step.name, names)
        says = f"{self._context.what} has no field {step.name}{hint}"
        self.missing.setdefault(what, Missing(what, says, step.word.line))
        return None

    def _cast(self, text: str, line: int) -> Found | None:
        words = text.replace("*", " * ").split()
        stars = words.count("*")
        if words[0] not in ("struct", "union") or len(words) < 2:
            return None
        return self._struct(f"{words[0]} {words[1]}", stars, line)

    def _struct(self, name: str, stars: int, line: int) -> Found | None:
        """A struct by its name; pointers to it are followed by the steps."""
        if name in self._context.own:
            return None
        found = find_type(self._source, name)
        if found is None or found.types.graph.kind(found.type_id) == Kind.FWD:
            if types.whole(self._source):
                near = types.near_struct(self._source, name)
                self.missing.setdefault(
                    name, Missing(name, f"this kernel's types have no {name}{near}", line)
                )
            return None
        self.seen.setdefault(name, line)
        return found if stars <= 1 else None

    def _step(self, at: Found, step: Step) -> Found | None:
        graph = at.types.graph
        plain = graph.plain(at.type_id)
        kind = graph.kind(plain)
        if step.sign == "&":
            return None
        if step.sign == "*":
            return (
                Found(at.types, graph.target(plain))
                if kind == Kind.PTR
                else at
                if kind in COMPOSITES
                else None
            )
        if step.sign == "[]":
            return self._element(at, plain, kind)
        for _ in range(_DEEPEST):
            if graph.kind(plain) != Kind.PTR:
                break
            plain = graph.plain(graph.target(plain))
        if graph.kind(plain) not in COMPOSITES:
            return None
        return self._member(at, plain, step)

    def _element(self, at: Found, plain: int, kind: int) -> Found | None:
        graph = at.types.graph
        if kind == Kind.ARRAY:
            return Found(at.types, graph.array(plain).element)
        return Found(at.types, graph.target(plain)) if kind == Kind.PTR else None

    def _member(self, at: Found, plain: int, step: Step) -> Found | None:
        graph = at.types.graph
        name = f"{keyword(graph, plain)} {graph.name(plain)}".strip()
        members = graph.btf.members(plain, flatten=True)
        for member in members:
            if member.name == step.name:
                self.seen.setdefault(f"{name}.{step.name}", step.word.line)
                return Found(at.types, member.type_id)
        if step.name.isdigit():
            return None
        hint = did_you_mean(step.name, [member.name for member in members if member.name])
        what = f"{name}.{step.name}"
        self.missing.setdefault(what, Missing(what, f"{name} has no field {step.name}{hint}", step.word.line))
        return None


def called(uses: Iterable[Use]) -> dict[str, int]:
    """The functions that are called, each with the line where it is first."""
    found: dict[str, int] = {}
    for use in uses:
        if isinstance(use, Call):
            found.setdefault(use.name, use.word.line)
    return found


def named(uses: Iterable[Use]) -> dict[str, int]:
    """The plain names that stand for a value: builtins and constants."""
    found: dict[str, int] = {}
    for use in uses:
        if isinstance(use, Chain) and use.root == "name":
            found.setdefault(use.text, use.word.line)
    return found


def safely(walk: Walk, uses: Iterable[Use]) -> str:
    """Follow the uses; why that ended early, empty where it did not."""
    try:
        walk.all(uses)
    except BtfError as error:
        return str(error)
    return ""
