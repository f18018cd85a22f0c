"""The functions of bpftrace itself that BEGIN and END are probes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.elf_names import names
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.system import System

#: src/triggers.h of bpftrace, up to 0.21.
_TRIGGERS = ("BEGIN_trigger", "END_trigger")


class Triggers(NamedTuple):
    """Whether bpftrace finds the functions of its own that BEGIN and END are probes on. looked: each file and what it
    has.
    """

    found: bool
    looked: tuple[tuple[str, str], ...]


def triggers(system: System, path: str) -> Triggers:
    """BEGIN_trigger and END_trigger by name, as BCC's library looks for them (src/cc/bcc_elf.c): in the debug file
    of the program's build id and in its own tables. A debug link is of no use: it is followed from the directory of
    /proc/self/exe.

    Raises Unavailable for what is no ELF program, and for a recording from before the question.
    """
    found, said, build_id = _in(system, path)
    looked = [(path, said)]
    if not found and build_id is not None:
        debug = f"/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
        if system.stat(debug) is None:
            looked.append((debug, "absent"))
        else:
            found, said, _ = _in(system, debug)
            looked.append((debug, said))
    return Triggers(found, tuple(looked))


def _in(system: System, path: str) -> tuple[bool, str, str | None]:
    """Whether both functions are there, that in words, and the build id."""
    file = system.open(path)
    if file is None:
        raise Unavailable(f"{path} went away")
    with file:
        try:
            said = names(file, _TRIGGERS)
        except ParseError as error:
            raise Unavailable(f"{path}: {error}") from None
    missing = [name for name in _TRIGGERS if name not in said.found]
    words = f"no {' and no '.join(missing)}" if missing else f"has {' and '.join(_TRIGGERS)}"
    return not missing, f"{words}{' (stripped)' if said.stripped and missing else ''}", said.build_id
