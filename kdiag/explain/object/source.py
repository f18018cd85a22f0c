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
_LIMIT = 256 * 1024 * 1024
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
        data = trusted.user_file(path, _LIMIT)
    except OSError as error:
        raise NotKnown(f"cannot read {shown}: {error.strerror or error}") from None
    except ValueError:
        raise NotKnown(f"{shown!r} is no path") from None
    if not data.startswith(MAGIC):
        raise NotKnown(
            f"{shown}: not an ELF file: it begins with {data[:4].hex(' ') or 'nothing'}; "
            "give a BPF object (clang -target bpf -g -O2 -c) or a program that carries one"
        )
    try:
        if len(data) >= 20 and EM_BPF in (int.from_bytes(data[18:20], order) for order in ("little", "big")):
            return Source(path, data, (read(data),), embedded=False)
        found = embedded.find(data)
        if not found:
            raise NotKnown(
                f"{shown}: no BPF object, and no program that carries one: no ELF file for BPF is in it"
            )
        return Source(path, data, tuple(read(one.data, one.at) for one in found), embedded=True)
    except ParseError as error:
        raise NotKnown(f"{shown}: {clean(str(error))}") from None
