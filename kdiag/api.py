"""kdiag for programs: what `kdiag check`, `why`, `explain` and `btf` answer, as values.

    from kdiag import api

    report = api.check()                            # this machine; a recording: api.check("machine.tar.gz")
    report.verdict.status                           # Readiness.READY, NOT_READY or UNKNOWN
    api.why("libbpf: failed to find valid kernel BTF").answers[0].cause
    api.explain("CONFIG_IKHEADERS")[0].sections
    api.btf().struct("task_struct").fields[0]
    api.btf().func("vfs_open")

Nothing is printed, nothing is changed, and nothing is run that `kdiag check` does not run. What cannot be answered
raises Problem, with one line that names the file or the name. The values are those of `kdiag.model`,
`kdiag.why.value`, `kdiag.explain.value` and this module; they are frozen.
"""

from __future__ import annotations

from functools import cached_property
from os import PathLike, fspath
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kdiag.btf.declare import Declarer
from kdiag.btf.layout import lay_out
from kdiag.btf.sources import of_kernel
from kdiag.btf.text import definition, prototype
from kdiag.capabilities.tools import REQUIRED
from kdiag.checking.analysis import analyse
from kdiag.checking.registry import discover
from kdiag.checking.selection import UnknownName, capabilities, choose, split
from kdiag.commands.btf import Asked, source_of
from kdiag.commands.btf_here import CannotAnswer, find_functions, find_type, told
from kdiag.commands.explain import answers
from kdiag.commands.record import BadRecording, system_from
from kdiag.commands.requirement import of_files, of_profiles, own_profiles, with_required
from kdiag.commands.why import explain as held_against
from kdiag.commands.why import log_in
from kdiag.config.file import check_names, load
from kdiag.config.values import ConfigError
from kdiag.explain.here import Here
from kdiag.explain.value import NotKnown
from kdiag.machine import Machine
from kdiag.parse.btf.kinds import COMPOSITES, Kind
from kdiag.report.story.next_step import RECORDED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kdiag.btf.finding import Found
    from kdiag.btf.sources import Source
    from kdiag.explain.value import Answer
    from kdiag.knowledge.bpf.profiles import Profile
    from kdiag.model import Report
    from kdiag.system import System
    from kdiag.why.value import Explanation

__all__ = ["Field", "Problem", "Type", "Types", "btf", "check", "explain", "why"]

Path = str | PathLike[str]
T = TypeVar("T")


class Problem(Exception):
    """Why there is no answer, in one line: the file, the place or the name, and what is the matter with it."""


def check(  # noqa: PLR0913  an option of the command each
    recording: Path = "",
    *,
    host: Path = "",
    require: Sequence[str] = (),
    tools: Sequence[str] = (),
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    plugins: bool = True,
    profiles: Sequence[str] = (),
    require_from: Sequence[Path] = (),
    config: Path = "",
) -> Report:
    """What can be traced on this machine, or on the recorded one, as `kdiag check` says it.

    host: where this container sees its host's files. require: ids of capabilities; tools: bpftrace, bcc, libbpf,
    bpftool; only, skip: ids or globs of checks. profiles: names of profiles, and require_from: files (objects, scripts
    of bpftrace), whose requirements become those of the report; config: a kdiag.toml, whose [profile.NAME] are known
    beside the built-in ones, and of which nothing else is taken. Raises Problem for a recording or a file that cannot
    be read, and for a name that nothing has.
    """
    wanted = split(tools)
    if unknown := [tool for tool in wanted if tool not in REQUIRED]:
        raise Problem(f"a tool is one of {', '.join(REQUIRED)}, not {unknown[0]!r}")
    machine, known = _machine(recording, host), discover(plugins=plugins)
    try:
        chosen = choose(known.checks, split(only), split(skip))
        report = analyse(machine, known, chosen, capabilities(split(require)), wanted)
        if not profiles and not require_from:
            return report
        place = Here(machine, lambda: known, lambda: report, RECORDED if recording else "", _profiles(config))
        rows, also = of_profiles(split(profiles), place)
        rows += of_files([fspath(one) for one in require_from], place)
    except (UnknownName, NotKnown) as error:
        raise Problem(str(error)) from None
    said = report.required if require or tools else ()
    return with_required(report, rows, tuple(dict.fromkeys((*said, *also))))


def _profiles(config: Path) -> dict[str, Profile]:
    """The user's own profiles. Raises Problem for a file that cannot be read, or is wrong."""
    if not fspath(config):
        return {}
    try:
        settings = load(FilePath(fspath(config)))
        check_names(settings, None)
        return own_profiles(settings)
    except ConfigError as error:
        raise Problem(str(error)) from None


