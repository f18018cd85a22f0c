"""`kdiag btf`: what the type information of a kernel or of a file says. Imports little, to be as fast as pahole."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf import finding, sources, text
from kdiag.console import exits
from kdiag.console.printable import line
from kdiag.system.live import Live
from kdiag.system.recording_index import BadRecording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from kdiag.btf.sources import Source, Types
    from kdiag.parse.btf.kinds import Kind

FORMATS = ("text", "json")
TYPE_FORMATS = ("text", "c", "json")


class Asked(NamedTuple):
    """Where types are read from, and how the answer is written."""

    recording: str = ""
    file: str = ""
    base: str = ""
    module: str = ""
    format: str = "text"


class Answer(NamedTuple):
    """What is printed, as it is if `exact`; and the exit status."""

    words: str
    status: int = exits.READY
    exact: bool = False


class CannotAnswer(Exception):
    """Why there is no answer, in a line, and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def source_of(asked: Asked) -> Source:
    """The kernel or the file that is asked about. Raises CannotAnswer."""
    if asked.recording and asked.file:
        raise CannotAnswer("--from is a recorded kernel, and --file a file: use one of them", exits.USAGE)
    if asked.base and not asked.file:
        raise CannotAnswer("--base is what the BTF of a --file is on top of: give --file, too", exits.USAGE)
    if asked.module and asked.file:
        raise CannotAnswer(
            "--module is about a kernel's modules; a module's BTF file is read with --file", exits.USAGE
        )
    try:
        if asked.file:
            return sources.of_file(asked.file, asked.base)
        if asked.recording:
            return _recorded(asked.recording)
        return sources.of_kernel(Live(), "this kernel")
    except sources.BadFile as bad:
        raise CannotAnswer(str(bad), exits.USAGE) from None
    except sources.NoTypes as none:
        where = f"{asked.recording}: " if asked.recording else ""
        raise CannotAnswer(f"{where}{none}", exits.NOT_READY if none.known else exits.CANNOT_TELL) from None


def _recorded(path: str) -> Source:
    from kdiag.recording.pack import opened

    try:
        return sources.of_kernel(opened(path), path)
    except BadRecording as bad:
        raise CannotAnswer(str(bad), exits.USAGE) from None


def _json() -> ModuleType:
    """The face for programs, where it is asked for."""
    from kdiag.btf import json

    return json


def show_type(asked: Asked, name: str, members: Sequence[str]) -> Answer:
    """A type's definition, or where members of it lie. Raises CannotAnswer."""
    source = source_of(asked)
    found = _found(source, asked, name)
    try:
        if members:
            return _members(source, asked, found, members)
        if asked.format == "json":
            json = _json()
            return Answer(json.render(source, "type", {"type": json.type_value(*found)}), exact=True)
        if asked.format == "c":
            return Answer(_header(source, found))
        return Answer(text.definition(found))
    except sources.Damaged as error:
        raise CannotAnswer(f"{found.types.place}: {error}", exits.CANNOT_TELL) from None


def _header(source: Source, found: finding.Found) -> str:
    """The type and what it needs, for a compiler. Imported only then: what is asked for most is the text."""
    from kdiag.btf.header import header

    kernel = f" of {source.release}" if source.release else ""
    return f"/* from {line(found.types.place)}{line(kernel)} */\n{header(found.types.graph, found.type_id)}"


def _found(source: Source, asked: Asked, name: str) -> finding.Found:
    try:
        found = finding.find_type(source, name, asked.module)
        types = source.module(asked.module) if asked.module else source.main
        if found is None:
            near = finding.near(types, name, finding.NAMED)
            if finding.is_function(types, name):
                near = f"; it is a function: kdiag btf func {name}"
            raise CannotAnswer(f"{_where(source, asked)} has no type {name!r}{near}", exits.NOT_READY)
    except sources.NoTypes as none:
        raise CannotAnswer(str(none), exits.USAGE if none.known else exits.CANNOT_TELL) from None
    except sources.Damaged as error:
        raise CannotAnswer(f"{source.main.place}: {error}", exits.CANNOT_TELL) from None
    return found


