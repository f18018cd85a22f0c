"""Names looked up: a type by its name, a member by its path, names by a pattern; and what is near to a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf.declare import base_of, keyword
from kdiag.btf.searching import named
from kdiag.parse.btf.graph import DEEPEST, Graph
from kdiag.parse.btf.kinds import COMPOSITES, BtfError, Kind
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.btf.sources import Source, Types

#: What `kdiag btf struct` shows: a definition before a name for one, and that before a declaration without a body.
DEFINITIONS = (Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64)
NAMED = (*DEFINITIONS, Kind.TYPEDEF, Kind.INT, Kind.FLOAT, Kind.FWD)
FUNCTIONS = (Kind.FUNC,)
#: What `--kind` names.
KINDS = {
    "struct": (Kind.STRUCT,),
    "union": (Kind.UNION,),
    "enum": (Kind.ENUM, Kind.ENUM64),
    "typedef": (Kind.TYPEDEF,),
    "func": FUNCTIONS,
    "var": (Kind.VAR,),
    "int": (Kind.INT, Kind.FLOAT),
    "fwd": (Kind.FWD,),
}
ALL_KINDS = tuple(kind for kinds in KINDS.values() for kind in kinds)
_KEYWORDS = {
    "struct": (Kind.STRUCT, Kind.FWD),
    "union": (Kind.UNION, Kind.FWD),
    "enum": (Kind.ENUM, Kind.ENUM64),
    "typedef": (Kind.TYPEDEF,),
}
#: A tag of the whole declaration, not of a parameter (include/uapi/linux/btf.h, struct btf_decl_tag: -1).
_NO_COMPONENT = 0xFFFFFFFF
_STEP = re.compile(r"(->|\.)?([^.\[\]\s>-]+)|\[([0-9]{1,12})\]")


class Found(NamedTuple):
    """A type, and the BTF that has it."""

    types: Types
    type_id: int


class Step(NamedTuple):
    """A member on a path. text: the path to it from where its offset counts; at: its first bit from there; pointer:
    whether a pointer had to be followed before it, which begins a new count; owner: what that points to.
    """

    owner: int
    text: str
    type_id: int
    at: int
    bits: int
    size: int


class NoMember(Exception):
    """There is no such member. The message says where the path ends, and what is near."""


def find_type(source: Source, name: str, module: str = "", kinds: Sequence[Kind] = NAMED) -> Found | None:
    """The type of this name, `struct NAME` and the like too: in the kernel, else in its modules, or in one of them."""
    word, _, rest = name.partition(" ")
    if rest and word in _KEYWORDS:
        name, kinds = rest.strip(), _KEYWORDS[word]
    if module:
        return _own(source.module(module), name, kinds) or _in_kernel(source.main, name, kinds)
    found = _in_kernel(source.main, name, kinds)
    if found is None:
        modules = source.others(b"\0" + _encoded(name) + b"\0")
        found = next(filter(None, (_own(types, name, kinds) for types in modules)), None)
    return found


def _ranked(kinds: Sequence[Kind]) -> list[list[Kind]]:
    """Definitions, other names, and what is only declared."""
    whole: list[Kind] = [kind for kind in kinds if kind in DEFINITIONS]
    later: list[Kind] = [kind for kind in kinds if kind not in (*DEFINITIONS, Kind.FWD)]
    return [whole, later, [Kind.FWD] if Kind.FWD in kinds else []]


def _in_kernel(types: Types, name: str, kinds: Sequence[Kind]) -> Found | None:
    for some in filter(None, _ranked(kinds)):
        type_id = types.btf.find(name, some)
        if type_id is not None:
            return Found(types, type_id)
    return None


def _own(types: Types, name: str, kinds: Sequence[Kind]) -> Found | None:
    """The type of this name that is a module's own."""
    for some in filter(None, _ranked(kinds)):
        for type_id in types.btf.all_of(name, some):
            return Found(types, type_id)
    return None


def is_function(types: Types, name: str) -> bool:
    """Whether a function has this name."""
    return types.btf.has(name, Kind.FUNC)


def functions(source: Source, name: str, module: str = "") -> list[tuple[Types, int]]:
    """All functions of this name: a static function's name may be another's, too."""
    text = b"\0" + _encoded(name) + b"\0"
    places = [source.module(module)] if module else [source.main, *source.others(text)]
    return [(types, found) for types in places for found in types.btf.all_of(name, FUNCTIONS)]


def tags(types: Types, type_id: int) -> list[str]:
    """The declaration tags of a function: `bpf_kfunc`, `bpf_fastcall`."""
    btf = types.btf
    words, infos_at, kinds = btf.records
    return [
        btf.text(words[at - 1])
        for at, kind in zip(infos_at, kinds, strict=True)
        if kind == Kind.DECL_TAG and words[at + 1] == type_id and words[at + 2] == _NO_COMPONENT
    ]


