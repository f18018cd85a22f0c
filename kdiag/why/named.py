"""What a message names of the kernel (a field of a struct, a function), looked up in the types of this kernel.

A CO-RE relocation that fails, a script whose field is gone and an fentry program without its function are all the same
question, and the machine can answer it: a release's table could not, since distributions carry changes back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf.finding import NoMember, find_type, follow, functions, near
from kdiag.btf.sources import VMLINUX, Damaged, NoTypes
from kdiag.model import Evidence, Finding, Remedy, fail, ok
from kdiag.parse.btf.kinds import Kind
from kdiag.why import helpers

if TYPE_CHECKING:
    from kdiag.btf.sources import Source
    from kdiag.why.value import Answer, Explanation

#: As libbpf and the kernel (bpf_core_format_spec() in relo_core.c), clang, and bpftrace (field_analyser.cpp,
#: semantic_analyser.cpp) word it.
_MEMBERS = re.compile(
    r"<\w+> \[\d+\] (?P<type>(?:struct|union) \w+)\.(?P<path>[\w.\[\]]+) \("
    r"|no member named '(?P<member>\w+)' in '(?P<of>(?:struct|union) \w+)'"
    r"|Unknown struct/union: '(?P<unknown>(?:struct|union) \w+)'"
    r"|of type '(?P<whose>(?:struct|union) \w+)' does not contain a field named '?(?P<field>\w+)"
)
#: libbpf: bpf_object__resolve_ksym_*(), libbpf_find_attach_btf_id(); bpftrace: "No BTF found for".
_FUNCTIONS = re.compile(
    r"extern \((?:func|var) ksym\) '(?P<symbol>\w+)': not found"
    r"|kernel BTF type ID of '(?P<target>\w+)'"
    r"|\bNo BTF found for (?:\w+:)?(?P<probed>\w+)"
    r"|(?<!\S)(?P<absent>\w+) is not found in vmlinux BTF"
    r"|\bkfunc '(?P<kfunc>\w+)' is referenced but wasn't resolved"
    r"|\battach \w+/\w+: \w+ (?P<attached>\w+) not supported"
)
#: Causes that the kernel's own types decide about: a type that is nowhere is missing in no module.
_MAYBE = frozenset({"btf.modules"})
#: A kernel has more than ten thousand; a machine that was described rather than recorded has the few that checks read.
_FEWEST = 1000
_COMPOUND = (Kind.STRUCT, Kind.UNION)
_ID, _TITLE = "btf.names", "What the message names"
_NEWER = Remedy(
    "btf.names",
    "Use a release of the program that knows this kernel, or take the name that this kernel has",
    "manual",
)


class _Name(NamedTuple):
    """type: the struct, "" for a function; name: the function, or the path of members."""

    type: str
    name: str


def held(explanation: Explanation, types: Callable[[], Source]) -> Explanation:
    """The explanation with what this kernel's types say of the names in its messages. types: may raise NoTypes; they
    are read only where a message names something and no other cause of it is established.
    """
    answers = tuple(_looked_up(one, explanation, types) for one in explanation.answers)
    return explanation._replace(answers=answers)


def _looked_up(answer: Answer, explanation: Explanation, types: Callable[[], Source]) -> Answer:
    settled = answer.outcome == "established" and not (answer.cause and answer.cause.id in _MAYBE)
    if settled or answer.outcome == "harmless":
        return answer
    if answer.told.message.id == helpers.ROW:
        return helpers.held(answer, explanation.machine, types)
    refusal = explanation.log.refusal
    asked = _named(answer.told.text)
    if asked is None and refusal is not None and answer.told.message.id.startswith("libbpf.core"):
        asked = _named(refusal.text)
    if asked is None:
        return answer
    try:
        found = _found(asked, types())
    except (NoTypes, Damaged):
        return answer  # btf.vmlinux says why there are none
    if found.remedies:
        return answer._replace(
            outcome="established", cause=found, candidates=(), skipped=(), remedy=found.remedies[0]
        )
    return answer._replace(ruled_out=(*answer.ruled_out, found))


def _named(text: str) -> _Name | None:
    if found := _MEMBERS.search(text):
        whose = found["type"] or found["of"] or found["whose"] or found["unknown"]
        return _Name(whose, found["path"] or found["member"] or found["field"] or "")
    if found := _FUNCTIONS.search(text):
        return _Name("", found[found.lastgroup or 0])
    return None


def _found(asked: _Name, source: Source) -> Finding:
    """Whether the kernel has it; one that says no has a remedy."""
    where = Evidence(source.main.place, source.release or VMLINUX)
    if not asked.type:
        if functions(source, asked.name) or source.main.btf.has(asked.name, Kind.VAR):
            return ok(f"this kernel's types have {asked.name}", id=_ID, title=_TITLE, evidence=(where,))
        return _absent(
            f"this kernel's types have no function {asked.name}{near(source.main, asked.name, (Kind.FUNC,))}",
            source,
        )
    found = find_type(source, asked.type)
    if found is None:
        bare = asked.type.partition(" ")[2]
        return _absent(f"this kernel has no {asked.type}{near(source.main, bare, _COMPOUND)}", source)
    if not asked.name:
        return ok(f"this kernel has {asked.type}", id=_ID, title=_TITLE, evidence=(where,))
    try:
        follow(found.types.graph, found.type_id, asked.name)
    except NoMember as none:
        return _absent(f"in this kernel, {none}", source)
    return ok(f"this kernel's {asked.type} has {asked.name}", id=_ID, title=_TITLE, evidence=(where,))


def _absent(summary: str, source: Source) -> Finding:
    """Raises NoTypes where the types are too few to be all of a kernel's, and deny nothing."""
    if source.main.btf.n_types < _FEWEST:
        raise NoTypes(f"{source.main.place}: the types of a part of a kernel")
    where = Evidence(source.main.place, source.release or VMLINUX)
    return fail(summary, id=_ID, title=_TITLE, evidence=(where,), remedies=(_NEWER,))
