"""`kdiag btf`: what the type information of a kernel, of a recorded one or of a file says, in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf import files, json, searching, sources, text
from kdiag.btf.finding import ALL_KINDS, KINDS, tags
from kdiag.btf.header import header
from kdiag.commands.btf_here import (
    Answer,
    CannotAnswer,
    described,
    find_functions,
    find_members,
    find_type,
    function_text,
    here,
    told,
    type_text,
)
from kdiag.console import exits
from kdiag.console.printable import line
from kdiag.recording.pack import opened
from kdiag.system.recording_index import BadRecording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.btf.sources import Source
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
    if asked.file:
        return of_file(asked.file, asked.base)
    return of_recording(asked.recording) if asked.recording else here()


def of_file(path: str, base: str = "") -> Source:
    """The types in a file. Raises CannotAnswer."""
    try:
        return files.of_file(path, base)
    except sources.BadFile as bad:
        raise CannotAnswer(str(bad), exits.USAGE) from None


def of_recording(path: str) -> Source:
    """The types of a recorded kernel. Raises CannotAnswer."""
    try:
        recording = opened(path)
    except BadRecording as bad:
        raise CannotAnswer(str(bad), exits.USAGE) from None
    return told(path, lambda: sources.of_kernel(recording, path))


def show_type(asked: Asked, name: str, members: Sequence[str]) -> Answer:
    """A type's definition, or where members of it lie. Raises CannotAnswer."""
    source = source_of(asked)
    if asked.format == "text" or (members and asked.format == "c"):
        return type_text(source, asked.module, name, members)
    found = find_type(source, asked.module, name)
    if asked.format == "c":
        kernel = f" of {line(source.release)}" if source.release else ""
        head = f"/* from {line(found.types.place)}{kernel} */\n"
        return told(found.types.place, lambda: Answer(head + header(found.types.graph, found.type_id)))
    if members:
        paths = find_members(found, members)
        value = told(found.types.place, lambda: json.members_value(found.types.graph, members, paths))
        return Answer(json.render(source, "members", value), exact=True)
    value = told(found.types.place, lambda: json.type_value(*found))
    return Answer(json.render(source, "type", {"type": value}), exact=True)


def show_function(asked: Asked, name: str) -> Answer:
    """The prototypes of the functions of a name. Raises CannotAnswer."""
    source = source_of(asked)
    if asked.format == "text":
        return function_text(source, asked.module, name)
    found = find_functions(source, asked.module, name)
    values = told(
        source.main.place,
        lambda: [json.function_value(*one, text.prototype(*one), tags(*one)) for one in found],
    )
    return Answer(json.render(source, "function", {"functions": values}), exact=True)


def find(asked: Asked, pattern: str, kinds: str) -> Answer:
    """The types and functions whose names match a glob. Raises CannotAnswer."""
    chosen = _kinds(kinds)
    source = source_of(asked)
    found = told(source.main.place, lambda: searching.everywhere(source, asked.module, pattern, chosen))
    status = exits.READY if found else exits.NOT_READY
    if asked.format == "json":
        values = [json.found_value(*one) for one in found]
        return Answer(json.render(source, "find", {"pattern": pattern, "found": values}), status, exact=True)
    if not found:
        raise CannotAnswer(f"nothing in {described(source, asked.module)} matches {pattern!r}", status)
    return Answer("".join(text.found_line(*one) for one in found))


def _kinds(words: str) -> tuple[Kind, ...]:
    """The kinds that `--kind struct,func` names; all that have a name without any."""
    chosen: list[Kind] = []
    for word in filter(None, words.split(",")):
        if word not in KINDS:
            raise CannotAnswer(f"--kind is one of {', '.join(KINDS)}, not {word!r}", exits.USAGE)
        chosen += KINDS[word]
    return tuple(chosen) or ALL_KINDS
