"""Declarations of C for types of BTF: `struct sock *sk`, `char comm[16]`, `void (*destructor)(struct sk_buff *)`.

BTF links a declaration from the name inwards to the base type, C writes it the other way round; the base is written
first, and around it what lies between it and the name (K&R, section 5.12). Qualifiers of an array or of a function,
which C does not have, are an accident of GCC and left out, as libbpf's src/btf_dump.c does.
"""

from __future__ import annotations

from collections.abc import Callable

from kdiag.parse.btf.graph import DEEPEST, Graph, Param
from kdiag.parse.btf.kinds import Kind

#: Types that one declaration may be made of: functions of functions of functions could go on without end.
MOST = 20_000

_QUALIFIERS = {Kind.CONST: "const", Kind.VOLATILE: "volatile", Kind.RESTRICT: "restrict"}
_PASSED = (Kind.PTR, Kind.ARRAY, Kind.FUNC_PROTO, Kind.TYPE_TAG, *_QUALIFIERS)
_TAGGED = {Kind.STRUCT: "struct", Kind.UNION: "union", Kind.ENUM: "enum", Kind.ENUM64: "enum"}

#: What stands in the place of an anonymous struct, union or enum: its definition, if it is to be seen.
Inline = Callable[[int], str]


def keyword(graph: Graph, type_id: int) -> str:
    """`struct`, `union` or `enum`, also of a forward declaration; "" for a type that needs none."""
    kind = graph.kind(type_id)
    if kind == Kind.FWD:
        return "union" if graph.flag(type_id) else "struct"
    return _TAGGED.get(Kind(kind), "") if kind in _TAGGED else ""


def base_of(graph: Graph, type_id: int) -> tuple[int, bool]:
    """The type that a declaration begins with, and whether a pointer or a function leads to it."""
    pointed = False
    for _ in range(DEEPEST):
        kind = graph.kind(type_id)
        if kind not in _PASSED:
            return type_id, pointed
        pointed = pointed or kind in (Kind.PTR, Kind.FUNC_PROTO)
        type_id = graph.array(type_id).element if kind == Kind.ARRAY else graph.target(type_id)
    raise graph.error(type_id, f"is in a declaration of more than {DEEPEST} types")


class Declarer:
    """Writes declarations. inline: see `Inline`; named: the name of a type that has one."""

    def __init__(
        self, graph: Graph, inline: Inline | None = None, named: Callable[[int], str] | None = None
    ) -> None:
        self._graph = graph
        self._inline = inline or self._elided
        self._named = named or graph.name
        self._left = MOST

    def declare(self, type_id: int, name: str = "", *, flexible: bool = False) -> str:
        """The declaration of something of this type and name. flexible: an array of 0 is one that has no length."""
        self._left = MOST
        return self._declare(type_id, name, flexible)

    def prototype(self, proto: int, name: str) -> str:
        """`int name(struct file *file, ...)`."""
        self._left = MOST
        return self._declare(self._graph.target(proto), f"{name}({self._params(proto)})", flexible=False)

    def _declare(self, type_id: int, name: str, flexible: bool = False) -> str:
        graph, chain = self._graph, []
        while (kind := graph.kind(type_id)) in _PASSED:
            chain.append(type_id)
            self._left -= 1
            graph.spend(type_id, 1)
            if len(chain) > DEEPEST or self._left < 0:
                raise graph.error(type_id, "is in a declaration that goes on without end")
            type_id = graph.array(type_id).element if kind == Kind.ARRAY else graph.target(type_id)
        text = self._qualifiers(chain) + self._base(type_id)
        if type_id:
            graph.spend(type_id, 1 + (len(text) + len(name)) // 16)
        return text + self._around(chain, name, flexible, begun=True)

    def _around(self, chain: list[int], name: str, flexible: bool, *, begun: bool) -> str:
        """What comes after the base, the nearest to it being the last of `chain`. begun: whether something stands
        before it that a name must be kept apart from.
        """
        graph, text, apart = self._graph, "", begun
        while chain:
            type_id = chain.pop()
            kind = graph.kind(type_id)
            if kind == Kind.PTR:
                text += " *" if apart else "*"
                apart = False
            elif kind in _QUALIFIERS:
                text += f" {_QUALIFIERS[Kind(kind)]}"
                apart = True
            elif kind == Kind.TYPE_TAG:
                text += self._tag(type_id)
                apart = True
            else:
                return text + self._suffixed(type_id, kind, chain, (name, flexible, apart))
        return f"{text} {name}" if name and apart else text + name

    def _suffixed(self, type_id: int, kind: int, chain: list[int], rest: tuple[str, bool, bool]) -> str:
        """An array or a function, with what is an array of them, or points to it, around the name."""
        graph, (name, flexible, apart) = self._graph, rest
        while chain and graph.kind(chain[-1]) in (*_QUALIFIERS, Kind.TYPE_TAG):
            chain.pop()
        if kind == Kind.ARRAY:
            count = graph.array(type_id).length
            suffix = "[]" if flexible and not count and not chain else f"[{count}]"
        else:
            suffix = f"({self._params(type_id)})"
        if not chain:
            return f"{' ' if name and apart else ''}{name}{suffix}"
        bare = kind == Kind.ARRAY and graph.kind(chain[-1]) == Kind.ARRAY
        inner = self._around(chain, name, flexible, begun=False)
        space = " " if apart and (name or kind == Kind.FUNC_PROTO) else ""
        return f"{space}{inner if bare else f'({inner})'}{suffix}"

    def _qualifiers(self, chain: list[int]) -> str:
        """Those directly before the base, which they come before in C, too."""
        text = ""
        while chain and (kind := self._graph.kind(chain[-1])) in _QUALIFIERS:
            chain.pop()
            text += f"{_QUALIFIERS[Kind(kind)]} "
        return text

    def _base(self, type_id: int) -> str:
        graph = self._graph
        if not type_id:
            return "void"
        word = keyword(graph, type_id)
        name = self._named(type_id)
        if word:
            return f"{word} {name}" if name else self._inline(type_id)
        if not name or graph.kind(type_id) not in (Kind.INT, Kind.FLOAT, Kind.TYPEDEF):
            raise graph.error(type_id, "is in a declaration, and no type of C")
        return name

    def _elided(self, type_id: int) -> str:
        return f"{keyword(self._graph, type_id)} {{ ... }}"

    def _tag(self, type_id: int) -> str:
        name = self._graph.name(type_id)
        whole = self._graph.flag(type_id)
        return f" __attribute__(({name}))" if whole else f' __attribute__((btf_type_tag("{name}")))'

    def _params(self, proto: int) -> str:
        params = self._graph.params(proto)
        if not params or params == [Param(params[0].name, 0)]:
            return "void"
        shown = []
        for index, param in enumerate(params):
            if not param.type_id and index == len(params) - 1:
                shown.append("...")
            else:
                shown.append(self._declare(param.type_id, param.name))
        return ", ".join(shown)
