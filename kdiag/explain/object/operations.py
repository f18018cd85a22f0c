"""The operations that an object gives to the kernel (struct_ops): whether the kernel takes them, by its types.

As libbpf does before it loads a program: find_struct_ops_kern_types() and bpf_map__init_kern_struct_ops(). What a
program of them may do there, the kernel's verifier decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.explain.object.trouble import Trouble, unknown
from kdiag.explain.value import Section
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.object.kernel import KernelFacts
    from kdiag.parse.bpf.program import Function
    from kdiag.parse.bpf.read import Object
    from kdiag.parse.bpf.struct_ops import Operations

#: libbpf takes a program out whose member the kernel lacks, where older ones refuse the object.
_LEAVES_OUT = "1.4.2"


def refused(found: Object, kernel: KernelFacts, *, set_later: bool) -> Iterator[Trouble]:
    """What keeps whole operations from being made. set_later: a program carries the object, and may leave them out."""
    for one in found.operations:
        if one.asked:
            continue
        try:
            members = kernel.operations(one.struct)
        except Unavailable as gap:
            yield unknown(
                f"whether the kernel takes a {one.struct} cannot be seen: {gap.reason}", "btf.vmlinux"
            )
            continue
        if members is None:
            yield Trouble(
                f"the kernel takes no {one.struct} from BPF programs (struct_ops)", certain=not set_later
            )
            continue
        for name in one.values:
            if name not in members:
                text = f"{one.name} sets {name}, and struct {one.struct} of this kernel has no such member"
                yield Trouble(text, certain=not set_later)


def of_program(
    program: Function, found: Object, kernel: KernelFacts, *, set_later: bool
) -> Iterator[Trouble]:
    """What is in the way of a program of type STRUCT_OPS."""
    places = [
        (one, member)
        for one in found.operations
        for member, function in one.programs.items()
        if function == program.name
    ]
    if not places:
        # kernel/bpf/verifier.c, check_struct_ops_btf_id()
        text = "no operations of the object have it in a member, and so it has no type (struct_ops)"
        yield Trouble(text, certain=not set_later)
    for one, member in places:
        try:
            members = kernel.operations(one.struct)
        except Unavailable:
            continue
        if members is not None and member not in members:
            lacks = f"struct {one.struct} of this kernel has no member {member}"
            yield unknown(f"{lacks}: libbpf {_LEAVES_OUT} and newer leave it out, older ones load nothing")


def section(found: Object, kernel: KernelFacts, place: str) -> Section:
    """Each with its programs."""
    rows = [row for one in found.operations for row in _rows(one, kernel)]
    return Section(
        "Operations (struct_ops)", head=("operations", "member", "program", place), rows=tuple(rows)
    )


def _rows(one: Operations, kernel: KernelFacts) -> Iterator[tuple[str, ...]]:
    name = f"{one.name} (struct {one.struct})"
    asked = ", only on request" if one.asked else ""
    for member, function in one.programs.items() or (("-", "-"),):
        yield name, member, function, _state(one.struct, member, kernel) + asked


def _state(struct: str, member: str, kernel: KernelFacts) -> str:
    try:
        members = kernel.operations(struct)
    except Unavailable:
        return "cannot tell"
    return "no" if members is None or member not in (*members, "-") else "yes"
