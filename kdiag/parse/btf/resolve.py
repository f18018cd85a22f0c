"""Resolves every type to one with a size, in the kernel's order and with its limits.

This is btf_check_all_types() of kernel/bpf/btf.c and what it calls: btf_resolve(), the *_resolve() and
*_check_member() of the kinds, env_stack_push() and env_type_is_resolve_sink(). What it accepts depends on the
order: a type is resolved when it is first needed, a chain of more than 32 that are not is refused, and while a
pointer is resolved a struct is not. Every reference is followed once, so the work grows with the section.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import compress

from kdiag.parse.btf.kinds import COMPOSITES, MODIFIERS, BtfError, Kind, info_flag, info_vlen
from kdiag.parse.btf.members import Holder, int_bits, is_regular, member_problem
from kdiag.parse.btf.types import Resolution, Types

MAX_RESOLVE_DEPTH = 32

_NOT_VISITED, _VISITED, _RESOLVED = range(3)
_UNDECIDED, _FOR_POINTER, _FOR_SIZE = range(3)  # RESOLVE_TBD, RESOLVE_PTR, RESOLVE_STRUCT_OR_ARRAY

_SIZED = frozenset((Kind.INT, *COMPOSITES, Kind.ENUM, Kind.DATASEC, Kind.FLOAT, Kind.ENUM64))
_SOURCES = frozenset((Kind.VAR, Kind.DECL_TAG, Kind.DATASEC))  # what no type may be of
_ENDS = frozenset((0, Kind.FWD, Kind.FUNC_PROTO))  # what a pointer may be to though it has no size
_SIZELESS = _ENDS | {Kind.FUNC}
_PASSING = frozenset((*MODIFIERS, Kind.VAR))  # what comes to something else
_ROOM = dict.fromkeys((*_SIZELESS, Kind.DECL_TAG, *_PASSING), -1)
_PLAIN_BESIDE_BIT_FIELDS = frozenset((*COMPOSITES, Kind.PTR, Kind.ARRAY))
_PLAIN = _PLAIN_BESIDE_BIT_FIELDS | {Kind.ENUM, Kind.ENUM64}  # members that need whole bytes and no more
_REFERENCES = frozenset((*MODIFIERS, Kind.PTR, Kind.VAR))
_TAGGED = frozenset((Kind.FUNC, *COMPOSITES, Kind.VAR, Kind.TYPEDEF))
_RESOLVABLE = frozenset((*MODIFIERS, Kind.PTR, *COMPOSITES, Kind.ARRAY, Kind.FUNC, *_SOURCES))
#: By mode, the kinds that are resolved on the way.
_FOLLOWED = (_RESOLVABLE, frozenset((*MODIFIERS, Kind.PTR)), frozenset((*MODIFIERS, Kind.ARRAY, *COMPOSITES)))


@dataclass(slots=True)
class _Walk:
    """`onto` and `room` are by type id: what a modifier, a variable or a FUNC comes to (void until it is resolved),
    any other type itself; and the bytes of that, -1 where it has no size. Together they are btf_type_id_size().
    """

    types: Types
    onto: array[int]
    room: array[int]
    states: bytearray
    whole: frozenset[int]  # the INTs without any odd bits
    stack: list[list[int]]  # (type id, the index of the next element to look at)
    mode: int = _UNDECIDED

    def waits_for(self, type_id: int) -> bool:
        """Whether a type is to be resolved before what refers to it."""
        return self.states[type_id] != _RESOLVED and self.types.kinds[type_id] in _FOLLOWED[self.mode]

    def has_size(self, type_id: int) -> bool:
        """Whether a type comes to one with a size, by what has been resolved so far."""
        return self.room[self.onto[type_id]] >= 0

    def push(self, type_id: int) -> None:
        """env_stack_push()."""
        if len(self.stack) == MAX_RESOLVE_DEPTH:
            what = f"is nested or refers onwards more than {MAX_RESOLVE_DEPTH} times"
            raise self.error(self.stack[0][0], what)
        if self.states[type_id] != _NOT_VISITED:
            raise self.error(type_id, "is part of itself")
        self.states[type_id] = _VISITED
        self.stack.append([type_id, 0])
        kind = self.types.kinds[type_id]
        if self.mode == _UNDECIDED:
            if kind == Kind.PTR:
                self.mode = _FOR_POINTER
            elif kind in COMPOSITES or kind == Kind.ARRAY:
                self.mode = _FOR_SIZE

    def error(self, type_id: int, what: str, index: int = 2) -> BtfError:
        """For an own type, at its `index`th word."""
        return self.types.error(type_id, self.types.at(type_id) - 1 + index, what)


def resolve(types: Types, base: Resolution | None) -> Resolution:
    """Resolve all own types, a base's being resolved. Raises BtfError for what the kernel refuses."""
    walk = _start(types, base)
    kinds, states = types.kinds, walk.states
    for type_id in range(types.first_id, len(kinds)):
        kind = kinds[type_id]
        if kind == Kind.FUNC_PROTO:
            _check_prototype(walk, type_id)
        elif kind not in _RESOLVABLE or states[type_id] == _RESOLVED:
            continue
        elif kind == Kind.FUNC:  # it and most references wait for nothing
            _function(walk, type_id)
        elif kind in _REFERENCES:
            walk.mode = _FOR_POINTER if kind == Kind.PTR else _UNDECIDED
            if _reference(walk, type_id, kind) is not None:
                _resolve(walk, type_id)
        else:
            _resolve(walk, type_id)
    is_array = kinds.translate(bytes(byte == Kind.ARRAY for byte in range(256)))
    arrays = dict(compress(enumerate(walk.room), is_array))
    return Resolution(walk.onto, arrays)


