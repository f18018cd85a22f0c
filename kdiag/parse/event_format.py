"""The format file of a tracepoint: its fields, and which types bpftrace's clang has to know for them.

Where it has no BTF, bpftrace up to 0.24 makes a struct of the file's fields (src/tracepoint_format_parser.cpp) below
`#include <linux/types.h>`. The kernel's header has all types that fields name; the one for user space, of the packages
for compiling programs, has those of the system call interface only: `__u16`, and neither `u16` nor `pid_t`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FIELD = re.compile(r"^\s*field:(?P<field>[^;]*);.*\bsize:(?P<size>\d+);", re.MULTILINE)
_QUALIFIERS = frozenset({"const", "volatile", "unsigned", "signed", "*"})
_OF_C = frozenset({"char", "short", "int", "long", "float", "double", "void", "_Bool"})
#: include/uapi/linux/types.h, posix_types.h, asm-generic/int-ll64.h and int-l64.h.
_OF_USER_SPACE = re.compile(r"__[su](8|16|32|64|128)|__[lb]e(16|32|64)|__sum16|__wsum|__poll_t|__kernel_\w+")
#: adjust_integer_types(): what a field of eight bytes becomes.
_WIDE = {"int": "s64"} | dict.fromkeys(("unsigned int", "unsigned", "u32", "pid_t", "uid_t", "gid_t"), "u64")

_WHOLE = re.compile(
    r"^\s*field:(?P<field>[^;]*);\s*offset:(?P<at>\d+);\s*size:(?P<size>\d+);(?:\s*signed:(?P<signed>[01]);)?",
    re.MULTILINE,
)
_PLACED = re.compile(r"__(?:data|rel)_loc\s")


class Field(NamedTuple):
    """A field as the kernel prints it (kernel/trace/trace_events.c, f_show). type: `const char *`, with the length of
    an array behind it; at: bytes from the start of the record; located: whether it holds where in the record the
    thing itself is (`__data_loc char[]`).
    """

    name: str
    type: str
    at: int
    size: int
    located: bool


def fields(text: str) -> tuple[Field, ...]:
    """All fields of a format file, those that every event has included."""
    found = []
    for match in _WHOLE.finditer(text):
        kind, _, name = match["field"].strip().replace("\t", " ").rpartition(" ")
        name, bracket, length = name.partition("[")
        array = f"[{length}" if bracket else ""
        located = _PLACED.match(kind) is not None
        found.append(Field(name, kind.strip() + array, int(match["at"]), int(match["size"]), located))
    return tuple(found)


def not_for_user_space(text: str) -> tuple[str, ...]:
    """The types and sizes that a format file names and the header for user space does not define, in its order."""
    found: dict[str, None] = {}
    for match in _FIELD.finditer(text):
        found |= dict.fromkeys(_missing(match["field"], int(match["size"])))
    return tuple(found)


def _missing(field: str, size: int) -> list[str]:
    kind, _, name = field.strip().replace("\t", " ").rpartition(" ")
    if "__data_loc" in kind:
        return []  # taken for an int
    array = re.search(r"\[([^\]]*)\]", name)
    missing = [] if array is None or not array[1] or array[1].isdigit() else [array[1]]
    if array is None and size == 8:
        kind = _WIDE.get(kind, kind)
    words = [word for word in kind.replace("*", " * ").split() if word not in _QUALIFIERS]
    if words[:1] in (["struct"], ["union"], ["enum"]):
        # A pointer to one that is never defined is sound C, the thing itself is not.
        return missing if "*" in kind else [" ".join(words[:2]), *missing]
    unknown = (word for word in words if word not in _OF_C and not _OF_USER_SPACE.fullmatch(word))
    return [*unknown, *missing]
