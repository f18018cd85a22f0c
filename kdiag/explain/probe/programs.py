"""`uprobe:`, `uretprobe:`, `usdt:`: the program's file, and what it names. It is read, never started."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar

from kdiag.explain.probe.value import Found, comma, unseen
from kdiag.explain.probe.wildcards import singly, too_many
from kdiag.explain.value import Section
from kdiag.knowledge.scripts.probes import LIBRARIES, UPROBES_SINGLY
from kdiag.machine.names.functions import glob_matches
from kdiag.model import Status
from kdiag.parse.errors import ParseError
from kdiag.parse.programs.symbols import Function, Symbols, symbols
from kdiag.parse.programs.usdt import Probe, probes
from kdiag.system import Unavailable
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kdiag.explain.here import Here
    from kdiag.parse.bpftrace.attach import AttachPoint

T = TypeVar("T")
_OFFSET = re.compile(r"(.+?)\+(0x[0-9a-fA-F]+|[0-9]+)$")
_WHAT = "What the program offers"
_DEBUG = "/usr/lib/debug/.build-id"
#: Places of a probe that are shown.
_SHOWN = 12


class _No(Exception):
    """A program that cannot be looked at; found: what is said then."""

    def __init__(self, found: Found) -> None:
        super().__init__(found.because)
        self.found = found


class _Program(NamedTuple):
    path: str
    here: Here

    def read(self, reader: Callable[[BinaryIO], T]) -> T:
        """What a reader finds in the file. Raises _No."""
        try:
            file = self.here.machine.system.open(self.path)
            if file is None:
                raise _No(Found("fails", f"there is no file {self.path}"))
            with file:
                return reader(file)
        except Unavailable as gap:
            raise _No(Found("unknown", f"cannot read the program: {unseen(gap)}")) from None
        except (ParseError, OSError) as error:
            raise _No(Found("fails", f"{self.path}: {error}")) from None


@lru_cache(maxsize=4)
def _symbols(program: _Program) -> Symbols:
    """A program's functions, read once for all probes of a script. Raises _No."""
    return program.read(symbols)


@lru_cache(maxsize=4)
def _named(program: _Program) -> Mapping[str, tuple[Function, ...]]:
    """The same by name."""
    found: dict[str, tuple[Function, ...]] = {}
    for one in _symbols(program).functions:
        found[one.name] = (*found.get(one.name, ()), one)
    return found


def uprobe(point: AttachPoint, here: Here) -> Found:
    """A function of a program, or a place in it."""
    path, *language, name = point.parts
    try:
        program = _located(path, here)
        known = _symbols(program)
    except _No as no:
        return no.found
    if language and language[0] == "cpp":
        return Found("unknown", "kdiag does not demangle names of C++: the mangled one can be asked for")
    if name.startswith("0x"):
        return Found(
            "works", "", (_offers(program, known),), "whether a function is at the address was not looked at"
        )
    at = _OFFSET.match(name)
    if at is not None and point.kind == "uretprobe":
        return Found("fails", "a uretprobe cannot be put on an offset in a function")
    if "*" in name:
        return _matching(point, program, known, name)
    return _function(program, known, at[1] if at else name)


def _located(path: str, here: Here) -> _Program:
    """Where a program is: a name without a slash is looked up in PATH, as bpftrace does (resolve_binary_path())."""
    if "*" in path:
        raise _No(Found("unknown", "kdiag looks at one program, and not at a pattern for several"))
    if "/" in path:
        return _Program(path, here)
    if path.startswith("lib") and ".so" not in path:
        return _library(path, here)
    try:
        found = here.machine.system.which(path)
    except Unavailable as gap:
        raise _No(Found("unknown", f"where {path} is: {unseen(gap)}")) from None
    if found is None:
        raise _No(
            Found(
                "fails", f"there is no program {path} in PATH: write its whole path, also that of a library"
            )
        )
    return _Program(found, here)


def _library(name: str, here: Here) -> _Program:
    """A library by its short name, `libc`, which bpftrace looks up since 0.14."""
    behaviour = here.machine.tools.behaviour
    if behaviour is not None and behaviour.version < LIBRARIES:
        raise _No(
            Found("fails", f"requires bpftrace 0.14 or newer to find {name}: write the library's whole path")
        )
    try:
        path = here.machine.tools.shared.file(name)
    except Unavailable as gap:
        raise _No(Found("unknown", f"where {name} is: {unseen(gap)}")) from None
    if path is None:
        raise _No(Found("fails", f"the library {name} is not installed"))
    return _Program(path, here)