def _start(types: Types, base: Resolution | None) -> _Walk:
    """Nothing resolved yet but the base's types."""
    kinds, first = types.kinds, types.first_id
    onto = array("I", (0 if kind in _PASSING else type_id for type_id, kind in enumerate(kinds)))
    sizes = (
        third if kind in _SIZED else _ROOM.get(kind, types.pointer if kind == Kind.PTR else 0)
        for kind, third in zip(kinds, types.thirds, strict=True)
    )
    room = array("q", sizes)
    if base:
        onto[:first] = base.onto
        for type_id, size in base.arrays.items():
            room[type_id] = size
    states = bytearray(bytes((_RESOLVED,)) * first + bytes((_NOT_VISITED,)) * (len(kinds) - first))
    whole = frozenset(
        type_id
        for type_id, number in types.ints.items()
        if is_regular(number) and int_bits(number) == 8 * types.thirds[type_id]
    )
    return _Walk(types, onto, room, states, whole, [])


def _resolve(walk: _Walk, root: int) -> None:
    """btf_resolve(): a type and, before it, those that it waits for."""
    walk.mode = _UNDECIDED
    walk.push(root)
    while walk.stack:
        frame = walk.stack[-1]
        kind = walk.types.kinds[frame[0]]
        if kind in COMPOSITES:
            waiting = _composite(walk, frame)
        elif kind == Kind.ARRAY:
            waiting = _array(walk, frame[0])
        elif kind == Kind.DATASEC:
            waiting = _section(walk, frame)
        elif kind == Kind.FUNC:
            _function(walk, frame[0])
            waiting = None
        elif kind == Kind.DECL_TAG:
            waiting = _tag(walk, frame[0])
        else:
            waiting = _reference(walk, frame[0], kind)
        if waiting is None:
            walk.stack.pop()
        else:
            walk.push(waiting)


def _reference(walk: _Walk, type_id: int, kind: int) -> int | None:
    """btf_modifier_resolve(), btf_ptr_resolve() and btf_var_resolve(). Like its siblings it returns the type to
    resolve first, None once its own is resolved.
    """
    kinds, target = walk.types.kinds, walk.types.thirds[type_id]
    if kinds[target] in _SOURCES:
        raise walk.error(type_id, f"refers to type {target}, a {Kind(kinds[target]).name}")
    if walk.waits_for(target):
        return target
    onwards = walk.onto[target]
    modified = kinds[target] in MODIFIERS and kind not in MODIFIERS
    if modified and kinds[onwards] == Kind.PTR and walk.waits_for(onwards):
        return onwards  # the modifier was resolved for a struct, up to this pointer and not beyond
    if not walk.has_size(target):
        if walk.states[target] != _RESOLVED:
            onwards = target
        if kind == Kind.VAR or kinds[onwards] not in _ENDS:
            raise walk.error(type_id, f"refers to type {target}, which has no size")
    if kind != Kind.PTR:
        walk.onto[type_id] = onwards
    walk.states[type_id] = _RESOLVED
    return None


def _array(walk: _Walk, type_id: int) -> int | None:
    """btf_array_resolve()."""
    types, at = walk.types, walk.types.at(type_id)
    element, index, count = types.words[at + 2 : at + 5]
    for part, what, place in ((index, "index", 4), (element, "elements", 3)):
        if types.kinds[part] in _SOURCES or types.kinds[part] in _SIZELESS:
            raise walk.error(type_id, f"is an array with {what} of type {part}, which has no size", place)
        if walk.waits_for(part):
            return part
        number = types.ints.get(walk.onto[part])
        irregular = number is not None and not is_regular(number)
        if not walk.has_size(part) or irregular or (part == index and place == 4 and number is None):
            raise walk.error(type_id, f"is an array with {what} of type {part}, which cannot be", place)
    size = walk.room[walk.onto[element]] * count
    if size > 0xFFFFFFFF:
        raise walk.error(type_id, "is an array of more than 4 GiB", 5)
    walk.room[type_id] = size
    walk.states[type_id] = _RESOLVED
    return None


