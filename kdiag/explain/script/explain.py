"""A script of bpftrace in words: what it requires with its state here, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.explain.probe.value import worst
from kdiag.explain.script.needs import all_needs
from kdiag.explain.script.source import STDIN, name_of, runs_itself, text_of, typed
from kdiag.explain.value import Answer, NotKnown, Section
from kdiag.parse.bpftrace.lexer import ScriptError
from kdiag.parse.bpftrace.script import parse
from kdiag.words import hints

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.explain.probe.value import State
    from kdiag.explain.script.value import Need

#: Names for which the nearest that there is is looked for.
_HINTS = 20
#: Rows of what is as it should be are counted beyond this.
_SHOWN = 12
_STATES: dict[str, str] = {"works": "ok", "fails": "fail", "unknown": "unknown"}


def fits(word: str) -> bool:
    """Whether a word is a script, or names one."""
    if word == STDIN or typed(word) is not None:
        return True
    return (word.endswith(".bt") and not word.startswith("-")) or ("/" in word and runs_itself(word))


def explain(word: str, here: Here) -> Answer:
    """What is said of a script. Raises NotKnown for what cannot be read or is none."""
    name = name_of(word)
    try:
        with hints(_HINTS):
            needs = all_needs(parse(text_of(word)), here)
    except ScriptError as error:
        raise NotKnown(f"{name}: {error}") from None
    state, because = verdict(needs)
    where = here.where
    words = {
        "works": f"will run {where}, as far as can be told without trying",
        "fails": f"will not run {where}",
        "unknown": f"cannot tell {where}",
    }[state]
    sections = tuple(_section(group, needs) for group in dict.fromkeys(need.group for need in needs))
    told = words + (f": {because}" if because else "")
    decided = dict.fromkeys(name for need in needs if need.state == state for name in need.findings)
    root = as_root(needs)
    with_root = None if root == state else root
    return Answer(
        *(name, "script", "a script of bpftrace", state, told, sections, because, tuple(decided)), with_root
    )


def as_root(needs: list[Need]) -> State:
    """The worst state that root is expected to have."""
    return worst(need.as_root for need in needs)


def verdict(needs: list[Need]) -> tuple[State, str]:
    """The worst state, with the first reasons for it."""
    root = as_root(needs)
    for state in ("fails", "unknown"):
        found = [need for need in needs if need.state == state]
        # Where root would not be enough, what root lacks as well is the reason.
        found.sort(key=lambda need: need.as_root != root)
        if found:
            first = found[0]
            says = first.says if _told(first) else f"{first.what}: {first.says}"
            others = len({(need.what, need.says) for need in found}) - 1
            return state, says + (f" (line {first.line})" if first.line else "") + (
                f", and {others} more" if others else ""
            )
    limits = [need for need in needs if need.says]
    return "works", f"{limits[0].what}: {limits[0].says}" if limits else ""


def _told(need: Need) -> bool:
    """Whether the reason names what it is about: `struct qstr has no field nam` of `struct qstr.nam`."""
    return need.what in need.says or (need.what.rpartition(".")[0] or need.what) in need.says


def _section(group: str, needs: list[Need]) -> Section:
    mine = list({(n.state, n.what, n.says): n for n in reversed(needs) if n.group == group}.values())[::-1]
    told = [need for need in mine if need.state != "works" or need.says]
    fine = [need for need in mine if need not in told]
    rows = tuple(
        (_STATES[need.state], f"{need.line}", need.what, need.says or "-") for need in [*told, *fine[:_SHOWN]]
    )
    more = len(fine) - _SHOWN
    text = (f"{more} more are as they should be.",) if more > 0 else ()
    return Section(group, text, ("state", "line", "what", "why"), rows)
