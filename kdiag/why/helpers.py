"""A helper function that the kernel did not let a program have, looked up: whether this kernel has it, since when Linux
has, and what else can forbid it.

The kernel prints a helper's name where it has one (func_id_name() in kernel/bpf/disasm.c), and `unknown` for a number
beyond its own list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from kdiag.btf.finding import find_type
from kdiag.btf.sources import VMLINUX, Damaged, NoTypes
from kdiag.knowledge.bpf.tables import Helper, helpers
from kdiag.knowledge.builds import version_of
from kdiag.model import Evidence, Finding, Remedy, fail, ok

if TYPE_CHECKING:
    from kdiag.btf.sources import Source
    from kdiag.model import MachineInfo
    from kdiag.why.value import Answer

#: The row of the catalogue whose messages name a helper by its number.
ROW = "verifier.no-helper"
_NO_NAME = re.compile(r"(?:invalid|unknown) func unknown#(?P<number>\d{1,3})\b")
_ENUM, _BEFORE = "enum bpf_func_id", "BPF_FUNC_"
_ID, _TITLE = "bpf.helper", "The helper that the program calls"
_OLDER = Remedy(
    "bpf.helper", "Use a release of the program that does without it, or boot a newer kernel", "manual"
)


def held(answer: Answer, machine: MachineInfo, types: Callable[[], Source]) -> Answer:
    """The answer with what is known of the helper that the message names; as it is where it names none."""
    named = _NO_NAME.search(answer.told.text)
    helper = helpers().get(int(named["number"])) if named else None
    if helper is None or not machine.release:
        return answer
    found = _found(helper, machine, types)
    if found.remedies:
        return answer._replace(outcome="established", cause=found, remedy=found.remedies[0])
    return answer._replace(outcome="none-here", ruled_out=(*answer.ruled_out, found))


def _found(helper: Helper, machine: MachineInfo, types: Callable[[], Source]) -> Finding:
    called = f"the helper {helper.number}, bpf_{helper.name}, which came with Linux {helper.since}"
    listed, where = _listed(helper, types)
    if listed is None:
        listed = version_of(machine.release) >= version_of(helper.since)
        where = Evidence("uname -r", machine.release)
    if listed:
        return ok(f"this kernel has {called}", id=_ID, title=_TITLE, evidence=(where,))
    return fail(
        f"this kernel does not have {called}",
        id=_ID,
        title=_TITLE,
        evidence=(where,),
        remedies=(_OLDER,),
    )


def _listed(helper: Helper, types: Callable[[], Source]) -> tuple[bool | None, Evidence]:
    """Whether the kernel's own types list it: distributions carry helpers back. None where they cannot be had."""
    unknown = Evidence(VMLINUX, "not read")
    try:
        source = types()
        found = find_type(source, _ENUM)
    except (NoTypes, Damaged):
        return None, unknown
    if found is None:
        return None, unknown
    names = {value.name for value in found.types.graph.enumerators(found.type_id)}
    return f"{_BEFORE}{helper.name}" in names, Evidence(source.main.place, f"{_ENUM}: {len(names)} names")
