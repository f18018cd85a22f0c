"""What a script requires, part by part, and how each part stands on the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf.sources import NoTypes
from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.capabilities.judging import judged
from kdiag.checking.analysis import behaviours_of, root_is_elsewhere
from kdiag.explain.probe import explain as probes
from kdiag.explain.probe import types
from kdiag.explain.probe.value import STATES, unseen
from kdiag.explain.script import contexts, fields, language
from kdiag.explain.script.value import Need
from kdiag.model import Status
from kdiag.parse.bpftrace.attach import parse
from kdiag.parse.bpftrace.conditions import counts, lines, states
from kdiag.parse.bpftrace.uses import Call, TypeUse, uses
from kdiag.parse.btf import BtfError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kdiag.btf.finding import Found
    from kdiag.explain.here import Here
    from kdiag.explain.probe.value import State
    from kdiag.parse.bpftrace.conditions import Line
    from kdiag.parse.bpftrace.script import Probe, Script
    from kdiag.parse.bpftrace.uses import Use

PROBES, TYPES, HEADERS, SYMBOLS = "Probes", "Structs and fields", "Headers", "Symbols of the kernel"
_BY_ID = {definition.id: definition for definition in DEFINITIONS}
#: bpftrace brings these itself (src/clang_parser.cpp; src/stdlib/include).
_OWN_HEADERS = frozenset(("stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "float.h", "limits.h"))
#: Of the C library, not of the kernel.
_LIBC = (
    "sys/",
    "netinet/",
    "arpa/",
    "bits/",
    "netdb.h",
    "string.h",
    "stdlib.h",
    "unistd.h",
    "time.h",
    "errno.h",
)
#: Since then a probe that is missing in a list ends the script, unless its config says otherwise (src/config.h).
_LISTS_FAIL = (0, 24, 0)


def all_needs(script: Script, here: Here) -> list[Need]:
    """Everything that the script requires. Raises ScriptError for conditions that do not close."""
    guarded = lines(script.directives, _defined(here))
    bodies = [(probe, [*uses(probe.predicate), *uses(probe.body)]) for probe in script.probes]
    named = [use for _, found in bodies for use in found]
    helpers = [use for one in script.definitions if one.kind in ("fn", "macro") for use in uses(one.body)]
    return [
        *_probes(script, here),
        *_headers(guarded, here),
        *_twice(script, guarded, here),
        *_addresses(named, here),
        *_types(script, bodies, guarded, here),
        *language.needs(script, [*named, *helpers], guarded, here),
    ]


def _defined(here: Here) -> dict[str, bool | None]:
    """Whether BPFTRACE_HAVE_BTF is defined for this script: by the release, and by the BTF that it finds."""
    answers = {_has_btf(here) if one.defines_have_btf else False for one in behaviours_of(here.machine)}
    return {"BPFTRACE_HAVE_BTF": answers.pop() if len(answers) == 1 else None}


def _has_btf(here: Here) -> bool | None:
    by_id = {finding.id: finding for finding in here.report.findings}
    mine = by_id.get("btf.bpftrace")
    chosen = by_id.get("btf.vmlinux") if mine is None or mine.status is Status.SKIP else mine
    if chosen is None or chosen.status is Status.UNKNOWN:
        return None
    return chosen.status in (Status.OK, Status.WARN)


# -- probes ------------------------------------------------------------------------------------------------------------


def _probes(script: Script, here: Here) -> Iterator[Need]:
    release = here.machine.tools.behaviour
    missing = script.config.get("missing_probes", "")
    strict = release is not None and release.version >= _LISTS_FAIL and missing not in ("warn", "ignore")
    lenient = release is not None and release.version >= (0, 21, 0) and missing in ("warn", "ignore")
    for probe in script.probes:
        yield from _clause(probe, here, strict=strict, lenient=lenient)


def _clause(probe: Probe, here: Here, *, strict: bool, lenient: bool) -> Iterator[Need]:
    """Each attach point. Where one of several is missing, bpftrace up to 0.23 goes on with the others, and where the
    script allows it without any: the clause does nothing then.
    """
    looked = [_point(placed.point.text, placed.line, here) for placed in probe.points]
    some = any(need.state == "works" for need in looked)
    nothing = all(need.state == "fails" for need in looked)
    for need in looked:
        if need.state == "fails" and not need.findings and lenient and nothing:
            yield need._replace(says=f"{need.says}; bpftrace goes on, and nothing of this clause is attached")
        elif need.state == "fails" and not need.findings and ((some and not strict) or lenient):
            yield Need(PROBES, "works", need.what, f"left out: {need.says}", need.line)
        else:
            yield need


def _point(text: str, line: int, here: Here) -> Need:
    """How a probe stands; without findings where it is what the probe names that is missing."""
    found, judgement = probes.look(parse(text), here)
    state, because = probes.joined(found, judgement)
    root = probes.as_root(found, judgement)
    return Need(PROBES, state, text, because, line, probes.deciding(found, judgement), root)


# -- headers -----------------------------------------------------------------------------------------------------------


def _headers(guarded: list[Line], here: Here) -> Iterator[Need]:
    for line in guarded:
        if line.kind != "include" or line.name in _OWN_HEADERS:
            continue
        stands = _header(line.name, here)
        if not line.certain and stands.state != "works":
            stands = Stands("unknown", f"if it is read: {stands.says}")
        yield Need(HEADERS, stands.state, f"#include <{line.name}>", stands.says, line.line, (), stands.root)


def _header(name: str, here: Here) -> Stands:
    if name.startswith(_LIBC) or "/" not in name:
        finding = next((f for f in here.report.findings if f.id == "headers.libc"), None)
        if finding is None:
            return Stands("unknown", "whether the C library's headers are installed was not looked at")
        if finding.status in (Status.OK, Status.SKIP, Status.WARN):
            return Stands("works", "")
        return Stands("fails" if finding.status is Status.FAIL else "unknown", finding.summary)
    return capability("include", here)


def _twice(script: Script, guarded: list[Line], here: Here) -> Iterator[Need]:
    """Releases whose clang gets the types of BTF beside the script's headers take none from BTF where both define one
    (src/clang_parser.cpp, ClangParser::parse(), "redefinition conflict"): seen with <sys/socket.h> beside a tracepoint
    whose struct names types of the kernel (0.17's tcpdrop.bt).
    """
    behaviour = here.machine.tools.behaviour
    if behaviour is None or "without-btf" not in behaviour.types_header or not _has_btf(here):
        return
    traced = any(placed.point.kind == "tracepoint" for probe in script.probes for placed in probe.points)
    first = next((one for one in guarded if one.kind == "include" and one.name.startswith(_LIBC)), None)
    if traced and first is not None:
        says = (
            "if it defines a type that a tracepoint's arguments need of BTF, this release takes none from BTF"
        )
        yield Need(HEADERS, "unknown", f"#include <{first.name}> beside BTF", says, first.line)


def _addresses(uses_: list[Use], here: Here) -> Iterator[Need]:
    """`kaddr("NAME")` is looked up while the script is compiled."""
    for use in uses_:
        if not isinstance(use, Call) or use.name != "kaddr" or not use.text:
            continue
        what = f'kaddr("{use.text}")'
        try:
            found = here.machine.names.symbols(use.text)
        except Unavailable as gap:
            yield Need(SYMBOLS, "unknown", what, unseen(gap), use.word.line)
            continue
        if found:
            yield Need(SYMBOLS, "works", what, "", use.word.line)
        else:
            says = "this kernel shows no such symbol (variables require CONFIG_KALLSYMS_ALL)"
            yield Need(SYMBOLS, "fails", what, says, use.word.line)


class Stands(NamedTuple):
    """How a capability stands, why, and how for root where that differs."""

    state: State
    says: str
    root: State | None = None


def capability(name: str, here: Here) -> Stands:
    """How a capability of kdiag's stands."""
    machine = here.machine
    found = judged(
        _BY_ID[name],
        here.report.findings,
        behaviours_of(machine),
        as_root_matters=root_is_elsewhere(machine),
    ).capability
    root = None if found.with_root is None else STATES[found.with_root]
    return Stands(STATES[found.status], found.because, root)


# -- types -------------------------------------------------------------------------------------------------------------


def _types(
    script: Script, bodies: list[tuple[Probe, list[Use]]], guarded: list[Line], here: Here
) -> Iterator[Need]:
    guards = states(script.directives, _defined(here))
    # What is defined under a condition that does not hold is not the script's own.
    own = frozenset(
        one.name for one in script.definitions if " " in one.name and counts(one.line, guards) is not False
    )
    included = any(line.kind == "include" for line in guarded)
    seen: dict[str, int] = {}
    missing: dict[str, fields.Missing] = {}
    maps: dict[str, Found | None] = {}
    try:
        source = here.types
        for probe, found in bodies:
            for context in contexts.of(probe, here, own):
                walk = fields.Walk(source, context, maps)
                walk.all(found)
                seen.update({name: line for name, line in walk.seen.items() if name not in seen})
                missing.update({name: one for name, one in walk.missing.items() if name not in missing})
    except (NoTypes, BtfError) as error:
        if _casts(bodies):
            stands = capability("struct", here) if not included else Stands("unknown", f"BTF: {error}")
            says = stands.says or str(error)
            yield Need(TYPES, stands.state, "types of the kernel", says, _casts(bodies), (), stands.root)
        return
    if seen and not included:
        stands = capability("struct", here)
        if stands.state != "works":
            line = min(seen.values())
            yield Need(TYPES, stands.state, "types of the kernel", stands.says, line, (), stands.root)
    for name, line in sorted(seen.items()):
        yield Need(TYPES, "works", name, "", line)
    for one in missing.values():
        # A header that is included may define it; what it defines was not looked at.
        header = included and not one.what.startswith("args.")
        says = f"{one.says}; a header that the script includes may" if header else one.says
        yield Need(TYPES, "unknown" if header else "fails", one.what, says, one.line)
    if bodies and not types.whole(source) and _casts(bodies):
        yield Need(TYPES, "unknown", "types of the kernel", "not recorded whole", _casts(bodies))


def _casts(bodies: list[tuple[Probe, list[Use]]]) -> int:
    """The line of the first cast to a struct, 0 without one."""
    for _, found in bodies:
        for use in found:
            if isinstance(use, TypeUse) and use.text.startswith(("struct", "union")):
                return use.word.line
    return 0
