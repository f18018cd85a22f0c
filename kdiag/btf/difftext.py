"""A difference between two kernels' types as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.console.wrap import wrap
from kdiag.words import listed

if TYPE_CHECKING:
    from kdiag.btf.diff import Changed, Difference, Spot, StructChange

_MARKS = {"removed": "-", "added": "+", "type": "~", "moved": ">"}
_MOVED = (
    "bpftrace and CO-RE programs look up where a member lies: those that moved (-v lists them) concern programs with "
    "fixed offsets only."
)
_ORDER = ("removed", "type", "added", "moved")


class How(NamedTuple):
    """How a difference is shown. what: which structs were compared; moved: whether each member that moved is shown."""

    what: str
    moved: bool
    width: int


def render(found: Difference, first: str, second: str, how: How) -> str:
    """The difference between the two, which are named."""
    moved, width = how.moved, how.width
    lines = [f"{first} -> {second}", _summary(found, how.what)]
    for change in found.changed:
        lines += ["", *_struct(change, moved=moved)]
    for one in found.prototypes:
        lines += ["", f"func {one.name}"]
        lines += [f"    - {one.before or 'not in its BTF'}", f"    + {one.after or 'not in its BTF'}"]
    if found.absent:
        lines += ["", *wrap(f"Neither has struct {listed(found.absent)}.", width)]
    if not moved and any(_of(change, "moved") for change in found.changed):
        lines += ["", *wrap(_MOVED, width)]
    return "\n".join(lines) + "\n"


def _summary(found: Difference, what: str) -> str:
    gone = sum(1 for one in found.changed if one.after is None)
    new = sum(1 for one in found.changed if one.before is None)
    both = len(found.changed) - gone - new
    functions = f", {len(found.prototypes)} of {found.functions} functions" if found.functions else ""
    parts = [f"{both} changed"]
    parts += [f"{gone} only in the first"] if gone else []
    parts += [f"{new} only in the second"] if new else []
    structs = f"{found.structs} struct{'s' * (found.structs != 1)}"
    return f"Of {structs} {what}, {listed(parts)}{functions and f'; {functions[2:]} differ'}."


def _struct(change: StructChange, *, moved: bool) -> list[str]:
    if change.before is None:
        return [f"struct {change.name}: only in the second, {change.after} bytes"]
    if change.after is None:
        return [f"struct {change.name}: only in the first, {change.before} bytes"]
    sizes = f"{change.before} bytes"
    if change.before != change.after:
        sizes = f"{change.before} -> {change.after} bytes"
    lines = [f"struct {change.name}: {sizes}"]
    if change.problem:
        return [*lines, f"    cannot be compared: {change.problem}"]
    for what in _ORDER:
        these = _of(change, what)
        if what == "moved" and not moved:
            lines += [f"    > {len(these)} member{'s' * (len(these) != 1)} moved"] if these else []
        else:
            lines += [f"    {_MARKS[what]} {_member(one)}" for one in these]
    return lines


def _of(change: StructChange, what: str) -> list[Changed]:
    return [one for one in change.members if one.what == what]


def _member(one: Changed) -> str:
    if one.before and one.after:
        if one.what == "moved":
            return f"{one.name}: offset {_place(one.before)} -> {_place(one.after)}"
        return f"{one.name}: {_type(one.before)} -> {_type(one.after)}"
    spot = one.before or one.after
    return f"{one.name}: {_type(spot)}, offset {_place(spot)}" if spot else one.name


def _type(spot: Spot) -> str:
    return f"{spot.type}{f':{spot.bits}' if spot.bits else ''} ({spot.size} byte{'s' * (spot.size != 1)})"


def _place(spot: Spot) -> str:
    return f"{spot.at // 8}{f':{spot.at % 8}' if spot.bits else ''}"