def _composite(walk: _Walk, frame: list[int]) -> int | None:
    """btf_struct_resolve(). A member that had to be resolved first is checked when that is done."""
    types, onto, room, (type_id, start) = walk.types, walk.onto, walk.room, frame
    at = types.at(type_id)
    words, kinds, info = types.words, types.kinds, types.words[at]
    holder = Holder(words[at + 1], info_flag(info), types.pointer)
    plain = _PLAIN_BESIDE_BIT_FIELDS if holder.bit_fields else _PLAIN
    first = at + 2
    for place in range(first + 3 * start, first + 3 * info_vlen(info), 3):
        member, word = words[place + 1], words[place + 2]
        if kinds[member] in _SIZELESS or kinds[member] in _SOURCES:
            raise types.error(type_id, place + 1, f"has a member of type {member}, which has no size")
        if walk.waits_for(member):
            frame[1] = (place - first) // 3
            return member
        target = onto[member]
        if room[target] < 0:
            raise types.error(type_id, place + 1, f"has a member of type {member}, which has no size")
        whole = word & 0xFF000007 == 0 and (kinds[target] in plain or target in walk.whole)
        if whole and (word >> 3) + room[target] <= holder.room:
            continue  # as nearly all do
        problem = member_problem(holder, word, kinds[target], room[target], types.ints.get(target, 0))
        if problem:
            raise types.error(type_id, place + 2, f"has a member {problem}")
    walk.states[type_id] = _RESOLVED
    return None


def _section(walk: _Walk, frame: list[int]) -> int | None:
    """btf_datasec_resolve(). A variable that had to be resolved first is not looked at again."""
    walk.mode = _UNDECIDED
    types, (type_id, start) = walk.types, frame
    at = types.at(type_id)
    for nth in range(start, info_vlen(types.words[at])):
        place = at + 2 + 3 * nth
        variable = types.words[place]
        if types.kinds[variable] != Kind.VAR:
            raise types.error(type_id, place, f"has type {variable}, which is no variable")
        if walk.waits_for(variable):
            frame[1] = nth + 1
            return variable
        size = walk.room[walk.onto[types.thirds[variable]]]
        if not 0 <= size <= types.words[place + 2]:
            raise types.error(type_id, place + 2, f"has too little room for type {variable}")
    walk.states[type_id] = _RESOLVED
    return None


def _function(walk: _Walk, type_id: int) -> None:
    """btf_func_check(), that the parameters have names. That it is of a FUNC_PROTO is known."""
    types = walk.types
    prototype = types.thirds[type_id]
    words, at = types.record(prototype)
    for place in range(at + 2, at + 2 + 2 * info_vlen(words[at]), 2):
        if words[place + 1] and not words[place]:
            raise walk.error(type_id, f"is a FUNC of type {prototype}, which has a parameter without a name")
    walk.onto[type_id] = prototype
    walk.states[type_id] = _RESOLVED


def _tag(walk: _Walk, type_id: int) -> int | None:
    """btf_decl_tag_resolve()."""
    types, target = walk.types, walk.types.thirds[type_id]
    kind = types.kinds[target]
    if kind not in _TAGGED and kind <= Kind.ENUM64:
        raise walk.error(type_id, f"is a tag of type {target}, which takes none")
    if walk.waits_for(target):
        return target
    part = types.words[types.at(type_id) + 2]
    if part != 0xFFFFFFFF and kind in _TAGGED:
        parts = 0
        if kind in COMPOSITES or kind == Kind.FUNC:
            words, at = types.record(target if kind in COMPOSITES else types.thirds[target])
            parts = info_vlen(words[at])
        if part >= parts:
            raise walk.error(type_id, f"is a tag of part {part} of type {target}, which has {parts}", 3)
    walk.states[type_id] = _RESOLVED
    return None


def _check_prototype(walk: _Walk, type_id: int) -> None:
    """btf_func_proto_check(): what it returns and takes has a size; only a last, nameless parameter is void."""
    types = walk.types
    at = types.at(type_id)
    count = info_vlen(types.words[at])
    if types.words[at + 1]:
        _check_passed(walk, type_id, types.words[at + 1], at + 1)
    last = at + 2 + 2 * (count - 1)
    if count and not types.words[last + 1]:
        if types.words[last]:
            raise types.error(type_id, last, "has a parameter of no type but with a name")
        count -= 1
    for place in range(at + 3, at + 3 + 2 * count, 2):
        _check_passed(walk, type_id, types.words[place], place)


def _check_passed(walk: _Walk, type_id: int, passed: int, place: int) -> None:
    kind = walk.types.kinds[passed]
    if kind in _RESOLVABLE and kind not in _SOURCES and walk.states[passed] != _RESOLVED:
        _resolve(walk, passed)
    if kind in _SOURCES or not walk.has_size(passed):
        raise walk.types.error(type_id, place, f"takes or returns type {passed}, which has no size")
