"""Lines as a log: each known message once, counted; what else complains; where the verifier refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from kdiag.knowledge.tools.messages import COMPLAINT, RANK, details, recognised
from kdiag.why.nearest import nearest
from kdiag.why.value import Log, Strange, Told

#: Complaints that are kept apart; those after them are only counted.
_STRANGE = 50
#: Complaints that are shown with what is nearest to them.
_SHOWN = 5
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+")

#: The last line of a verifier's log (kernel/bpf/verifier.c, print_verification_stats).
_END = re.compile(r"processed \d+ insns \(limit \d+\)")
#: Lines of it that tell of an instruction, a state or a source line, not of a refusal (kernel/bpf/log.c).
_TRACE = re.compile(
    r"\s*(\d+: |; |R\d+(_\w+)?=|from \d+ to \d+|frame\d|last_idx|parent |regs=|mark_precise|func#|verification time|"
    r"stack depth|processed \d|-- (BEGIN|END)|.{0,80}-- (BEGIN|END) PROG LOAD LOG|reg type |arg#|Validating|Func#|"
    r"caller:|callee:|safe$|peak_states|max_states|total_states|\(\w+\) )"
)


@lru_cache(maxsize=2048)
def _known(line: str) -> Told | None:
    known = recognised(line)
    return None if known is None else Told(known[0], 0, line.strip(), 1, details(known[1]))


def join(lines: Iterable[str], *, cut: bool = False) -> Log:
    """What is in the lines, the most decisive message first."""
    told: dict[str, Told] = {}
    strange: dict[str, Strange] = {}
    number, last, refusal = 0, None, None
    for number, line in enumerate(lines, 1):
        if _END.search(line):
            refusal, last = refusal or last, None
        elif line.strip() and not _TRACE.match(line):
            last = (number, line.strip())
        found = _known(line)
        if found is not None:
            before = told.get(found.message.id)
            told[found.message.id] = (
                found._replace(line=number) if before is None else before._replace(times=before.times + 1)
            )
        elif COMPLAINT.search(line) and not _TRACE.match(line):
            _count(strange, number, line.strip())
    if refusal and not any(one.text == refusal[1] for one in told.values()):
        strange = {"": Strange(*refusal), **{k: v for k, v in strange.items() if v.text != refusal[1]}}
    ranked = sorted(told.values(), key=lambda one: (RANK[one.message.weight], one.line))
    shown = tuple(
        one._replace(nearest=nearest(one.text)) if index < _SHOWN else one
        for index, one in enumerate(strange.values())
    )
    return Log(tuple(ranked), shown, number, cut, refusal)


def _count(strange: dict[str, Strange], number: int, text: str) -> None:
    key = _NUMBERS.sub("0", text)
    before = strange.get(key)
    if before is not None:
        strange[key] = before._replace(times=before.times + 1)
    elif len(strange) < _STRANGE:
        strange[key] = Strange(number, text)
