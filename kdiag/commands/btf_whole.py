"""`kdiag btf` and `kdiag btf diff`: what all of a kernel's types take, and what changed between two kernels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf import diff, difftext, json, sizes, sizestext
from kdiag.btf.watched import FUNCTIONS, STRUCTS
from kdiag.commands.btf import Asked, of_file, of_recording, source_of
from kdiag.commands.btf_here import Answer, CannotAnswer, described, here, told
from kdiag.console import exits
from kdiag.machine.btf import fallback_paths
from kdiag.parse.compression import identify
from kdiag.system import Unavailable
from kdiag.trust import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.btf.sizes import Debug
    from kdiag.btf.sources import Source

#: The word for the running kernel where a file or a recording may stand.
HERE = "here"


class How(NamedTuple):
    """How a difference is shown: of all structs, with each member that moved, in lines of this width."""

    every: bool
    moved: bool
    width: int


def show_sizes(asked: Asked, dwarf: str, width: int) -> Answer:
    """What the types take, and debug information beside them. Raises CannotAnswer."""
    source = source_of(asked)
    measured = told(source.main.place, lambda: sizes.measure(source))
    debug, looked = _debug(source, asked, dwarf)
    if asked.format == "json":
        return Answer(json.render(source, "sizes", json.sizes_value(measured, debug)), exact=True)
    title = f"BTF in {source.name}" if asked.file else f"BTF of {described(source)}"
    beside = sizestext.Beside(debug, looked, not asked.file)
    return Answer(sizestext.render(measured, title, beside, width))


def _debug(source: Source, asked: Asked, dwarf: str) -> tuple[Debug | None, Sequence[str]]:
    """Debug information of the same kernel, and where it was looked for."""
    named = dwarf or asked.file
    if named:
        found = _in_file(named)
        if dwarf and found is None:
            raise CannotAnswer(f"{dwarf}: it has no debug information (no section .debug_info)", exits.USAGE)
        return found, (named,)
    if source.system is None or not source.release or asked.recording:
        return None, ()
    places = fallback_paths(source.release)
    for place in places:
        try:
            file = source.system.open(place)
            if file is None:
                continue
            with file:
                debug = sizes.debug_in(file, place, sizes.build_id(source.system))
        except (Unavailable, sizes.Damaged, OSError):
            continue
        if debug is not None:
            return debug, places
    return None, places


def _in_file(path: str) -> Debug | None:
    try:
        with read.opened(path) as file:
            return sizes.debug_in(file, path)
    except OSError as error:
        raise CannotAnswer(f"{path}: {error.strerror or error}", exits.USAGE) from None
    except sizes.Damaged:
        return None  # bare BTF
    except ValueError:
        raise CannotAnswer(f"{path!a}: not a path", exits.USAGE) from None


def show_diff(pair: tuple[str, str], names: Sequence[str], form: str, how: How) -> Answer:
    """What changed from one to the other. Raises CannotAnswer."""
    first, second = (_side(one) for one in pair)

    def compared() -> diff.Difference:
        structs = list(names) or (diff.all_structs(first.main, second.main) if how.every else list(STRUCTS))
        functions = () if names else FUNCTIONS
        return diff.difference(first.main, second.main, structs, functions)

    found = told(f"{first.main.place} or {second.main.place}", compared)
    if names and found.absent:
        none = ", ".join(found.absent)
        raise CannotAnswer(f"neither {pair[0]} nor {pair[1]} has a struct or union {none}", exits.USAGE)
    status = exits.NOT_READY if found.changed or found.prototypes else exits.READY
    if form == "json":
        return Answer(json.render(first, "diff", json.diff_value(found, second)), status, exact=True)
    what = "named" if names else "with a name" if how.every else "that tracing tools read"
    shown = difftext.How(what, how.moved, how.width)
    words = difftext.render(found, described(first), described(second), shown)
    return Answer(words, status)


def _side(name: str) -> Source:
    """One side of a difference: this kernel, a recording or a file. Raises CannotAnswer."""
    if name == HERE:
        return here()
    if os.path.isdir(name) or os.path.basename(name) == "recording.json":
        return of_recording(name)
    try:
        start = read.head(name, 16)
    except (OSError, ValueError) as error:
        why = error.strerror or error if isinstance(error, OSError) else "not a path"
        hint = f"; the running kernel is called {HERE}" if isinstance(error, FileNotFoundError) else ""
        raise CannotAnswer(f"{name}: {why}{hint}", exits.USAGE) from None
    return of_recording(name) if identify(start) else of_file(name)