def _function(program: _Program, known: Symbols, name: str) -> Found:
    offers = _offers(program, known)
    mine = _named(program).get(name, ())
    if any(one.inside for one in mine):
        several = {one.address for one in mine if one.inside}
        caveat = f"{len(several)} functions have this name" if len(several) > 1 else ""
        return Found("works", "", (offers,), caveat)
    if mine:
        return Found("fails", f"{program.path} only calls {name}, which one of its libraries has", (offers,))
    if not known.functions:
        return Found("fails", f"{program.path} names no functions: {_without(program, known)}", (offers,))
    defined = [name for name, several in _named(program).items() if any(one.inside for one in several)]
    near = did_you_mean(name, defined)
    if not known.stripped:
        return Found(
            "fails", f"{program.path} has no function {name}: not there, or inlined{near}", (offers,)
        )
    elsewhere = _debug(program, known)
    if elsewhere is not None and name in _named(elsewhere):
        return Found("works", "", (offers,), f"its symbol is in {elsewhere.path}")
    return Found(
        "fails",
        f"{program.path} is stripped, and "
        + (
            f"{name} is not among the {len(defined)} functions that it exports{near}"
            if defined
            else "exports no functions"
        ),
        (offers,),
    )


def _without(program: _Program, known: Symbols) -> str:
    """What helps where a program has no symbols."""
    build = f" (build-id {known.build_id})" if known.build_id else ""
    return (
        f"it is stripped{build}; its package of debug symbols has them, "
        f"and uprobe:{program.path}:0xADDRESS requires none"
    )


def _debug(program: _Program, known: Symbols) -> _Program | None:
    """The separate file with the symbols of a stripped program, where bpftrace's libraries look by its build-id."""
    if known.build_id is None:
        return None
    separate = _Program(f"{_DEBUG}/{known.build_id[:2]}/{known.build_id[2:]}.debug", program.here)
    try:
        _symbols(separate)
    except _No:
        return None
    return separate


def _offers(program: _Program, known: Symbols) -> Section:
    inside = sum(one.inside for one in known.functions)
    tables = " and ".join(known.tables) or "no symbol table"
    dwarf = "has" if known.dwarf else "does not have"
    text = (
        f"{program.path}: {inside} functions by name ({tables}).",
        f"It {dwarf} debug information; arguments are arg0, arg1, ..."
        + (", or args.NAME where bpftrace was built with DWARF." if known.dwarf else " without types."),
    )
    return Section(_WHAT, text)


def _matching(point: AttachPoint, program: _Program, known: Symbols, pattern: str) -> Found:
    names = sorted({one.name for one in known.functions if one.inside and glob_matches(pattern, one.name)})
    offers = _offers(program, known)
    if not names:
        return Found("fails", f"no function of {program.path} matches {pattern}", (offers,))
    text = f"It stands for {len(names)} function{'s' if len(names) > 1 else ''}: {comma(names)}."
    once = _at_once(point, program.here)
    how = "All are attached by one link (uprobe.multi)." if once else singly(len(names), UPROBES_SINGLY)
    sections = (Section("What it stands for", (text, how)), offers)
    limit = too_many(program.here, len(names), at_once=once)
    return Found("fails" if limit else "works", limit, sections, number=len(names))


def _at_once(point: AttachPoint, here: Here) -> bool:
    behaviour = here.machine.tools.behaviour
    known = behaviour is not None and (
        behaviour.usdt_multi if point.kind == "usdt" else behaviour.uprobe_multi
    )
    return known and any(f.id == "bpf.uprobe_multi" and f.status is Status.OK for f in here.report.findings)


def usdt(point: AttachPoint, here: Here) -> Found:
    """A probe that a program's authors made, by its notes."""
    path, *provider, name = point.parts
    if not path or (len(point.parts) == 1):
        return Found(
            "unknown", "a USDT probe without a program is looked up in the process that -p PID names"
        )
    try:
        program = _located(path, here)
        known = program.read(probes)
    except _No as no:
        return no.found
    if not known:
        return Found("fails", f"{program.path} has no USDT probes (no .note.stapsdt)")
    wanted = provider[0] if provider else "*"
    matched = [
        one for one in known if glob_matches(wanted or "*", one.provider) and glob_matches(name, one.name)
    ]
    every = list(dict.fromkeys(f"{one.provider}:{one.name}" for one in known))
    if not matched:
        near = did_you_mean(f"{wanted}:{name}" if provider else name, every)
        return Found(
            "fails", f"{program.path} has no USDT probe {':'.join((*provider, name))}{near or _has(every)}"
        )
    return Found("works", "", (_places(program, matched),), _semaphore(matched), len(matched))


def _has(every: list[str]) -> str:
    return f"; it has {comma(every)}"


def _semaphore(matched: list[Probe]) -> str:
    number = sum(one.semaphore != 0 for one in matched)
    return "" if not number else "behind a semaphore, which is raised while it is traced"


def _places(program: _Program, matched: list[Probe]) -> Section:
    names = {(one.provider, one.name) for one in matched}
    what = "1 probe" if len(names) == 1 else f"{len(names)} probes"
    where = "1 place" if len(matched) == 1 else f"{len(matched)} places"
    more = len(matched) - _SHOWN
    text = f"{program.path}: {what} in {where}{f', the first {_SHOWN} of which are' if more > 0 else ''}:"
    rows = tuple(
        (
            f"{one.provider}:{one.name}",
            hex(one.address),
            "yes" if one.semaphore else "no",
            " ".join(one.arguments) or "none",
        )
        for one in matched[:_SHOWN]
    )
    return Section(_WHAT, (text,), ("probe", "address", "semaphore", "arguments (size@where)"), rows)
