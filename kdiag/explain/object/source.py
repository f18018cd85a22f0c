"""The file that the user named, and the objects in it."""

from __future__ import annotations

import re
from typing import NamedTuple

from kdiag.console.wrap import clean
from kdiag.explain.value import NotKnown
from kdiag.parse.bpf import embedded
from kdiag.parse.bpf.image import EM_BPF, MAGIC
from kdiag.parse.bpf.read import Object, read
from kdiag.parse.errors import ParseError
from kdiag.trust import read as trusted

#: Go programs that carry their objects have 150 MB.
LIMIT = 256 * 1024 * 1024
#: A path, or a name that ends as clang's output does; not a probe, whose kind and a colon come first.
_LOOKS = re.compile(r"(?!\w+:)(?:.*/.*|.*\.o)", re.DOTALL)


class Source(NamedTuple):
    """A file with objects. embedded: it is a program, which decides itself which of its programs it loads."""

    path: str
    data: bytes
    objects: tuple[Object, ...]
    embedded: bool


def looks_like_one(word: str) -> bool:
    """Whether a word names a file that may be an object or a program with one."""
    return bool(_LOOKS.fullmatch(word)) and not word.endswith(".bt")


def open_source(path: str) -> Source:
    """Read a file. Raises NotKnown with the file's name, the place in it, and what to give instead."""
    shown = clean(path)
    try:
        data = trusted.user_file(path, LIMIT)
    except OSError as error:
        raise NotKnown(f"cannot read {shown}: {error.strerror or error}") from None
    except ValueError:
        raise NotKnown(f"{shown!r} is no path") from None
    found, carried = _parts(path, data)
    try:
        return Source(path, data, tuple(read(one.data, one.at) for one in found), embedded=carried)
    except ParseError as error:
        raise NotKnown(f"{shown}: {clean(str(error))}") from None


def _parts(path: str, data: bytes) -> tuple[tuple[embedded.Embedded, ...], bool]:
    """The objects in a file, and whether a program carries them. Raises NotKnown."""
    shown = clean(path)
    if not data.startswith(MAGIC):
        begins = data[:4].hex(" ") or "nothing"
        raise NotKnown(
            f"{shown}: not an ELF file: it begins with {begins}; "
            "give a BPF object (clang -target bpf -g -O2 -c) or a program that carries one"
        )
    if len(data) >= 20 and EM_BPF in (
        int.from_bytes(data[18:20], "little"),
        int.from_bytes(data[18:20], "big"),
    ):
        return (embedded.Embedded(0, data),), False
    found = embedded.find(data)
    if not found:
        raise NotKnown(
            f"{shown}: no BPF object, and no program that carries one: no ELF file for BPF is in it"
        )
    return found, True
