"""What the instructions of a program require: helpers, functions of the kernel, fields. Only what the kernel's verifier
comes to counts: an object asks for a field or a helper and goes another way where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from kdiag.explain.object.trouble import Trouble, unknown
from kdiag.knowledge.bpf.tables import allowed, helpers
from kdiag.parse.bpf.btf_ext import CoreKind
from kdiag.parse.bpf.core.apply import POISON, Refused, patched
from kdiag.parse.bpf.core.resolve import Resolved, resolve
from kdiag.parse.bpf.linked import Linked, Symbols
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.object.kernel import KernelFacts
    from kdiag.parse.bpf.instructions import Instruction
    from kdiag.parse.bpf.program import Function
    from kdiag.parse.bpf.read import Object

#: include/linux/license.h, license_is_gpl_compatible()
_FREE = ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")
#: Helpers in whose place libbpf puts the older one that reads both user and kernel memory, where the kernel has only
#: that (src/libbpf.c, bpf_object__sanitize_prog()).
_OLDER = {112: 4, 113: 4, 114: 45, 115: 45}

Key = tuple[str, int]


class Code(NamedTuple):
    """An object's instructions on this kernel. resolved: its CO-RE relocations, in order, empty where the kernel's
    types cannot be had; refused: why libbpf refuses the whole object; bad: what is wrong at an instruction. settings:
    the same with other constants, which a program that carries the object may set: what is not reached with all of
    these, it may do without.
    """

    linked: Linked
    settings: tuple[Linked, ...]
    resolved: tuple[Resolved, ...]
    refused: tuple[Trouble, ...]
    bad: Mapping[Key, Mapping[int, Trouble]]

    def arguments(self, program: Function, most: int | None, what: str) -> list[Trouble]:
        """That it reads arguments which its tracepoint or function does not have here."""
        if most is None:
            return []
        reach = self.linked.reach(program)
        beyond = max((at // 8 for at in reach.context), default=-1)
        if beyond < most:
            return []
        always = all(any(at // 8 >= most for at in one.reach(program).context) for one in self.settings)
        text = f"it reads argument {beyond + 1} of {what}, which has {most} in this kernel"
        return [Trouble(text, certain=reach.complete and always)]

    def _certain(self, program: Function, one: Function, nth: int) -> bool:
        """Whether it comes to an instruction whatever its constants are set to."""
        return self.linked.reach(program).complete and all(
            linked.reach(program).has(one, nth) for linked in self.settings
        )

    def forbidden(self, program: Function, kind: str) -> list[Trouble]:
        """Helpers that it comes to and that programs of its type may not call."""
        may = allowed().get(kind)
        if may is None:
            return []
        found = []
        for one in self.linked.parts(program):
            for number, nth in one.helpers().items():
                known = helpers().get(number)
                if known and number not in may and self.linked.reach(program).has(one, nth):
                    text = f"programs of type {kind} may not call bpf_{known.name}"
                    found.append(Trouble(text, certain=self._certain(program, one, nth)))
        return found

    def troubles(self, program: Function) -> list[Trouble]:
        """What a program comes to."""
        parts = self.linked.parts(program)
        suspects = [
            (one, nth, trouble) for one in parts for nth, trouble in self.bad.get(_key(one), {}).items()
        ]
        if not suspects:
            return []
        reach = self.linked.reach(program)
        found = [
            trouble._replace(certain=trouble.certain and self._certain(program, one, nth))
            for one, nth, trouble in suspects
            if reach.has(one, nth)
        ]
        return list(dict.fromkeys(found))

    def comes_to(self, program: Function, relocation: Resolved) -> bool:
        """Whether a program comes to the instruction of a relocation."""
        one = self.linked.object.function_at(relocation.relocation.section, relocation.relocation.instruction)
        return one is not None and self.linked.reach(program).has(
            one, relocation.relocation.instruction - one.start
        )


def judged(found: Object, kernel: KernelFacts, *, set_later: bool) -> Code:
    """The instructions of an object. set_later: a program carries the object and may write its constants."""
    resolved, refused = _resolved(found, kernel)
    changes: dict[Key, dict[int, Instruction]] = {}
    bad: dict[Key, dict[int, Trouble]] = {}
    for one in resolved:
        relocation = one.relocation
        function = found.function_at(relocation.section, relocation.instruction)
        if function is None:
            place = f"instruction {relocation.instruction} of {relocation.section}"
            refused.append(Trouble(f"a CO-RE relocation is for {place}, where no function is"))
            continue
        if one.error:
            refused.append(Trouble(f"libbpf refuses a CO-RE relocation of {function.name}: {one.error}"))
            continue
        nth = relocation.instruction - function.start
        try:
            changes.setdefault(_key(function), {}).update(patched(function.code, nth, one))
        except Refused as error:
            refused.append(
                Trouble(f"libbpf refuses a CO-RE relocation of {function.name} at instruction {nth}: {error}")
            )
        if changes.get(_key(function), {}).get(nth) == POISON:
            bad.setdefault(_key(function), {})[nth] = Trouble(missing(one))
    absent, present = set[str](), set[str]()
    for name, weak in found.externs.items():
        for trouble in _extern(found, name, kernel, absent, present):
            if not weak or not trouble.certain:
                refused.append(trouble)
    for function in found.functions:
        for number, nth in function.helpers().items():
            for trouble in _helper(found, number, kernel):
                bad.setdefault(_key(function), {}).setdefault(nth, trouble)
    options = {} if kernel.version_code is None else {"LINUX_KERNEL_VERSION": kernel.version_code}
    symbols = Symbols(options, frozenset(absent), frozenset(present))
    linked = Linked(found, changes, symbols, constants=not set_later)
    settings = (
        tuple(Linked(found, changes, symbols, constants=True, filled=filled) for filled in (None, 0, 1))
        if set_later
        else ()
    )
    return Code(linked, settings, tuple(resolved), tuple(refused), bad)


def _key(function: Function) -> Key:
    return function.section, function.start


def _resolved(found: Object, kernel: KernelFacts) -> tuple[list[Resolved], list[Trouble]]:
    if not found.relocations or found.graph is None:
        return [], []
    try:
        core = kernel.core
    except Unavailable as gap:
        if all(one.kind == CoreKind.TYPE_ID_LOCAL for one in found.relocations):
            return [], []
        text = f"it has {len(found.relocations)} CO-RE relocations, and {gap.reason}"
        other = kernel.fallback
        if other:
            return [], [
                unknown(
                    f"{text}; libbpf takes {other} instead, which was not held against it", "btf.fallback"
                )
            ]
        return [], [Trouble(text, certain=kernel.has_types is False, finding="btf.vmlinux")]
    return resolve(found.graph, found.relocations, core, big=found.image.order == ">"), []


def missing(one: Resolved) -> str:
    """What a relocation does not find, as a clause."""
    if one.local is None:
        return one.error
    way, kind = one.local.describe(), one.kind
    if one.target is not None:
        return f"{way} has another size here, and the instruction cannot load it"
    if kind.of_enumerator:
        return f"the kernel has no constant {way}"
    name = one.local.graph.name(one.local.root)
    if not one.candidates or one.broken is None:
        read = f", of which it reads {way}" if way != name else ""
        return f"the kernel has no type {name}{read}"
    owner, member, there = one.broken
    if there:
        return f"{member} of struct {owner} is another kind of thing in this kernel"
    return f"struct {owner} of this kernel has no {member}"


def _helper(found: Object, number: int, kernel: KernelFacts) -> Iterator[Trouble]:
    known = helpers().get(number)
    name = f"bpf_{known.name}" if known else f"number {number}"
    if known and known.gpl and found.license not in _FREE:
        yield Trouble(
            f"{name} is for GPL programs alone, and the object's licence is {found.license or 'not given'}"
        )
        return
    try:
        constants = kernel.constants("bpf_func_id")
    except Unavailable as gap:
        if known is None or not _ancient(known.since):
            yield unknown(f"whether the kernel has helper {name} cannot be seen: {gap.reason}")
        return
    numbers = set(constants.values())
    if number not in numbers and _OLDER.get(number) not in numbers:
        yield Trouble(f"the kernel has no helper {name}" + (f" (since {known.since})" if known else ""))


def _ancient(since: str) -> bool:
    parts = since.split(".")
    return (int(parts[0]), int(parts[1])) <= (4, 9)


def _configured(name: str, kernel: KernelFacts) -> Iterator[Trouble]:
    """An option that the object reads, which libbpf looks up in /proc/config.gz or /boot."""
    try:
        value = kernel.option(name.removeprefix("CONFIG_"))
    except Unavailable as gap:
        yield unknown(f"it reads {name}, and {gap.reason}", "config.source")
        return
    if value in (None, "n"):
        yield Trouble(
            f"it reads {name}, which the kernel's configuration does not set", finding="config.options"
        )


def _extern(
    found: Object, name: str, kernel: KernelFacts, absent: set[str], present: set[str]
) -> Iterator[Trouble]:
    """Something of the kernel that the object uses by name: a kfunc, a variable, an option."""
    if name.startswith("LINUX_"):
        return
    if name.startswith("CONFIG_"):
        yield from _configured(name, kernel)
        return
    called = any(name in one.kernel_functions() for one in found.functions)
    try:
        there = kernel.function(name) if called else kernel.variable(name)
    except Unavailable as gap:
        yield unknown(f"whether the kernel has {name} cannot be seen: {gap.reason}", "btf.kfuncs")
        return
    if there:
        present.add(name)
    else:
        absent.add(name)
        what = f"function {name} for programs to call (kfunc)" if called else f"variable {name}"
        yield Trouble(f"the kernel has no {what}", finding="btf.kfuncs" if called else "")