def near(types: Types, name: str, kinds: Sequence[Kind]) -> str:
    """A hint at what is meant, from names that begin as this one does; "" without any."""
    start = re.compile(re.escape(name[:2]) + ".*", re.DOTALL)
    return did_you_mean(name, (found for _, found in named(types.btf, start, kinds, _encoded(name[:2]))))


def follow(graph: Graph, type_id: int, path: str) -> list[Step]:
    """The members on a path `a.b[2].c`, from a struct: the last one, and each pointer that is followed on the way.
    A dot follows a pointer too: a shell takes the > of an arrow for its own. Raises NoMember, BtfError.
    """
    owner = current = graph.plain(type_id)
    steps: list[Step] = []
    text, at, bits, end = "", 0, 0, 0
    for found in _STEP.finditer(path):
        if found.start() != end:
            break
        end = found.end()
        if len(steps) > DEEPEST:
            raise NoMember(f"{path}: a path of more than {DEEPEST} pointers")
        plain = graph.plain(current)
        if found[3] is not None:
            current, at, text = _element(graph, plain, int(found[3]), at, text)
            bits = 0
            continue
        if graph.kind(plain) == Kind.PTR:
            steps.append(Step(owner, text, current, at, bits, graph.size(current)))
            owner = plain = graph.plain(graph.target(plain))
            text, at = "", 0
        elif found[1] == "->":
            raise NoMember(f"{text or path} is not a pointer: write a dot before {found[2]}")
        current, at, bits = _member(graph, plain, found[2], at, text)
        text = f"{text}.{found[2]}" if text else found[2]
    if end != len(path) or not path:
        raise NoMember(f"{path}: not a path of members, such as se.vruntime, comm[3] or mm.pgd")
    return [*steps, Step(owner, text, current, at, bits, graph.size(current))]


def _element(graph: Graph, plain: int, index: int, at: int, text: str) -> tuple[int, int, str]:
    if graph.kind(plain) != Kind.ARRAY:
        raise NoMember(f"{text or 'it'} is not an array, and has no [{index}]")
    array = graph.array(plain)
    if array.length and index >= array.length:
        raise NoMember(f"{text} has the elements 0 to {array.length - 1}, and no [{index}]")
    return array.element, at + 8 * index * graph.size(array.element), f"{text}[{index}]"


def _member(graph: Graph, plain: int, name: str, at: int, text: str) -> tuple[int, int, int]:
    """The type, first bit and width of a member, also of one in an anonymous member."""
    what = _described(graph, plain)
    if graph.kind(plain) not in COMPOSITES:
        raise NoMember(f"{text or what} is no struct ({what}), and has no member {name}")
    members = graph.flat_members(plain)
    found = next((member for member in members if member.name == name), None)
    if found is None:
        names = [one.name for one in members if one.name]
        # Fields that are no longer to be used directly get underscores: task_struct's state, inode's i_ctime.
        renamed = next((one for one in names if one.strip("_") == name.strip("_")), "")
        hint = (
            f"; did you mean {renamed}?"
            if renamed
            else _deeper(graph, plain, name) or did_you_mean(name, names)
        )
        raise NoMember(f"{what} has no member {name}{hint}")
    return found.type_id, at + found.bit_offset, found.bits


def _deeper(graph: Graph, plain: int, name: str) -> str:
    """A hint at a member of this name that is in a member, or behind a pointer: `task_struct` has `mm.pgd`; else at one
    of another prefix: the kernel's sources say sk_family for `__sk_common.skc_family` (include/net/sock.h).
    """
    tail, alike = name.partition("_")[2], ""
    for member in graph.flat_members(plain):
        inner, _ = base_of(graph, member.type_id)
        inner = graph.plain(inner)
        if not member.name or graph.kind(inner) not in COMPOSITES:
            continue
        try:
            names = [one.name for one in graph.flat_members(inner)]
        except BtfError:
            continue
        if name in names:
            return f"; did you mean {member.name}.{name}?"
        other = next((one for one in names if tail and one.partition("_")[2] == tail), "")
        if other and not alike and graph.kind(graph.plain(member.type_id)) in COMPOSITES:
            alike = f"; did you mean {member.name}.{other}?"
    return alike


def _described(graph: Graph, type_id: int) -> str:
    if not type_id:
        return "void"
    if graph.kind(type_id) == Kind.PTR:
        return "a pointer"
    return " ".join(filter(None, (keyword(graph, type_id), graph.name(type_id)))) or "a type without a name"


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
