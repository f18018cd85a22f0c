"""What is said of a file with BPF objects."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from kdiag.explain.object.as_root import as_root
from kdiag.explain.object.attach import by_itself
from kdiag.explain.object.fields import fields
from kdiag.explain.object.judge import Judged, Program, judge, needed_capabilities
from kdiag.explain.object.kernel import KernelFacts
from kdiag.explain.object.operations import section as operations
from kdiag.explain.object.source import Source, open_source
from kdiag.explain.value import Answer, Section
from kdiag.knowledge.bpf.tables import helpers, map_types, program_types
from kdiag.parse.bpf.btf_ext import CoreKind
from kdiag.words import listed

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.explain.object.trouble import Trouble
    from kdiag.explain.value import Outcome
    from kdiag.parse.bpf.maps import Map
    from kdiag.parse.bpf.program import Function

_WORST: tuple[Outcome, ...] = ("fails", "unknown", "works")
_HERE = {"works": "yes", "fails": "no", "unknown": "cannot tell", "told": ""}
#: What is in the way is listed so far; the tables have the rest.
_MOST = 12


def explain(word: str, here: Here) -> Answer:
    """The answer for a file. Raises NotKnown for what is none."""
    source, found = judged(word, here)
    worst = _worst(found)
    outcome = worst.decision.outcome
    rooted = [one for one in (as_root(one, here) for one in found) if one is not None]
    root = _worst(rooted) if rooted and outcome != "works" else None
    says = verdict(worst, source, here)
    if root is not None and root.decision.outcome == outcome:
        # Where root would not be enough, what root lacks as well is the reason.
        same, worst, root = worst.decision.stage == root.decision.stage, root, None
        says = (
            verdict(worst, source, here)
            if same
            else f"It will not run {here.where}, because {_because(worst)}."
        )
    sections: list[Section] = []
    for one in found:
        title = f"Object at byte {one.object.at}: " if len(found) > 1 else ""
        parts = _sections(one, source, here)
        sections += (part._replace(title=f"{title}{part.title}") for part in parts)
    troubles = worst.decision.troubles
    return Answer(
        *(word, "object", _title(source), outcome, says, tuple(sections)),
        because=troubles[0].text if troubles else "",
        findings=tuple(dict.fromkeys(one.finding for one in troubles if one.finding)),
        with_root=None if root is None else root.decision.outcome,
    )


def _worst(found: Sequence[Judged]) -> Judged:
    return min(found, key=lambda one: _WORST.index(one.decision.outcome))


def judged(word: str, here: Here) -> tuple[Source, list[Judged]]:
    """The objects of a file on this machine. Raises NotKnown."""
    source = open_source(word)
    kernel = facts(here)
    return source, [judge(one, kernel, source) for one in source.objects]


@lru_cache(maxsize=1)
def facts(here: Here) -> KernelFacts:
    """What the kernel has, read once for all files that are asked about."""
    return KernelFacts(here)


def _title(source: Source) -> str:
    if not source.embedded:
        return "a BPF object"
    count = len(source.objects)
    where = listed([str(one.at) for one in source.objects])
    return f"a program that carries {count} BPF {'object' if count == 1 else 'objects'}, at byte {where}"


def verdict(one: Judged, source: Source, here: Here) -> str:
    """One sentence."""
    decision, place = one.decision, here.where
    because, more = _because(one), _more(one)
    if decision.outcome == "works":
        return f"It will load {place}: all that it requires is there. The kernel's verifier was not asked."
    if decision.outcome == "fails":
        if decision.stage == "attach":
            return f"It loads {place} and does not attach, because {because}{more}."
        if decision.stage == "run" and all(trouble.attach for trouble in decision.troubles):
            # A program may take out what it cannot attach, and go on without (libbpf-tools/statsnoop.c).
            return f"Nothing of it attaches {place}, because {because}{more}. If it starts, it will show nothing."
        verb = "load" if decision.stage == "load" else "run"
        return f"It will not {verb} {place}, because {because}{more}."
    certain = [trouble for trouble in decision.troubles if trouble.certain]
    if one.embedded and certain:
        verb = "do not load" if decision.stage == "load" else "do not attach"
        bad = [p for p in one.loaded if (p.loads if decision.stage == "load" else p.outcome) == "fails"]
        name = os.path.basename(source.path)
        some = f"{len(bad)} of its {len(one.loaded)} BPF programs {verb} {place}"
        because = f"{certain[0].text}{more}"
        return f"kdiag cannot tell: {some}, because {because}. Whether {name} leaves them out, it decides."
    stage = "it loads" if decision.stage == "load" else "it attaches"
    return f"kdiag cannot tell whether {stage} {place}: {because}{more}."


def _because(one: Judged) -> str:
    return one.decision.troubles[0].text if one.decision.troubles else ""


def _more(one: Judged) -> str:
    more = len(one.decision.troubles) - 1
    return "" if more < 1 else " (one more reason below)" if more == 1 else f" ({more} more reasons below)"


def _sections(one: Judged, source: Source, here: Here) -> Iterator[Section]:
    place = f"On {here.place}" if here.place else "Here"
    yield Section("", tuple(_about(one)))
    yield _way(one.decision.troubles)
    yield Section(
        "Programs",
        head=("program", "section", "type", place),
        rows=tuple(_program_row(program) for program in one.programs),
    )
    yield Section(
        "Maps",
        head=("map", "type", "key", "value", "entries", place),
        rows=tuple(_map_row(*pair, one.embedded) for pair in one.maps),
    )
    yield _helpers(one, place)
    yield Section(
        "Functions of the kernel (kfuncs)", head=("function", "called by"), rows=_kfuncs(one.object.functions)
    )
    yield operations(one.object, facts(here), place)
    yield fields(one, place)
    yield _requires(one)
    yield _not_looked_at(one, source)
    yield _yourself(one, source)


def _about(one: Judged) -> Iterator[str]:
    found = one.object
    count = len(found.relocations)
    btf = "It has BTF" if found.graph is not None else "It has no BTF"
    core = f" and {count} CO-RE relocation{'s' * (count > 1)}" if count else ""
    order = "" if found.image.order == "<" else " Its byte order is big-endian."
    yield f"{btf}{core}. Its licence is {found.license or 'not given, which counts as not GPL'}.{order}"


def _way(troubles: Sequence[Trouble]) -> Section:
    rows = tuple(("fails" if one.certain else "unknown", one.text) for one in troubles[:_MOST])
    left = len(troubles) - len(rows)
    text = (f"{left} more are not listed.",) if left > 0 else ()
    ids = dict.fromkeys(one.finding for one in troubles if one.finding)
    commands = (f"kdiag explain {' '.join(ids)}",) if ids else ()
    return Section("What stands in the way", text, rows=rows, commands=commands)


def _program_row(program: Program) -> tuple[str, ...]:
    kind = program.section.program if program.section else "not known to libbpf"
    if program.section and program.section.attach:
        kind += f" ({program.section.attach})"
    asked = "" if program.default else ", only on request"
    if program.section and program.outcome == "works" and not by_itself(program.section, program.what):
        asked = f", its loader attaches it{asked}"
    if program.loads == "works" and program.outcome != "works":
        state = "loads, does not attach" if program.outcome == "fails" else "loads, attaching cannot be told"
    else:
        state = {"works": "loads", "fails": "does not load", "unknown": "cannot tell", "told": ""}[
            program.outcome
        ]
    return program.function.name, program.function.section, kind, f"{state}{asked}"


def _map_row(one: Map, troubles: tuple[Trouble, ...], embedded: bool) -> tuple[str, ...]:
    known = map_types().get(one.kind)
    kind = known.name if known else f"number {one.kind}" if one.kind else "set later"
    entries = str(one.max_entries) if one.max_entries else "set later" if embedded else "none"
    state = "yes" if not troubles else "no" if any(trouble.certain for trouble in troubles) else "cannot tell"
    return one.name, kind, str(one.key_size or ""), str(one.value_size or ""), entries, state


def _helpers(one: Judged, place: str) -> Section:
    callers: dict[int, list[str]] = {}
    wrong: dict[int, bool] = {}
    for function in one.object.functions:
        bad = one.code.bad.get((function.section, function.start), {})
        for number, nth in function.helpers().items():
            callers.setdefault(number, []).append(function.name)
            wrong[number] = wrong.get(number, False) or nth in bad
    rows = []
    for number in sorted(callers):
        known = helpers().get(number)
        name = f"bpf_{known.name}" if known else f"number {number}"
        since = f"{known.since}{', GPL only' if known.gpl else ''}" if known else ""
        called = callers[number]
        who = called[0] if len(called) == 1 else f"{len(called)} functions"
        rows.append((name, since, who, "no" if wrong[number] else "yes"))
    return Section("Helpers", head=("helper", "since kernel", "called by", place), rows=tuple(rows))


def _kfuncs(functions: Sequence[Function]) -> tuple[tuple[str, ...], ...]:
    callers: dict[str, list[str]] = {}
    for function in functions:
        for name, symbol in function.kernel_functions().items():
            callers.setdefault(f"{name}{' (weak)' if symbol.bind == 2 else ''}", []).append(function.name)
    return tuple((name, ", ".join(called[:3])) for name, called in callers.items())


def _requires(one: Judged) -> Section:
    """What the object requires of any machine, with where kdiag tells more of each."""
    capabilities = needed_capabilities(one.programs)
    rows = [("capabilities", f"{listed(capabilities)}, or CAP_SYS_ADMIN")]
    more = ["privileges.capabilities"]
    if any(relocation.kind is not CoreKind.TYPE_ID_LOCAL for relocation in one.object.relocations):
        rows.append(("the kernel's BTF", "for its CO-RE relocations"))
        more.append("btf.vmlinux")
    for name in dict.fromkeys(program.section.program for program in one.programs if program.section):
        known = program_types()[name]
        rows.append((f"program type {name}", f"kernel {known.since}, CONFIG_{known.option}"))
        more.append(f"CONFIG_{known.option}")
    since = [program.section.since for program in one.programs if program.section and program.section.since]
    if since:
        rows.append(("libbpf", f"{max(since, key=_release)} or newer, for its section names"))
    newest = _newest(one)
    if newest:
        text = f"{newest[1]} or newer is expected, for {newest[0]}; distributions backport"
        rows.append(("kernel", text))
    commands = (f"kdiag explain {' '.join(dict.fromkeys(more))}",)
    return Section("What it requires", rows=tuple(rows), commands=commands)


def _not_looked_at(one: Judged, source: Source) -> Section:
    """What only the kernel's verifier decides, or the program that carries the object."""
    text = [
        "The kernel's verifier was not asked: which memory a program reads and writes, the types of what it gives to "
        "helpers and functions, how many instructions it runs through, and how much stack it takes."
    ]
    types = {program.section.program for program in one.programs if program.section}
    if "STRUCT_OPS" in types:
        text.append(
            "Of operations (struct_ops) their members were looked up by name, and the types of those not compared."
        )
    if "EXT" in types:
        text.append("What a program of type EXT (freplace) replaces is in another BPF program.")
    if source.embedded:
        text.append("The program that carries the object may leave out programs, and attach them elsewhere.")
    return Section("What was not looked at", tuple(text))


def _newest(one: Judged) -> tuple[str, str] | None:
    """The latest comer among what it uses, by the tables: a guard may make it optional."""
    calls = {number for function in one.object.functions for number in function.helpers()}
    used = [(f"bpf_{helper.name}", helper.since) for helper in map(helpers().get, calls) if helper]
    kinds = {kept.kind for kept, _ in one.maps}
    used += [
        (f"map type {kind.name}", kind.since) for kind in map(map_types().get, kinds) if kind and kind.since
    ]
    types = {program.section.program for program in one.programs if program.section}
    used += [(f"program type {name}", program_types()[name].since) for name in types]
    return max(sorted(used), key=lambda pair: _release(pair[1]), default=None)


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _yourself(one: Judged, source: Source) -> Section:
    if source.embedded:
        return Section(
            "See it yourself",
            commands=(
                f"tail -c +{one.object.at + 1} {source.path} | head -c {len(one.object.image.data)} > object.bpf.o",
            ),
        )
    return Section(
        "See it yourself",
        commands=(f"bpftool -d prog loadall {source.path} /sys/fs/bpf/tried && rm -r /sys/fs/bpf/tried",),
    )