def why(
    text: str | bytes, recording: Path = "", *, host: Path = "", report: Report | None = None
) -> Explanation:
    """What a tool's messages mean on this machine, or on the recorded one, as `kdiag why` says it.

    report: of the machine, where there is one already, so that nothing is examined again.
    """
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    found = report if report is not None else check(recording, host=host)

    def types() -> Source:
        return of_kernel(_machine(recording, host).system, RECORDED if recording else "this kernel")

    # Whose machine a given report is about is not known here, unless its recording is given too.
    known = report is None or bool(recording)
    return held_against(log_in(raw), found, types if known else None, recorded=bool(recording))


def explain(
    *names: str, recording: Path = "", host: Path = "", plugins: bool = True, config: Path = ""
) -> tuple[Answer, ...]:
    """What names, probes and files are, and how they stand here, as `kdiag explain` says it: an answer for each.

    config: a kdiag.toml, whose [profile.NAME] can be asked for. Raises Problem for a name that nothing has.
    """
    machine, known = _machine(recording, host), discover(plugins=plugins)
    here = Here(
        machine,
        lambda: known,
        lambda: analyse(machine, known, known.checks),
        RECORDED if recording else "",
        _profiles(config),
    )
    try:
        return tuple(answers(names, here))
    except NotKnown as error:
        raise Problem(str(error)) from None


class Field(NamedTuple):
    """A member of a struct or union. offset, size: bytes; bit, bits: where a bit field begins in its byte, and how many
    bits it has (0: it is no bit field). name is empty for an anonymous struct or union.
    """

    name: str
    type: str
    offset: int
    size: int
    bit: int = 0
    bits: int = 0


class Type(NamedTuple):
    """A type of a kernel. kind: struct, union, enum, typedef, int, ...; module: which has it, empty for the kernel."""

    name: str
    kind: str
    size: int
    module: str
    fields: tuple[Field, ...]
    text: str
    """The definition as C, with offsets, as `kdiag btf struct` prints it."""


class Types:
    """The types of a kernel, a recording or a file, looked up by name."""

    def __init__(self, recording: str = "", file: str = "") -> None:
        """Reads nothing yet. One of the two at most."""
        self._recording, self._file = recording, file

    @cached_property
    def _source(self) -> Source:
        return source_of(Asked(recording=self._recording, file=self._file))

    def struct(self, name: str, module: str = "") -> Type:
        """A struct, union, enum or typedef. Raises Problem where there is none, or no BTF."""
        return _answered(lambda: self._struct(name, module))

    def _struct(self, name: str, module: str) -> Type:
        found = find_type(self._source, module, name)
        return told(found.types.place, lambda: _described(found))

    def func(self, name: str, module: str = "") -> str:
        """The prototype of a function. Raises Problem where there is none, or no BTF."""
        return _answered(lambda: self._func(name, module))

    def _func(self, name: str, module: str) -> str:
        found = find_functions(self._source, module, name)[0]
        return told(found[0].place, lambda: prototype(*found))


def _answered(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except CannotAnswer as error:
        raise Problem(str(error)) from None


def _described(found: Found) -> Type:
    graph, type_id = found.types.graph, found.type_id
    kind, declare = graph.kind(type_id), Declarer(graph).declare
    places = lay_out(graph, type_id).places if kind in COMPOSITES else ()
    fields = tuple(
        Field(p.name, declare(p.type_id), p.at // 8, p.size, p.at % 8 if p.bits else 0, p.bits)
        for p in places
    )
    return Type(
        *(graph.name(type_id), Kind(kind).name.lower(), graph.size(type_id), found.types.module),
        fields,
        definition(found),
    )


def btf(recording: Path = "", *, file: Path = "") -> Types:
    """The types of this kernel, of a recorded one, or of a file (raw BTF, or an ELF file with .BTF)."""
    return Types(fspath(recording), fspath(file))


def _machine(recording: Path, host: Path) -> Machine:
    return Machine(_system(fspath(recording), fspath(host)))


def _system(recording: str, host: str) -> System:
    if recording and host:
        raise Problem("host is about this running machine, and a recording is of another: use one of them")
    if recording:
        try:
            return system_from(recording)
        except BadRecording as error:
            raise Problem(str(error)) from None
    # Not where recordings are read: they are read on systems that have none of what the live machine is asked with.
    from kdiag.checking.versions import system_at

    return system_at("/", host)
