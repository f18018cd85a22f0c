"""The fields and types that an object reads, and where this kernel has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.explain.value import Section
from kdiag.parse.bpf.btf_ext import CoreKind

if TYPE_CHECKING:
    from kdiag.explain.object.judge import Judged
    from kdiag.parse.bpf.core.resolve import Resolved

_MOST = 200
_WORDS = {
    CoreKind.TYPE_EXISTS: "there",
    CoreKind.TYPE_MATCHES: "there, with the same members",
    CoreKind.TYPE_SIZE: "there",
    CoreKind.TYPE_ID_TARGET: "there",
    CoreKind.TYPE_ID_LOCAL: "the object's own",
    CoreKind.ENUMVAL_EXISTS: "there",
}
#: By how much each kind of relocation tells: a field is shown once, by the best of them.
_RANK = {
    CoreKind.FIELD_BYTE_OFFSET: 0,
    CoreKind.ENUMVAL_VALUE: 0,
    CoreKind.FIELD_BYTE_SIZE: 1,
    CoreKind.FIELD_EXISTS: 2,
}


def fields(one: Judged, place: str) -> Section:
    """The table of what its CO-RE relocations are about."""
    best: dict[str, Resolved] = {}
    for resolved in one.code.resolved:
        if resolved.local is None:
            continue
        way = resolved.local.describe()
        known = best.get(way)
        if known is None or _RANK.get(resolved.kind, 3) < _RANK.get(known.kind, 3):
            best[way] = resolved
    if not best:
        return Section("")
    asked = {r.local.describe() for r in one.code.resolved if r.local is not None and r.kind.asks}
    rows = [(way, _state(resolved, one, way in asked)) for way, resolved in best.items()]
    moved = sum(_has_moved(resolved) for resolved in best.values())
    gone = sum(resolved.target is None for resolved in best.values())
    counts = f"{len(rows) - moved - gone} as compiled, {moved} moved, {gone} not in this kernel"
    text = f"Of {len(rows)} fields, types and constants: {counts}."
    shown = tuple(rows[:_MOST])
    return Section("Fields and types of the kernel (CO-RE)", (text,), head=("what", place), rows=shown)


def _state(resolved: Resolved, one: Judged, asked: bool) -> str:
    if resolved.target is None:
        asks = resolved.kind.asks or not any(one.code.comes_to(p.function, resolved) for p in one.programs)
        if not asks:
            return "not there"
        return "not there, and the program asks first" if asked else "not there, and no program comes to it"
    module = f", in module {resolved.module}" if resolved.module else ""
    kind, target = resolved.kind, resolved.target
    if kind in _WORDS:
        return f"{_WORDS[kind]}{module}"
    if kind is CoreKind.ENUMVAL_VALUE:
        changed = (
            "" if resolved.own.number == resolved.here.number else f" (compiled with {resolved.own.number})"
        )
        return f"{resolved.here.number}{changed}{module}"
    own = resolved.local.bits if resolved.local else 0
    where = f"{_place(target.bits)}{'' if resolved.resizes else ', of another size'}{module}"
    return f"{where} (compiled for {_place(own)})" if _has_moved(resolved) else where


def _place(bits: int) -> str:
    return f"byte {bits // 8}" + (f", bit {bits % 8}" if bits % 8 else "")


def _has_moved(resolved: Resolved) -> bool:
    if resolved.target is None or resolved.local is None or not resolved.kind.of_field:
        return False
    return resolved.local.bits != resolved.target.bits
