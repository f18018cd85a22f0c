"""The judgement of an object on this machine: its programs, its maps, and what is common to all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from kdiag.explain.object import operations
from kdiag.explain.object.attach import attach_point, unnamed
from kdiag.explain.object.carrier import faults
from kdiag.explain.object.code import Code, judged
from kdiag.explain.object.trouble import Trouble, unknown
from kdiag.explain.object.types import map_type, program_type, target
from kdiag.knowledge.bpf.tables import Section, program_types, section
from kdiag.system import Unavailable
from kdiag.words import listed

if TYPE_CHECKING:
    from kdiag.explain.object.kernel import KernelFacts
    from kdiag.explain.object.source import Source
    from kdiag.explain.value import Outcome
    from kdiag.parse.bpf.maps import Map
    from kdiag.parse.bpf.program import Function
    from kdiag.parse.bpf.read import Object


#: Programs that have the same in their way are named so far.
_NAMED = 3


class Program(NamedTuple):
    """A program. section: None for a name that libbpf does not know; what: the part after the slash; default: False for
    one that is loaded only on request (`?` before the name); troubles: in its way here.
    """

    function: Function
    section: Section | None
    what: str
    default: bool
    troubles: tuple[Trouble, ...]

    @property
    def outcome(self) -> Outcome:
        """Whether it loads and attaches."""
        return _outcome(self.troubles)

    @property
    def loads(self) -> Outcome:
        """Whether it loads."""
        return _outcome(tuple(trouble for trouble in self.troubles if not trouble.attach))


class Decision(NamedTuple):
    """The outcome for an object, at which stage it is decided, and by what. run: each of its programs fails at one of
    the two others.
    """

    outcome: Outcome
    stage: Literal["load", "attach", "run"]
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True)
class Judged:
    """An object on this machine. common: what no program of it gets past; maps: each with what is in its way."""

    object: Object
    embedded: bool
    common: tuple[Trouble, ...]
    programs: tuple[Program, ...]
    maps: tuple[tuple[Map, tuple[Trouble, ...]], ...]
    code: Code

    @property
    def loaded(self) -> list[Program]:
        """The programs that are loaded unless something else is asked for."""
        return [one for one in self.programs if one.default]

    @cached_property
    def decision(self) -> Decision:
        """The outcome as a whole."""
        always = (*self.common, *(trouble for _, troubles in self.maps for trouble in troubles))
        if any(trouble.certain for trouble in always):
            return Decision("fails", "load", tuple(trouble for trouble in always if trouble.certain))
        load = self._of(attach=False)
        if load and self._decides([one for one in self.loaded if one.loads == "fails"]):
            return Decision("fails", "load", tuple(trouble for trouble in load if trouble.certain))
        if self.embedded and self.loaded and all(one.outcome == "fails" for one in self.loaded):
            every = (*load, *self._of(attach=True))
            return Decision("fails", "run", tuple(trouble for trouble in every if trouble.certain))
        if always or load:
            return Decision("unknown", "load", (*always, *load))
        attach = self._of(attach=True)
        if attach and self._decides([one for one in self.loaded if one.outcome == "fails"]):
            return Decision("fails", "attach", tuple(trouble for trouble in attach if trouble.certain))
        return Decision("unknown" if attach else "works", "attach" if attach else "load", attach)

    @property
    def loads(self) -> Outcome:
        """Whether it loads as it is in the file, all programs of it."""
        always = (*self.common, *(trouble for _, troubles in self.maps for trouble in troubles))
        return _outcome((*always, *self._of(attach=False)))

    def _decides(self, failing: list[Program]) -> bool:
        """Whether the failure of these programs is that of the whole: a program that carries the object may leave out
        some of them, and not all.
        """
        return bool(failing) and (not self.embedded or len(failing) == len(self.loaded))

    def _of(self, *, attach: bool) -> tuple[Trouble, ...]:
        """What is in the way of programs, each thing once, after the names of those that it is in the way of."""
        whose: dict[Trouble, list[str]] = {}
        for program in self.loaded:
            for trouble in program.troubles:
                if trouble.attach == attach:
                    whose.setdefault(trouble, []).append(program.function.name)
        return tuple(
            trouble._replace(text=f"{_several(names)}: {trouble.text}")
            if len(names) < len(self.loaded) or len(names) == 1
            else trouble
            for trouble, names in whose.items()
        )


def _several(names: list[str]) -> str:
    return (
        listed(names)
        if len(names) <= _NAMED
        else f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    )


def _outcome(troubles: tuple[Trouble, ...]) -> Outcome:
    if any(trouble.certain for trouble in troubles):
        return "fails"
    return "unknown" if troubles else "works"


def judge(found: Object, kernel: KernelFacts, source: Source) -> Judged:
    """Judge an object of a file."""
    embedded = source.embedded
    code = judged(found, kernel, set_later=embedded)
    wrong = tuple(faults(found, source)) if embedded else ()
    judging = (_program(one, found, code, kernel, set_later=embedded) for one in found.programs)
    programs = tuple(one._replace(troubles=(*wrong, *one.troubles)) for one in judging)
    kept = tuple((one, tuple(_map(one, kernel, set_later=embedded))) for one in found.maps)
    given = operations.refused(found, kernel, set_later=embedded)
    common = (*_allowed(programs, kernel), *code.refused, *given)
    return Judged(found, embedded, tuple(dict.fromkeys(common)), programs, kept, code)


def _program(
    function: Function, found: Object, code: Code, kernel: KernelFacts, *, set_later: bool
) -> Program:
    known = section(function.section)
    what = function.section.removeprefix("?").partition("/")[2] if known and known.name.endswith("+") else ""
    troubles: list[Trouble] = []
    if known is None:
        troubles.append(Trouble(f"libbpf 1.0 and newer know no section {function.section}"))
    else:
        troubles += program_type(known, kernel)
        troubles += target(known, what, kernel)
        if known.program == "STRUCT_OPS":
            troubles += operations.of_program(function, found, kernel, set_later=set_later)
        with suppress(Unavailable):
            troubles += code.arguments(function, kernel.arguments(known, what.rpartition(":")[2]), what)
        calls = [number for one in found.functions for number in one.helpers()]
        placed = list(attach_point(known, what, kernel, set_later=set_later, calls=calls))
        troubles += placed or ([] if what else unnamed(known, function.name, kernel))
        troubles += code.forbidden(function, known.program)
    troubles += code.troubles(function)
    return Program(
        function, known, what, not function.section.startswith("?"), tuple(dict.fromkeys(troubles))
    )


def _map(one: Map, kernel: KernelFacts, *, set_later: bool) -> Iterator[Trouble]:
    for trouble in map_type(one, kernel, set_later=set_later):
        yield trouble._replace(text=f"map {one.name}: {trouble.text}")


def needed_capabilities(programs: tuple[Program, ...]) -> tuple[str, ...]:
    """What the types of these programs require of the caller, on kernels since 5.8."""
    types = [program_types()[one.section.program] for one in programs if one.section]
    return tuple(dict.fromkeys(("CAP_BPF", *(name for one in types for name in one.capabilities))))


def _allowed(programs: tuple[Program, ...], kernel: KernelFacts) -> Iterator[Trouble]:
    """Whether the caller may use bpf(2)."""
    try:
        result = kernel.machine.bpf.create_map
        if not result.ok:
            text = f"the kernel refuses bpf(2) to the caller: {result.describe()}"
            yield Trouble(text, finding="bpf.map", rights=result.name == "EPERM")
            return
    except Unavailable as gap:
        yield unknown(f"whether bpf(2) is allowed is not known: {gap.reason}", "bpf.map")
    try:
        # CAP_SYS_ADMIN holds them all: kernel/bpf/syscall.c, bpf_prog_load() and bpf_net_capable().
        privileges = kernel.machine.privileges
        admin = privileges.has("CAP_SYS_ADMIN")
        lacking = () if admin else privileges.lacking(*needed_capabilities(programs))
    except Unavailable as gap:
        yield unknown(f"the caller's capabilities cannot be seen: {gap.reason}", "privileges.capabilities")
        return
    if lacking:
        yield Trouble(f"the caller has no {' and no '.join(lacking)}", finding="privileges.capabilities")