def _where(source: Source, asked: Asked) -> str:
    if asked.module:
        return f"the module {asked.module}"
    release = f" ({source.release})" if source.release and not asked.file else ""
    return f"{source.name}{release}"


def _members(source: Source, asked: Asked, found: finding.Found, members: Sequence[str]) -> Answer:
    graph = found.types.graph
    try:
        paths = [finding.follow(graph, found.type_id, path) for path in members]
    except finding.NoMember as none:
        raise CannotAnswer(str(none), exits.NOT_READY) from None
    if asked.format == "json":
        json = _json()
        return Answer(json.render(source, "members", json.members_value(graph, members, paths)), exact=True)
    return Answer(text.places(graph, paths))


def show_function(asked: Asked, name: str) -> Answer:
    """The prototypes of the functions of a name. Raises CannotAnswer."""
    source = source_of(asked)
    try:
        found = _functions(source, asked, name)
        if not found:
            types = source.module(asked.module) if asked.module else source.main
            raise CannotAnswer(
                f"{_where(source, asked)} has no function {name!r} in its BTF"
                f"{finding.near(types, name, finding.KINDS['func'])}",
                exits.NOT_READY,
            )
        if asked.format == "json":
            json = _json()
            values = [json.function_value(*one, text.prototype(*one), finding.tags(*one)) for one in found]
            return Answer(json.render(source, "function", {"functions": values}), exact=True)
        return Answer("".join(text.function(*one, finding.tags(*one)) for one in found))
    except sources.NoTypes as none:
        raise CannotAnswer(str(none), exits.USAGE if none.known else exits.CANNOT_TELL) from None
    except sources.Damaged as error:
        raise CannotAnswer(f"{source.main.place}: {error}", exits.CANNOT_TELL) from None


def _functions(source: Source, asked: Asked, name: str) -> list[tuple[Types, int]]:
    """The functions of this name: in the kernel and in its modules, or in one module."""
    if asked.module:
        places = [source.module(asked.module)]
    else:
        places = [source.main, *source.others(f"\0{name}\0".encode("utf-8", "surrogateescape"))]
    return [(types, found) for types in places for found in finding.all_named(types, name, finding.FUNCTIONS)]


def find(asked: Asked, pattern: str, kinds: str) -> Answer:
    """The types and functions whose names match a glob. Raises CannotAnswer."""
    chosen = _kinds(kinds)
    source = source_of(asked)
    try:
        places = [source.module(asked.module)] if asked.module else [source.main, *source.others(b"")]
        found = [
            (types, type_id, name)
            for types in places
            for type_id, name in finding.matching(types, pattern, chosen)
        ]
    except sources.NoTypes as none:
        raise CannotAnswer(str(none), exits.USAGE if none.known else exits.CANNOT_TELL) from None
    except sources.Damaged as error:
        raise CannotAnswer(f"{source.main.place}: {error}", exits.CANNOT_TELL) from None
    status = exits.READY if found else exits.NOT_READY
    if asked.format == "json":
        json = _json()
        values = [json.found_value(*one) for one in found]
        return Answer(json.render(source, "find", {"pattern": pattern, "found": values}), status, exact=True)
    if not found:
        raise CannotAnswer(f"nothing in {_where(source, asked)} matches {pattern!r}", status)
    return Answer("".join(text.found_line(*one) for one in found))


def _kinds(words: str) -> tuple[Kind, ...]:
    """The kinds that `--kind struct,func` names; all that have a name without any."""
    chosen: list[Kind] = []
    for word in filter(None, words.split(",")):
        if word not in finding.KINDS:
            raise CannotAnswer(f"--kind is one of {', '.join(finding.KINDS)}, not {word!r}", exits.USAGE)
        chosen += finding.KINDS[word]
    return tuple(chosen) or finding.ALL_KINDS
